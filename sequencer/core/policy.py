"""The policy of a sequence: what reports do, who may be enrolled again, how failures are retried (laws L8, L9, E4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from sequencer.core.delays import Delay, Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.values import FrozenMapping, to_bool, to_instance, to_line, to_optional_delay, to_whole

__all__ = ["REPORT_KINDS", "Policy", "Reaction", "Retry", "Unsubscribe"]

REPORT_KINDS = (
    "replied",
    "meeting_booked",
    "unsubscribed",
    "converted",
    "resource_deleted",
    "bounced",
    "out_of_office",
    "opened",
    "clicked",
    "soft_bounced",
)


def _reaction_duration(value: Any) -> Delay | None:
    return to_optional_delay(value, "duration")


@attrs.frozen
class Reaction:
    """What a report does to an enrollment: "finish", "block" or "note" it. A block may have a duration (L8)."""

    does: str = attrs.field()
    duration: Delay | None = attrs.field(default=None, converter=_reaction_duration, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.does not in ("finish", "block", "note"):
            raise InvalidInput(f"must be finish, block or note, got {self.does!r}", path="on", code="invalid_value")
        if self.duration is not None and self.does != "block":
            raise InvalidInput("only a block has a duration", path="on", code="invalid_value")


_FINISH, _BLOCK, _NOTE = Reaction("finish"), Reaction("block"), Reaction("note")
DEFAULT_REACTIONS: Mapping[str, Reaction] = MappingProxyType(
    {
        "replied": _FINISH,
        "meeting_booked": _FINISH,
        "unsubscribed": _FINISH,
        "converted": _FINISH,
        "resource_deleted": _FINISH,
        "bounced": _BLOCK,
        "out_of_office": Reaction("block", duration=Weekdays(5)),
        "opened": _NOTE,
        "clicked": _NOTE,
        "soft_bounced": _NOTE,
    }
)


def _to_reactions(value: Any) -> Mapping[str, Reaction]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path="on", code="invalid_type")
    for kind, reaction in value.items():
        if kind not in REPORT_KINDS:
            raise InvalidInput(
                f"{kind!r} cannot be reported; known are {', '.join(REPORT_KINDS)}", path="on", code="unknown_key"
            )
        if isinstance(reaction, str):
            continue
        if not isinstance(reaction, Reaction):
            raise InvalidInput(f"needs a Reaction, got {reaction!r}", path=f"on.{kind}", code="invalid_type")
    given = {kind: Reaction(each) if isinstance(each, str) else each for kind, each in value.items()}
    return FrozenMapping({kind: given.get(kind, DEFAULT_REACTIONS[kind]) for kind in REPORT_KINDS})


def _to_number(value: Any, path: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidInput(f"needs a number from {least} to {most}, got {value!r}", path=path, code="out_of_range")
    return value


def _retry_factor(value: Any) -> float:
    return _to_number(value, "factor", 1, 100)


def _retry_first(value: Any) -> float:
    return _to_number(value, "first", 1, 604_800)


def _retry_attempts(value: Any) -> int:
    return to_whole(value, "attempts", least=1, most=100)


@attrs.frozen
class Retry:
    """How a temporary failure is retried (law E4): `attempts` in all, the first pause in seconds, and its growth.

    A factor of 1 keeps the pauses even; the jitter on top (up to a quarter) is a hash of the effect's key.
    """

    attempts: int = attrs.field(default=5, converter=_retry_attempts)
    first: float = attrs.field(default=60, converter=_retry_first)
    factor: float = attrs.field(default=4, converter=_retry_factor)


def _unsubscribe_locale(value: Any) -> str:
    return to_line(value, "locale", longest=35)


def _unsubscribe_enabled(value: Any) -> bool:
    return to_bool(value, "enabled")


@attrs.frozen
class Unsubscribe:
    """Whether the mails of a sequence carry a way to opt out, and in which language."""

    enabled: bool = attrs.field(default=False, converter=_unsubscribe_enabled)
    locale: str = attrs.field(default="en-US", converter=_unsubscribe_locale)


def _to_retry(value: Any) -> Retry:
    return to_instance(Retry, value, "retry")


def _to_unsubscribe(value: Any) -> Unsubscribe:
    return to_instance(Unsubscribe, value, "unsubscribe")


def _policy_reenroll_after(value: Any) -> int:
    return to_whole(value, "reenroll_after", least=0, most=3650)


@attrs.frozen(kw_only=True)
class Policy:
    """What reports do, who may be enrolled again when, and how failures are retried (laws L8, L9, E4).

    `on` maps a kind of report to a `Reaction` (or its name); what is left out keeps its default. `exclusive` is
    "sequence" (one ongoing enrollment of a resource in this sequence) or "all" (in any). `reenroll_after` is in days.
    """

    on: Mapping[str, Reaction] = attrs.field(default=DEFAULT_REACTIONS, converter=_to_reactions)
    exclusive: str = attrs.field(default="sequence")
    reenroll_after: int = attrs.field(default=0, converter=_policy_reenroll_after)
    retry: Retry = attrs.field(default=Retry(), converter=_to_retry)
    unsubscribe: Unsubscribe = attrs.field(default=Unsubscribe(), converter=_to_unsubscribe)

    def __attrs_post_init__(self) -> None:
        if self.exclusive not in ("sequence", "all"):
            raise InvalidInput(
                f"must be sequence or all, got {self.exclusive!r}", path="exclusive", code="invalid_value"
            )
