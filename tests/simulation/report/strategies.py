"""Any answer of the shape that simulations give, with any texts and numbers in it, however odd."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from sequencer.simulation.answering import PEOPLE
from tests.simulation.report.samples import beside, mapped, spread

__all__ = ["HOSTILE", "answers"]

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg><script>",
    "' onload='x",
    "&amp; &#60;b&#62; ]]> <!-- -->",
    "\u202egnirts\u202c \u2066left open \u200f",
    "\x00\x1b[31m\ud800\ufffe\r\n\t",
    "Donaudampfschifffahrtsgesellschaft" * 12,
    "\u0645\u062a\u0627\u0628\u0639\u0629 \u0627\u0644\u0639\u0645\u0644\u0627\u0621",
    "",
)
_DAY_COUNTS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
_STEP_COUNTS = ("reached", "done", "skipped", "failed", "overdue", "deferred", "replied", "ended")
_ENDS = ("completed", "replied", "meeting_booked", "unsubscribed", "bounced", "blocked", "ongoing", "refused")
_SECTIONS = ("outcomes", "people", "totals", "per_day", "per_sequence", "per_actor", "sends")

texts = st.sampled_from(HOSTILE) | st.text(max_size=20)
counts = st.integers(0, 12) | st.integers(0, 10**9)
hours = st.none() | st.floats(0, 20_000).map(lambda value: round(value * 4) / 4)


def _named(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries(dict.fromkeys(names, counts))


def _step(position: int) -> st.SearchStrategy[dict[str, Any]]:
    about = st.fixed_dictionaries({
        "position": st.just(position), "key": st.none() | texts, "what": texts, "median_hours": hours,
        "action_type": st.sampled_from(["automated_email", "task"]),
    })  # fmt: skip
    return st.builds(lambda first, second: {**first, **second}, about, _named(_STEP_COUNTS))


_people = st.dictionaries(st.sampled_from(list(PEOPLE)), counts)


@st.composite
def _sequence(draw: st.DrawFn) -> dict[str, Any]:
    outcomes = draw(st.dictionaries(st.sampled_from(_ENDS) | texts, st.integers(1, 10**6), max_size=6))
    return {
        "key": draw(texts), "name": draw(texts), "enrollments": sum(outcomes.values()), "outcomes": outcomes,
        "people": draw(_people),
        "blocked": draw(st.dictionaries(texts, counts, max_size=2)),
        "refused": draw(st.dictionaries(texts, counts, max_size=2)),
        "time_to_finish": {"count": draw(counts), "median_hours": draw(hours), "p90_hours": draw(hours)},
        "steps": [draw(_step(position)) for position in range(draw(st.integers(0, 4)))],
    }  # fmt: skip


@st.composite
def _actor(draw: st.DrawFn, days: list[str]) -> dict[str, Any]:
    own = draw(st.lists(st.sampled_from(days), unique=True, max_size=4)) if days else []
    capped = draw(st.lists(st.sampled_from(days), unique=True, max_size=4)) if days else []
    numbers = _named(("emails", "tasks", "tasks_completed", "overdue", "deferred"))
    return {
        "actor_id": draw(st.none() | st.integers(1, 10**12) | texts), **draw(numbers),
        **draw(_named(("enrollments", "most_emails", "most_tasks"))), "cap_days": sorted(capped),
        "per_day": [{"date": each, **draw(numbers)} for each in sorted(own)],
        **draw(st.just({}) | st.fixed_dictionaries({"account": texts})),
    }  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """An answer: from nothing at all to some years, with or without intervals and another design."""
    first = draw(st.dates(date(1971, 1, 1), date(8990, 1, 1)))
    length = draw(st.integers(0, 9) | st.sampled_from([30, 119, 121, 200]))
    dates = [(first + timedelta(days=each)).isoformat() for each in range(length)]
    filled = draw(st.lists(_named(_DAY_COUNTS), min_size=1, max_size=3))
    per_day = [{"date": each, **filled[at % len(filled)]} for at, each in enumerate(dates)]
    sequences = draw(st.lists(_sequence(), max_size=3))
    outcomes: dict[str, int] = {}
    for each in sequences:
        for key, count in each["outcomes"].items():
            outcomes[key] = outcomes.get(key, 0) + count
    row = draw(st.lists(counts, min_size=24, max_size=24))
    answer: dict[str, Any] = {
        "enrollments": sum(outcomes.values()), "seed": draw(st.integers()), "runs": draw(st.integers(1, 99)),
        "start": f"{first}T07:00:00Z", "ended_at": draw(st.none() | st.just(f"{first}T22:30:00Z")),
        "until": draw(st.none() | st.just(f"{first}T23:00:00Z")),
        "timezone": draw(st.sampled_from(["Europe/Warsaw", "America/St_Johns", "UTC", "Asia/Kolkata"])),
        "sequences": [{"key": e["key"], "name": e["name"], "steps_total": len(e["steps"])} for e in sequences],
        "outcomes": outcomes, "people": draw(_people),
        "totals": draw(_named(("emails", "tasks", "tasks_completed", "overdue", "failed"))),
        "per_day": per_day, "per_sequence": sequences,
        "per_actor": draw(st.lists(_actor(dates), max_size=3)),
        "sends": [row if weekday % 2 else [0] * 24 for weekday in range(7)],
        "assumptions": draw(
            st.lists(st.fixed_dictionaries({"name": texts, "says": texts, "default": st.booleans()}), max_size=3)
        ),
        "intervals": None, "compare": None,
    }  # fmt: skip
    sections, chance = {key: answer[key] for key in _SECTIONS}, random.Random(draw(st.integers(0, 99)))
    if draw(st.booleans()):
        answer["intervals"] = mapped(sections, spread, chance)
    if draw(st.booleans()):
        answer["compare"] = {"with": draw(texts), "runs": answer["runs"], **mapped(sections, beside, chance)}
    return answer
