"""Who is enrolled, when, and in what: the leads of a list, or made-up ones.

A population is cut into groups that cannot touch each other: nobody in one shares an actor, and with it a mailbox, a
desk and a cap, a resource or an address with somebody in another. So groups can be simulated one after another, or on
many machines, and give the same; and a group's leads are made only when it is their turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, Protocol

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence as Definition
from sequencer.core.values import Identifier, to_whole
from sequencer.core.windows import Window
from sequencer.definitions.leads import Lead
from sequencer.engine.results import Row
from sequencer.simulation.chance import Luck, person_name
from sequencer.simulation.scenario import Scenario

__all__ = ["MOST", "Arrival", "LeadPopulation", "MadeUpPopulation", "Population", "dealt", "joined", "monday_after"]

MOST = 10_000_000
"""How many enrollments a population may have."""


@attrs.frozen
class Arrival:
    """Somebody who is to be enrolled: as the how-manieth (from 0), at an instant, in one of the run's sequences.

    `complete` says that the person has whatever merge field a text asks for.
    """

    index: int
    at: DateTime
    sequence: int
    row: Row
    account: Identifier | None = None
    complete: bool = False


class Population(Protocol):
    """Arrivals in groups that cannot touch each other."""

    @property
    def enrollments(self) -> int:
        """How many arrivals there are in all."""
        ...

    @property
    def groups(self) -> int:
        """How many groups there are."""
        ...

    @property
    def first_at(self) -> DateTime:
        """The instant before which nobody arrives."""
        ...

    @property
    def actors(self) -> Collection[Identifier]:
        """To whom somebody in it belongs."""
        ...

    def arrivals(self, group: int) -> list[Arrival]:
        """Who is in a group, by when they arrive."""
        ...


def _in_order(arrivals: Iterable[Arrival]) -> list[Arrival]:
    return sorted(arrivals, key=lambda each: (each.at, each.index))


# -- leads ----------------------------------------------------------------------------------------------------


@attrs.define
class LeadPopulation:
    """The leads of a list, each enrolled at its `enrolled_at`, or else at `start`.

    With several sequences they are dealt out in turn, or with `every` each lead is enrolled in all of them. Leads
    without an actor are dealt out to the actors of the scenario.
    """

    leads: Sequence[Lead]
    sequences: Sequence[Definition]
    scenario: Scenario
    start: DateTime
    every: bool = False
    _groups: list[list[int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.leads = list(self.leads)
        self._groups = joined(map(self._names, range(len(self.leads))))

    @property
    def enrollments(self) -> int:
        """How many arrivals there are in all."""
        return len(self.leads) * (len(self.sequences) if self.every else 1)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @property
    def first_at(self) -> DateTime:
        """The instant before which nobody arrives."""
        return min((each.enrolled_at or self.start for each in self.leads), default=self.start)

    @property
    def actors(self) -> Collection[Identifier]:
        """To whom somebody in it belongs."""
        return {self._actor(place) for place in range(len(self.leads))}

    def arrivals(self, group: int) -> list[Arrival]:
        """Who is in a group, by when they arrive."""
        return _in_order(each for place in self._groups[group] for each in self._of(place))

    def _of(self, place: int) -> Iterable[Arrival]:
        lead, several = self.leads[place], len(self.sequences)
        row = Row(
            Resource(lead.resource_type, lead.resource_id, lead.email, lead.fields, lead.timezone),
            self._actor(place),
            lead.timezone,
            lead.start_at,
            lead.idempotency_key,
        )
        at = lead.enrolled_at or self.start
        chosen = range(several) if self.every else (self._sequence(place),)
        for sequence in chosen:
            index = place * several + sequence if self.every else place
            # The key makes one enrollment; in the other sequences it would be somebody else's.
            own = attrs.evolve(row, idempotency_key=None) if self.every and sequence else row
            yield Arrival(index, at, sequence, own, lead.account)

    @property
    def _actors(self) -> int:
        return self.scenario.actors.among(len(self.leads))

    def _actor(self, place: int) -> Identifier:
        actor = self.leads[place].actor_id
        return place % self._actors + 1 if actor is None else actor

    def _sequence(self, place: int) -> int:
        if self.leads[place].actor_id is not None:
            return place % len(self.sequences)
        return dealt(place, self._actors, len(self.sequences))

    def _names(self, place: int) -> Iterator[Any]:
        lead = self.leads[place]
        resource = Resource(lead.resource_type, lead.resource_id, lead.email)
        yield lead.account, "actor", self._actor(place)
        yield lead.account, "resource", resource.type, resource.id
        if resource.address:
            yield lead.account, "address", resource.address
        if lead.idempotency_key:
            yield lead.account, "key", lead.idempotency_key


def dealt(place: int, actors: int, sequences: int) -> int:
    """The sequence of the how-manieth lead, where actors are dealt out in turn: in turn among the leads of an actor.

    Plainly in turn, two sequences and two actors would go together.
    """
    return (place // actors + place % actors) % sequences


def joined(names: Iterable[Iterable[Any]]) -> list[list[int]]:
    """The places of those that share a name, directly or through others, together; each by its first."""
    above: list[int] = []

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = place = above[above[place]]
        return place

    first: dict[Any, int] = {}
    for place, each in enumerate(names):
        above.append(place)
        for name in each:
            one, two = root(place), root(first.setdefault(name, place))
            above[max(one, two)] = min(one, two)
    groups: dict[int, list[int]] = {}
    for place in range(len(above)):
        groups.setdefault(root(place), []).append(place)
    return list(groups.values())


# -- made-up leads --------------------------------------------------------------------------------------------


@attrs.define
class MadeUpPopulation:
    """So many made-up leads, who arrive, and live in zones, as the scenario says; they have every merge field.

    `seed` and `run` are those of the simulation: another seed makes others arrive at other times.
    """

    count: int
    sequences: Sequence[Definition]
    scenario: Scenario
    start: DateTime
    seed: int = 0
    run: int = 0
    every: bool = False
    _actors: int = attrs.field(init=False)
    _luck: Luck = attrs.field(init=False)
    _zones: list[tuple[float, str]] = attrs.field(init=False)
    _openings: list[tuple[Calendar, timedelta]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        to_whole(self.count, "enrollments", least=1, most=MOST)
        self._actors = min(self.count, self.scenario.actors.among(self.count))
        self._luck = Luck(self.seed, self.run)
        names = list(self.scenario.timezones)
        self._zones = list(zip(accumulate(self.scenario.timezones.values()), names, strict=True))
        self._openings = [self._opening(each.calendar.timezone) for each in self.sequences]

    @property
    def enrollments(self) -> int:
        """How many arrivals there are in all."""
        return self.count * (len(self.sequences) if self.every else 1)

    @property
    def groups(self) -> int:
        """How many groups there are: one for each actor."""
        return self._actors

    @property
    def first_at(self) -> DateTime:
        """The instant before which nobody arrives."""
        return self.start

    @property
    def actors(self) -> Collection[Identifier]:
        """To whom somebody in it belongs."""
        return range(1, self._actors + 1)

    def arrivals(self, group: int) -> list[Arrival]:
        """Who is in a group, by when they arrive."""
        places = range(group, self.count, self._actors)
        return _in_order(each for place in places for each in self._of(place, group + 1))

    def _of(self, place: int, actor: int) -> Iterable[Arrival]:
        id, several = place + 1, len(self.sequences)
        draws = self._luck.of(f"arrival/{person_name('lead', id)}")
        zone = self._zone(draws[0])
        row = Row(Resource("lead", id, f"lead{id}@simulated.invalid", {}, zone), actor, zone)
        for sequence in range(several) if self.every else (dealt(place, self._actors, several),):
            calendar, open_for = self._openings[sequence]
            # Whole seconds, as people's clocks have them.
            at = calendar.after_open(
                self.start, timedelta(seconds=int(open_for.total_seconds() * draws[1])), email=True
            )
            yield Arrival(place * several + sequence if self.every else place, at, sequence, row, None, complete=True)

    def _zone(self, chance: float) -> str | None:
        if not self._zones:
            return None
        wanted = chance * self._zones[-1][0]
        return next((name for most, name in self._zones if wanted < most), self._zones[-1][1])

    def _opening(self, timezone: str) -> tuple[Calendar, timedelta]:
        """A calendar of the hours in which people arrive, and how many of these there are in all."""
        rule = self.scenario.arrivals
        window = Window(rule.days, rule.opens, rule.closes)
        calendar = Calendar(timezone, working_days=rule.days, send_windows=[window])
        first = calendar.local(self.start).date()
        day, open_for = _clock(window.closes) - _clock(window.opens), timedelta()
        for n in range(rule.over_days):
            if WEEKDAYS[(first + timedelta(days=n)).weekday()] in rule.days:
                open_for += day
        if not open_for:
            raise InvalidInput(
                f"nobody could arrive: there is no {', '.join(rule.days)} within {rule.over_days} days from "
                f"{first:%a %Y-%m-%d}",
                path="people.arrive",
                code="never_open",
            )
        return calendar, open_for


def _clock(text: str) -> timedelta:
    hours, minutes, *seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def monday_after(now: datetime, timezone: str) -> DateTime:
    """The beginning of the coming Monday on a zone's clock: when a simulation begins that nobody has told when."""
    calendar = Calendar(timezone)
    today: date = calendar.local(to_instant(now)).date()
    return calendar.start_of(today + timedelta(days=7 - today.weekday()))
