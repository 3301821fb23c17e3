"""A forecast: what will become of the enrollments that a store holds now.

The store is read and never written. Each version that somebody is in is a sequence of the study, since each has its own
steps; mails that left already count for the caps, addresses that have opted out get none. Whoever stands behind an
enrollment is taken to have an address and every field that is asked for: a host may know them better than its store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, changed
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import later_by, to_instant
from sequencer.core.pacing import LONGEST_WINDOW
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Template
from sequencer.core.values import Identifier
from sequencer.engine.storage import Actor, ActorMail, Store, Transaction
from sequencer.simulation.population import Arrival, joined

__all__ = ["Standing", "StandingPopulation", "forecast"]

_PAGE = 1000


@attrs.frozen
class Standing:
    """Who is enrolled at an instant: their enrollments, each with its version's place in `sequences`, from 1."""

    now: DateTime
    sequences: tuple[Sequence, ...]
    enrollments: tuple[Enrollment, ...]
    left: tuple[tuple[Actor, ActorMail], ...] = ()
    suppressed: tuple[tuple[Identifier | None, str], ...] = ()


@attrs.define
class StandingPopulation:
    """The enrollments of a forecast, in groups that cannot touch each other. Nobody arrives."""

    standing: Standing
    _groups: list[list[int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._groups = joined(map(_names, self.standing.enrollments))

    @property
    def enrollments(self) -> int:
        """How many there are in all."""
        return len(self.standing.enrollments)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @property
    def first_at(self) -> DateTime:
        """The instant from which it goes on."""
        return self.standing.now

    def arrivals(self, group: int) -> list[Arrival]:
        """Nobody."""
        return []

    def standing_in(self, group: int) -> Standing:
        """The part of a group."""
        standing = self.standing
        enrollments = [standing.enrollments[place] for place in self._groups[group]]
        actors = {(each.account, each.actor_id) for each in enrollments}
        left = [each for each in standing.left if each[0] in actors]
        return attrs.evolve(standing, enrollments=tuple(enrollments), left=tuple(left))


def _names(enrollment: Enrollment) -> Iterator[tuple[Any, ...]]:
    account, resource = enrollment.account, enrollment.resource
    yield account, "resource", resource.type, resource.id
    if resource.address is not None:
        yield account, "address", resource.address
    if enrollment.actor_id is not None:
        yield account, "actor", enrollment.actor_id


def forecast(store: Store, now: DateTime, *, accounts: Iterable[Identifier | None] = (None,)) -> Standing:
    """What stands in a store at an instant, for these accounts. Raises `InvalidInput` where nobody is enrolled."""
    now = to_instant(now, "now")
    places: dict[int, SequenceVersion] = {}
    enrollments: list[Enrollment] = []
    suppressed: list[tuple[Identifier | None, str]] = []
    left: list[tuple[Actor, ActorMail]] = []
    with store.transaction(write=False) as transaction:
        for account in accounts:
            found = list(_ongoing(transaction, account))
            enrollments += (_placed(transaction, each, places) for each in found)
            suppressed += ((account, each.address) for each in transaction.suppressions(account) if each.address)
            left += _left(transaction, found, now)
    if not enrollments:
        raise InvalidInput("nobody is enrolled there, so there is nothing to foretell", path="store", code="empty")
    left.sort(key=lambda each: (each[1].at, each[1].enrollment_id))
    sequences = tuple(each.sequence for each in places.values())
    return Standing(now, sequences, tuple(enrollments), tuple(left), tuple(suppressed))


def _ongoing(transaction: Transaction, account: Identifier | None) -> Iterator[Enrollment]:
    for state in ("active", "blocked"):
        after = None
        while page := transaction.enrollments(account, state=state, after=after, limit=_PAGE):
            yield from page
            after = page[-1].id


def _placed(transaction: Transaction, enrollment: Enrollment, places: dict[int, SequenceVersion]) -> Enrollment:
    """The enrollment in its version as the study knows it: by its place, with the texts as they are now."""
    version = enrollment.version
    if version.id not in places:
        texts: dict[Identifier, Template] = {}
        for step in version.sequence.steps:
            action = step.action
            if isinstance(action, AutomatedEmail):
                text = transaction.template(version.sequence_id, action.template_id)
                if text is not None:
                    texts[action.template_id] = text
        sequence = attrs.evolve(version.sequence, templates=texts)
        places[version.id] = attrs.evolve(version, sequence=sequence, sequence_id=len(places) + 1)
    known = places[version.id]
    steps = tuple(changed(each, {"overdue": False}) if each.overdue else each for each in enrollment.steps)
    return changed(enrollment, {"version": known, "steps": steps})


def _left(transaction: Transaction, enrollments: list[Enrollment], now: DateTime) -> Iterator[tuple[Actor, ActorMail]]:
    actors = {(each.account, each.actor_id) for each in enrollments if each.actor_id is not None}
    since = later_by(now, -LONGEST_WINDOW)
    # So many actors are asked about together: a question is about a few thousand values at the most.
    several = sorted(actors, key=repr)
    for first in range(0, len(several), _PAGE):
        asked = dict.fromkeys(several[first : first + _PAGE], since)
        found = transaction.mails_left(asked, now, ahead=later_by(now, timedelta(minutes=5))) or {}
        for actor, mails in found.items():
            yield from ((actor, attrs.evolve(each, standing="sent")) for each in mails)
