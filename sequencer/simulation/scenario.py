"""Scenarios: how people, desks, mailers and workers behave in a simulation, as values, each with a default.

Nothing here is a rule of the engine: those are the core's. A scenario only says what the world around it does, and how
likely. `Scenario()` is the ordinary world; what it takes for granted is named by `assumptions.py`. Whatever cannot be
is refused with `InvalidInput`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

import attrs
from pendulum import DateTime

from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_instant
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.values import FrozenMapping, Identifier, to_identifier, to_instance
from sequencer.simulation.checks import (
    by_identifier,
    by_step,
    frozen_mapping,
    in_order,
    instances,
    is_a,
    is_mapping,
    line,
    may_be,
    number,
    refuse_odd_step,
    settle_hours,
    several,
    share,
    to_share,
    whole,
    zone_name,
)
from sequencer.simulation.spans import Span

__all__ = [
    "REACTIONS",
    "THEN",
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
    "StepName",
    "TaskHabits",
    "Tasks",
    "Worker",
]

REACTIONS = ("replied", "meeting_booked", "unsubscribed", "bounced", "converted", "out_of_office")
"""What somebody may do about a mail, in the order in which it is drawn."""

THEN = ("leave", "skip", "retry")
"""What somebody may do about an enrollment that is blocked."""

StepName = str | int
"""How a scenario names a step: by its key, or by its position."""

_WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
_LEADS_EACH = 200
_MOST_CHANCES = 200
_LONGEST_LEAVE = 3660


def _to_date(value: date | str) -> date:
    return to_date(value)


def _to_instant(value: datetime) -> DateTime:
    return to_instant(value)


# -- who ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Actors:
    """To whom leads belong that name no actor: to `count` actors, or one for each `leads_each` leads; ids from 1 on.

    Either is said, not both; neither means one for each 200.
    """

    count: int | None = attrs.field(default=None, validator=may_be(whole("actors.count", 100_000)))
    leads_each: int | None = attrs.field(default=None, validator=may_be(whole("actors.leads_each", 1_000_000)))

    def __attrs_post_init__(self) -> None:
        if self.count is None and self.leads_each is None:
            object.__setattr__(self, "leads_each", _LEADS_EACH)
        elif self.count is not None and self.leads_each is not None:
            message = "says how many actors there are once more: give count, or leads_each"
            raise InvalidInput(message, path="actors.leads_each", code="one_of_two")

    def among(self, leads: int) -> int:
        """How many actors there are for so many leads."""
        return self.count or -(-leads // (self.leads_each or _LEADS_EACH)) or 1


@attrs.frozen(kw_only=True)
class Arrivals:
    """When synthetic leads are enrolled: within so many `days` from the start, on these days and hours of the zone."""

    over_days: int = attrs.field(default=7, validator=whole("arrive.over", 365))
    days: tuple[str, ...] = _WORKDAYS
    opens: str = "08:00"
    closes: str = "18:00"

    def __attrs_post_init__(self) -> None:
        settle_hours(self)


# -- what they do ---------------------------------------------------------------------------------------------


def _to_chances(value: Any) -> tuple[float, ...]:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not 1 <= len(given) <= _MOST_CHANCES:
        message = f"needs one share, or one for each of at most {_MOST_CHANCES} mails, got {len(given)}"
        raise InvalidInput(message, path="chance", code="invalid_length")
    for each in given:
        to_share(each, "chance")
    return tuple(float(each) for each in given)


def _to_after(value: Any) -> Span:
    # None stands for what is usual for the kind of reaction, which is not known here.
    return cast("Span", value if value is None else to_instance(Span, value, "after"))


@attrs.frozen(kw_only=True)
class Reaction:
    """What somebody does about a mail: with what chance, and how long after it.

    `chance` is one share, or one for the first mail, the second, and so on, the last for all later ones. Without
    `after` it is as usual for its kind, as soon as it is one of `Mails`. `away` is how long somebody is out of the
    office; None: nobody says until when.
    """

    chance: tuple[float, ...] = attrs.field(default=(0.0,), converter=_to_chances)
    after: Span = attrs.field(default=None, converter=_to_after)
    away: Span | None = attrs.field(default=None, validator=may_be(is_a(Span, "away")))

    def of_mail(self, number: int) -> float:
        """The chance for the how-manieth mail (from 0)."""
        return self.chance[min(number, len(self.chance) - 1)]


def _usual() -> Mapping[str, Reaction]:
    soon = Span.fixed(minutes=1)
    replies = Span.quantiles(
        {0: Span.fixed(minutes=2), 50: Span.fixed(hours=5), 90: Span.fixed(days=2), 100: Span.fixed(days=7)}
    )
    fortnight = Span.between(Span.fixed(days=1), Span.fixed(days=14))
    return FrozenMapping(
        replied=Reaction(chance=(0.03, 0.02, 0.01), after=replies),
        meeting_booked=Reaction(chance=0.005, after=replies),
        unsubscribed=Reaction(chance=0.002, after=replies),
        bounced=Reaction(chance=(0.01, 0.001), after=soon),
        converted=Reaction(chance=0.0, after=replies),
        out_of_office=Reaction(chance=0.01, after=soon, away=fortnight),
    )


_USUAL = _usual()


def _over(usual: Mapping[str, Reaction], given: Any, path: str) -> Mapping[str, Reaction]:
    """What is given, each with how long after the mail that usually is, where it does not say so itself."""
    is_mapping(given, path)
    found = {}
    for kind, each in given.items():
        if kind not in REACTIONS:
            raise InvalidInput(f"knows no {kind!r}; there are {', '.join(REACTIONS)}", path=path, code="unknown_key")
        reaction = to_instance(Reaction, each, f"{path}.{kind}")
        if reaction.away is not None and kind != "out_of_office":
            raise InvalidInput("is only said of out_of_office", path=f"{path}.{kind}.away", code="unknown_key")
        unsaid = cast("Span | None", reaction.after) is None
        found[kind] = attrs.evolve(reaction, after=usual[kind].after) if unsaid else reaction
    return FrozenMapping({kind: found[kind] for kind in REACTIONS if kind in found})


def _to_reactions(value: Any) -> Mapping[str, Reaction]:
    given = _over(_USUAL, value, "mails")
    return FrozenMapping({kind: given.get(kind, _USUAL[kind]) for kind in REACTIONS})


@attrs.frozen(kw_only=True)
class Season:
    """Between two dates, inclusive, of the sequence's zone: the chances of good answers times so much."""

    first: date = attrs.field(converter=_to_date)
    last: date = attrs.field(converter=_to_date)
    times: float = attrs.field(validator=number("season.times", 100))

    def __attrs_post_init__(self) -> None:
        in_order(self.first, self.last, "season.last")


@attrs.frozen(kw_only=True)
class Outage:
    """From one instant until before another, something does not work."""

    begins: DateTime = attrs.field(converter=_to_instant)
    ends: DateTime = attrs.field(converter=_to_instant)

    def __attrs_post_init__(self) -> None:
        if self.ends <= self.begins:
            raise InvalidInput("must be later than the beginning", path="outage.ends", code="out_of_order")


@attrs.frozen(kw_only=True)
class Mails:
    """What becomes of mails: what the mailer refuses, and what people do about those that left.

    `reactions` has what differs from the usual, by kind (`REACTIONS`); once made, all kinds are in it. `refused` is the
    share that the recipient's server refuses for good, `deferred` the share of attempts that it refuses for now.
    `steps` has what differs for some steps, `seasons` when good answers (replies, meetings, conversions) are likelier
    or less likely, `outages` when the mailer refuses everything for now.
    """

    reactions: Mapping[str, Reaction] = attrs.field(factory=dict, converter=_to_reactions)
    refused: float = attrs.field(default=0.002, validator=share("mails.refused"))
    deferred: float = attrs.field(default=0.01, validator=share("mails.deferred"))
    steps: Mapping[StepName, Mapping[str, Reaction]] = attrs.field(factory=dict, hash=False)
    seasons: tuple[Season, ...] = attrs.field(default=(), converter=several, validator=instances(Season, "seasons"))
    outages: tuple[Outage, ...] = attrs.field(default=(), converter=several, validator=instances(Outage, "outages"))

    def __attrs_post_init__(self) -> None:
        is_mapping(self.steps, "mails.steps")
        for name in self.steps:
            refuse_odd_step(name, "mails.steps")
        steps = {name: _over(self.reactions, each, f"mails.steps.{name}") for name, each in self.steps.items()}
        object.__setattr__(self, "steps", FrozenMapping(steps))


@attrs.frozen(kw_only=True)
class Desk:
    """When somebody sits at the desk where tasks land; on the clock of `timezone` (default: the sequence's)."""

    days: tuple[str, ...] = _WORKDAYS
    opens: str = "09:00"
    closes: str = "17:00"
    timezone: str | None = attrs.field(default=None, converter=attrs.converters.optional(zone_name))

    def __attrs_post_init__(self) -> None:
        settle_hours(self)


@attrs.frozen(kw_only=True)
class Leave:
    """Between two dates, inclusive, an actor (None: everybody) does no tasks."""

    first: date = attrs.field(converter=_to_date)
    last: date = attrs.field(converter=_to_date)
    actor: Identifier | None = None

    def __attrs_post_init__(self) -> None:
        in_order(self.first, self.last, "leave.last")
        if self.actor is not None:
            to_identifier(self.actor, "leave.actor")


@attrs.frozen(kw_only=True)
class TaskHabits:
    """How long a task takes from when it is on the desk, and the share of tasks that nobody ever does.

    None: as with the other tasks.
    """

    take: Span | None = attrs.field(default=None, validator=may_be(is_a(Span, "take")))
    never: float | None = attrs.field(default=None, validator=may_be(share("never")))


def _usual_take() -> Span:
    hours = {0: 0.1, 50: 3, 90: 12, 100: 40}
    return Span.quantiles({percent: Span.fixed(hours=each, desk=True) for percent, each in hours.items()})


@attrs.frozen(kw_only=True)
class Tasks:
    """What becomes of tasks; `steps` has what differs for some steps. Nobody is on leave for more than ten years."""

    take: Span = attrs.field(factory=_usual_take, validator=is_a(Span, "tasks.take"))
    never: float = attrs.field(default=0.0, validator=share("tasks.never"))
    desk: Desk = attrs.field(factory=Desk, validator=is_a(Desk, "tasks.desk"))
    leave: tuple[Leave, ...] = attrs.field(default=(), converter=several, validator=instances(Leave, "leave"))
    steps: Mapping[StepName, TaskHabits] = attrs.field(
        factory=dict,
        converter=frozen_mapping,
        validator=by_step(is_a(TaskHabits, "tasks.steps"), "tasks.steps"),
        hash=False,
    )

    def __attrs_post_init__(self) -> None:
        for i, each in enumerate(self.leave):
            if (each.last - each.first).days >= _LONGEST_LEAVE:
                message = f"lasts more than ten years, from {each.first} to {each.last}: give an earlier end"
                raise InvalidInput(message, path=f"tasks.leave[{i}]", code="out_of_range")


@attrs.frozen(kw_only=True)
class Worker:
    """When the engine itself does not run, and whether it spreads what is overdue then (E7)."""

    downtime: tuple[Outage, ...] = attrs.field(default=(), converter=several, validator=instances(Outage, "downtime"))
    catch_up: CatchUp | None = attrs.field(default=None, validator=may_be(is_a(CatchUp, "worker.catch_up")))


@attrs.frozen(kw_only=True)
class Caps:
    """How many mails may leave in an actor's name (E5): what `actors` says of it, else `default`; None: any number."""

    default: Cap | None = attrs.field(factory=Cap, validator=may_be(is_a(Cap, "caps.default")))
    actors: Mapping[Identifier, Cap | None] = attrs.field(
        factory=dict,
        converter=frozen_mapping,
        validator=by_identifier(may_be(is_a(Cap, "caps.actors")), "caps.actors"),
        hash=False,
    )

    def of(self, actor: Identifier) -> Cap | None:
        """The cap of an actor."""
        return self.actors.get(actor, self.default)


@attrs.frozen(kw_only=True)
class Blocked:
    """What somebody does, so long after, about an enrollment that a failure has blocked: leave it, skip, or retry.

    Nobody tries the same step again more than `tries` times.
    """

    then: str = attrs.field(default="leave")
    after: Span = attrs.field(factory=lambda: Span.fixed(hours=4, desk=True), validator=is_a(Span, "blocked.after"))
    tries: int = attrs.field(default=3, validator=whole("blocked.tries", 100))

    def __attrs_post_init__(self) -> None:
        if self.then not in THEN:
            message = f"must be leave, skip or retry, got {self.then!r}"
            raise InvalidInput(message, path="blocked.then", code="invalid_value")


def _to_weights(value: Any) -> Any:
    # By name, so that scenarios that are equal draw equally.
    is_mapping(value, "timezones")
    return FrozenMapping({zone_name(name): value[name] for name in sorted(value, key=str)})


def _check_weights(_: Any, __: Any, value: Mapping[str, Any]) -> None:
    for timezone, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight <= 1e9:
            message = f"needs a weight above 0 and up to 1 000 000 000, got {weight!r}"
            raise InvalidInput(message, path=f"timezones.{timezone}", code="out_of_range")


@attrs.frozen(kw_only=True)
class Scenario:
    """The world around the engine in a simulation; `Scenario.quiet()` is one without chance.

    `timezones` has zones by weight, for leads that name none (default: the sequence's own).
    """

    name: str = attrs.field(default="default", validator=line("name"))
    actors: Actors = attrs.field(factory=Actors, validator=is_a(Actors, "actors"))
    timezones: Mapping[str, float] = attrs.field(factory=dict, converter=_to_weights, validator=_check_weights)
    arrivals: Arrivals = attrs.field(factory=Arrivals, validator=is_a(Arrivals, "arrivals"))
    tasks: Tasks = attrs.field(factory=Tasks, validator=is_a(Tasks, "tasks"))
    mails: Mails = attrs.field(factory=Mails, validator=is_a(Mails, "mails"))
    worker: Worker = attrs.field(factory=Worker, validator=is_a(Worker, "worker"))
    caps: Caps = attrs.field(factory=Caps, validator=is_a(Caps, "caps"))
    blocked: Blocked = attrs.field(factory=Blocked, validator=is_a(Blocked, "blocked"))

    @property
    def actors_named(self) -> tuple[Identifier, ...]:
        """The actors of whom it says something of their own."""
        named = [each.actor for each in self.tasks.leave if each.actor is not None]
        return tuple(dict.fromkeys([*named, *self.caps.actors]))

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
