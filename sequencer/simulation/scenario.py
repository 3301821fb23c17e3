"""Scenarios: how people, desks, mailers and workers behave in a simulation, as values, each with a default.

Nothing here is a rule of the engine: those are the core's. A scenario only says what the world around it does, and how
likely. `Scenario()` is the ordinary world; what it takes for granted is named by `assumptions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar, Window
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_instant
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.values import FrozenMapping, Identifier, to_identifier, to_instance, to_whole
from sequencer.simulation.spans import Span

__all__ = [
    "REACTIONS",
    "Actors",
    "Arrivals",
    "Blocked",
    "Caps",
    "Desk",
    "Leave",
    "Mails",
    "Outage",
    "Reaction",
    "Scenario",
    "Season",
    "TaskHabits",
    "Tasks",
    "Worker",
]

REACTIONS = ("replied", "meeting_booked", "unsubscribed", "bounced", "converted", "out_of_office")
"""What somebody may do about a mail, in the order in which it is drawn."""

_WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
StepName = str | int
"""How a scenario names a step: by its key, or by its position."""


_Validator = Callable[[Any, Any, Any], None]


def _is_share(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput(f"needs a share from 0 to 1, got {value!r}", path=path, code="invalid_type")
    if not 0 <= value <= 1:
        raise InvalidInput(f"needs a share from 0 to 1, got {value!r}", path=path, code="out_of_range")


def _share(path: str) -> _Validator:
    def check(_: Any, __: Any, value: Any) -> None:
        if value is not None:
            _is_share(value, path)

    return check


def _whole(path: str, most: int) -> _Validator:
    def check(_: Any, __: Any, value: Any) -> None:
        if value is not None:
            to_whole(value, path, least=1, most=most)

    return check


def _is(kind: type, path: str) -> _Validator:
    def check(_: Any, __: Any, value: Any) -> None:
        to_instance(kind, value, path)

    return check


def _may_be(kind: type, path: str) -> _Validator:
    def check(_: Any, __: Any, value: Any) -> None:
        if value is not None:
            to_instance(kind, value, path)

    return check


def _all(kind: type, path: str) -> _Validator:
    def check(_: Any, __: Any, value: Any) -> None:
        for i, each in enumerate(value):
            to_instance(kind, each, f"{path}[{i}]")

    return check


def _by_step(_: Any, __: Any, value: Any) -> None:
    for name in value:
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise InvalidInput(f"needs a step's key or position, got {name!r}", path="steps", code="invalid_type")


def _to_date(value: date | str) -> date:
    return to_date(value)


def _to_instant(value: datetime) -> DateTime:
    return to_instant(value)


def _frozen(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return FrozenMapping(value)


def _to_chances(value: Any) -> tuple[float, ...]:
    several = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not several:
        raise InvalidInput("needs at least one share", path="chance", code="missing")
    for each in several:
        _is_share(each, "chance")
    return tuple(float(each) for each in several)


def _in_order(first: Any, last: Any, path: str) -> None:
    if last < first:
        raise InvalidInput("ends before it begins", path=path, code="out_of_order")


# -- who ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Actors:
    """To whom leads belong that name no actor: to `count` actors, or one for each `leads_each` leads; ids from 1 on."""

    count: int | None = attrs.field(default=None, validator=_whole("actors.count", 100_000))
    leads_each: int = attrs.field(default=200, validator=_whole("actors.leads_each", 1_000_000))

    def among(self, leads: int) -> int:
        """How many actors there are for so many leads."""
        return self.count or -(-leads // self.leads_each) or 1


@attrs.frozen(kw_only=True)
class Arrivals:
    """When synthetic leads are enrolled: within so many `days` from the start, on these days and hours of the zone."""

    over_days: int = attrs.field(default=7, validator=_whole("arrive.over", 3660))
    days: tuple[str, ...] = _WORKDAYS
    opens: str = "08:00"
    closes: str = "18:00"

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "days", Window(self.days, self.opens, self.closes).days)


# -- what they do ---------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reaction:
    """What somebody does about a mail: with what chance, and how long after it.

    `chance` is one share, or one for the first mail, the second, and so on, the last for all later ones. `away` is how
    long somebody is out of the office; None: nobody says until when.
    """

    chance: tuple[float, ...] = attrs.field(default=(0.0,), converter=_to_chances)
    after: Span = attrs.field(factory=lambda: Span.fixed(minutes=1), validator=_is(Span, "after"))
    away: Span | None = attrs.field(default=None, validator=_may_be(Span, "away"))

    def of_mail(self, number: int) -> float:
        """The chance for the how-manieth mail (from 0)."""
        return self.chance[min(number, len(self.chance) - 1)]


_REPLIES = {0: Span.fixed(minutes=2), 50: Span.fixed(hours=5), 90: Span.fixed(days=2), 100: Span.fixed(days=7)}


def _usual() -> Mapping[str, Reaction]:
    return FrozenMapping(
        replied=Reaction(chance=(0.03, 0.02, 0.01), after=Span.quantiles(_REPLIES)),
        meeting_booked=Reaction(chance=(0.005,), after=Span.quantiles(_REPLIES)),
        unsubscribed=Reaction(chance=(0.002,), after=Span.quantiles(_REPLIES)),
        bounced=Reaction(chance=(0.01, 0.001), after=Span.fixed(minutes=1)),
        converted=Reaction(chance=(0.0,), after=Span.quantiles(_REPLIES)),
        out_of_office=Reaction(
            chance=(0.01,),
            after=Span.fixed(minutes=1),
            away=Span.between(Span.fixed(days=1), Span.fixed(days=14)),
        ),
    )


def _to_reactions(value: Any) -> Mapping[str, Reaction]:
    for kind, each in value.items():
        if kind not in REACTIONS:
            raise InvalidInput(f"knows no {kind!r}; there are {', '.join(REACTIONS)}", path="mails", code="unknown_key")
        to_instance(Reaction, each, f"mails.{kind}")
    return FrozenMapping(value)


def _by_step_reactions(value: Any) -> Mapping[StepName, Mapping[str, Reaction]]:
    return FrozenMapping({name: _to_reactions(each) for name, each in value.items()})


@attrs.frozen(kw_only=True)
class Season:
    """Between two dates, inclusive, of the sequence's zone: the chances of good answers times so much."""

    first: date = attrs.field(converter=_to_date)
    last: date = attrs.field(converter=_to_date)
    times: float = 1.0

    def __attrs_post_init__(self) -> None:
        _in_order(self.first, self.last, "season.to")
        if isinstance(self.times, bool) or not isinstance(self.times, (int, float)) or not 0 <= self.times <= 100:
            raise InvalidInput(f"needs a number from 0 to 100, got {self.times!r}", path="season.times")


@attrs.frozen(kw_only=True)
class Outage:
    """From one instant until before another, something does not work."""

    begins: DateTime = attrs.field(converter=_to_instant)
    ends: DateTime = attrs.field(converter=_to_instant)

    def __attrs_post_init__(self) -> None:
        if self.ends <= self.begins:
            raise InvalidInput("ends before it begins", path="outage.to", code="out_of_order")


@attrs.frozen(kw_only=True)
class Mails:
    """What becomes of mails: what the mailer refuses, and what people do about those that left.

    `refused` is the share that the recipient's server refuses for good, `deferred` the share of attempts that it
    refuses for now. `steps` has what differs for some steps, `seasons` when good answers (replies, meetings,
    conversions) are likelier or less likely, `outages` when the mailer refuses everything for now.
    """

    reactions: Mapping[str, Reaction] = attrs.field(factory=_usual, converter=_to_reactions)
    refused: float = attrs.field(default=0.002, validator=_share("mails.refused"))
    deferred: float = attrs.field(default=0.01, validator=_share("mails.deferred"))
    steps: Mapping[StepName, Mapping[str, Reaction]] = attrs.field(
        factory=dict, converter=_by_step_reactions, validator=_by_step
    )
    seasons: tuple[Season, ...] = attrs.field(default=(), converter=tuple, validator=_all(Season, "seasons"))
    outages: tuple[Outage, ...] = attrs.field(default=(), converter=tuple, validator=_all(Outage, "outages"))


@attrs.frozen(kw_only=True)
class Desk:
    """When somebody sits at the desk where tasks land; on the clock of `timezone` (default: the sequence's)."""

    days: tuple[str, ...] = _WORKDAYS
    opens: str = "09:00"
    closes: str = "17:00"
    timezone: str | None = None

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "days", Window(self.days, self.opens, self.closes).days)
        if self.timezone is not None:
            Calendar(self.timezone)


@attrs.frozen(kw_only=True)
class Leave:
    """Between two dates, inclusive, an actor (None: everybody) does no tasks."""

    first: date = attrs.field(converter=_to_date)
    last: date = attrs.field(converter=_to_date)
    actor: Identifier | None = None

    def __attrs_post_init__(self) -> None:
        _in_order(self.first, self.last, "leave.to")
        if self.actor is not None:
            to_identifier(self.actor, "leave.actor")


@attrs.frozen(kw_only=True)
class TaskHabits:
    """How long a task takes from when it is on the desk, and the share of tasks that nobody ever does."""

    take: Span | None = attrs.field(default=None, validator=_may_be(Span, "take"))
    never: float | None = attrs.field(default=None, validator=_share("never"))


def _usual_take() -> Span:
    hours = {0: 0.1, 50: 3, 90: 12, 100: 40}
    return Span.quantiles({percent: Span.fixed(hours=each, desk=True) for percent, each in hours.items()})


@attrs.frozen(kw_only=True)
class Tasks:
    """What becomes of tasks; `steps` has what differs for some steps."""

    take: Span = attrs.field(factory=_usual_take, validator=_is(Span, "tasks.take"))
    never: float = attrs.field(default=0.0, validator=_share("tasks.never"))
    desk: Desk = attrs.field(factory=Desk, validator=_is(Desk, "tasks.desk"))
    leave: tuple[Leave, ...] = attrs.field(default=(), converter=tuple, validator=_all(Leave, "leave"))
    steps: Mapping[StepName, TaskHabits] = attrs.field(factory=dict, converter=_frozen, validator=_by_step)


@attrs.frozen(kw_only=True)
class Worker:
    """When the engine itself does not run, and whether it spreads what is overdue then (E7)."""

    downtime: tuple[Outage, ...] = attrs.field(default=(), converter=tuple, validator=_all(Outage, "downtime"))
    catch_up: CatchUp | None = attrs.field(default=None, validator=_may_be(CatchUp, "worker.catch_up"))


@attrs.frozen(kw_only=True)
class Caps:
    """How many mails may leave in an actor's name (E5): what `actors` says of it, else `default`; None: any number."""

    default: Cap | None = attrs.field(factory=Cap, validator=_may_be(Cap, "caps.default"))
    actors: Mapping[Identifier, Cap | None] = attrs.field(factory=dict, converter=_frozen)

    def of(self, actor: Identifier) -> Cap | None:
        """The cap of an actor."""
        return self.actors.get(actor, self.default)


@attrs.frozen(kw_only=True)
class Blocked:
    """What somebody does, so long after, about an enrollment that a failure has blocked: leave it, skip, or retry."""

    then: str = "leave"
    after: Span = attrs.field(factory=lambda: Span.fixed(hours=4, desk=True), validator=_is(Span, "blocked.after"))

    def __attrs_post_init__(self) -> None:
        if self.then not in ("leave", "skip", "retry"):
            raise InvalidInput(f"must be leave, skip or retry, got {self.then!r}", path="blocked.then")


@attrs.frozen(kw_only=True)
class Scenario:
    """The world around the engine in a simulation; `Scenario.quiet()` is one without chance."""

    name: str = "default"
    actors: Actors = attrs.field(factory=Actors, validator=_is(Actors, "actors"))
    timezones: Mapping[str, float] = attrs.field(factory=dict, converter=_frozen)
    arrivals: Arrivals = attrs.field(factory=Arrivals, validator=_is(Arrivals, "arrivals"))
    tasks: Tasks = attrs.field(factory=Tasks, validator=_is(Tasks, "tasks"))
    mails: Mails = attrs.field(factory=Mails, validator=_is(Mails, "mails"))
    worker: Worker = attrs.field(factory=Worker, validator=_is(Worker, "worker"))
    caps: Caps = attrs.field(factory=Caps, validator=_is(Caps, "caps"))
    blocked: Blocked = attrs.field(factory=Blocked, validator=_is(Blocked, "blocked"))

    def __attrs_post_init__(self) -> None:
        for timezone, weight in self.timezones.items():
            Calendar(timezone)
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight <= 1e9:
                raise InvalidInput(f"needs a weight above 0, got {weight!r}", path=f"timezones.{timezone}")

    @classmethod
    def quiet(cls, *, tasks_take: Span | None = None) -> Scenario:
        """Nobody answers, nothing fails, no cap, and every task takes as long as said (default: no time)."""
        nobody = {kind: Reaction() for kind in REACTIONS}
        return cls(
            name="quiet",
            tasks=Tasks(take=tasks_take or Span.fixed()),
            mails=Mails(reactions=nobody, refused=0.0, deferred=0.0),
            caps=Caps(default=None),
        )
