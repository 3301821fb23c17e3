"""Sequences as people really run them, leads to run them on, and scenarios; the addresses are reserved for examples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["EXAMPLES", "path"]

EXAMPLES = {
    "inbound-follow-up.yaml": "a mail at once, a call within hours, three follow-ups; its templates are in it",
    "cold-outbound.yaml": "five mails, 3, 4, 5 and 5 working days apart, in morning windows",
    "enterprise-12-touch.yaml": "mails and tasks alternating for a month, with local windows and holidays",
    "trial-onboarding.yaml": "hours only, across weekends",
    "renewal.yaml": "long delays, a quarter of a year in working days",
    "scenario-usual.yaml": "for simulations: the ordinary world, with everything that is so by default",
    "scenario-slow-summer.yaml": "for simulations: half the answers, leave, slower tasks, a mailer that fails",
    "sell-api.json": "a sequence as Zendesk Sell's API answers it",
    "leads-500.csv": "leads in 40 time zones, enrolled on every day of the week",
}
"""What comes with the package, and what it is."""


def path(name: str) -> Path:
    """The path of an example, as in `load(path("renewal.yaml"))`. Raises `FileNotFoundError`, which lists them."""
    if name not in EXAMPLES:
        raise FileNotFoundError(f"there is no example {name!r}; there are {', '.join(sorted(EXAMPLES))}")
    return Path(str(files(__name__))) / name
