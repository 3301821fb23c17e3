"""A forecast: what will become of the enrollments that a store holds now.

The store is read and never written. Each version that somebody is in is a sequence of the study, since each has its own
steps; mails that left already count for the caps, addresses that have opted out get none. Of whom the store knows an
address or fields, that is what there is; of whom it knows nothing the host knows whatever is asked for.

Whose enrollment is over does nothing any more: who may still answer its mails is not foretold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, changed
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import later_by, to_instant
from sequencer.core.pacing import LONGEST_WINDOW
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Template
from sequencer.core.statuses import StepStatus
from sequencer.core.values import Identifier
from sequencer.engine.storage import Store, Transaction
from sequencer.engine.stored import Actor, ActorMail
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
    _left: dict[Actor, list[ActorMail]] = attrs.field(init=False, factory=dict)
    _suppressed: frozenset[tuple[Identifier | None, str]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._groups = joined(map(_names, self.standing.enrollments))
        self._suppressed = frozenset(self.standing.suppressed)
        for actor, mail in self.standing.left:
            self._left.setdefault(actor, []).append(mail)

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

    @property
    def actors(self) -> Collection[Identifier]:
        """To whom somebody in it belongs."""
        return {each.actor_id for each in self.standing.enrollments if each.actor_id is not None}

    def arrivals(self, group: int) -> list[Arrival]:
        """Nobody."""
        return []

    def standing_in(self, group: int) -> Standing:
        """The part of a group."""
        standing = self.standing
        enrollments = [standing.enrollments[place] for place in self._groups[group]]
        actors = {(each.account, each.actor_id): None for each in enrollments if each.actor_id is not None}
        left = [(actor, mail) for actor in actors for mail in self._left.get(actor, ())]
        addresses = {(each.account, each.resource.address): None for each in enrollments if each.resource.address}
        suppressed = [each for each in addresses if each in self._suppressed]
        return attrs.evolve(standing, enrollments=tuple(enrollments), left=tuple(left), suppressed=tuple(suppressed))


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
    enrollments: list[Enrollment] = []
    suppressed: list[tuple[Identifier | None, str]] = []
    left: list[tuple[Actor, ActorMail]] = []
    with store.transaction(write=False) as transaction:
        for account in dict.fromkeys(accounts):
            found = list(_ongoing(transaction, account))
            enrollments += found
            # As at hand-over, so that of whom only a hash is left is known, too.
            addresses = sorted({each.resource.address for each in found if each.resource.address})
            for first in range(0, len(addresses), _PAGE):
                of = transaction.suppressed_among(account, addresses[first : first + _PAGE])
                suppressed += ((account, address) for address in sorted(of))
            left += _left(transaction, found, now)
        # By their ids, which stay what they are, so that a later forecast has them in the same order.
        versions = sorted({each.version.id: each.version for each in enrollments}.items())
        places = {id: _placed(transaction, each, place) for place, (id, each) in enumerate(versions, 1)}
    if not enrollments:
        raise InvalidInput("nobody is enrolled there, so there is nothing to foretell", path="store", code="empty")
    left.sort(key=lambda each: (each[1].at, each[1].enrollment_id, each[1].step))
    return Standing(
        now,
        tuple(each.sequence for each in places.values()),
        tuple(changed(each, {"version": places[each.version.id]}) for each in enrollments),
        tuple(left),
        tuple(suppressed),
    )


def _ongoing(transaction: Transaction, account: Identifier | None) -> Iterator[Enrollment]:
    for state in ("active", "blocked"):
        after = None
        while page := transaction.enrollments(account, state=state, after=after, limit=_PAGE):
            yield from page
            after = page[-1].id


def _placed(transaction: Transaction, version: SequenceVersion, place: int) -> SequenceVersion:
    """A version as the study knows it: by its place, with the texts as they are now."""
    texts: dict[Identifier, Template] = {}
    for step in version.sequence.steps:
        action = step.action
        if isinstance(action, AutomatedEmail):
            text = transaction.template(version.sequence_id, action.template_id)
            if text is not None:
                texts[action.template_id] = text
    return attrs.evolve(version, sequence=attrs.evolve(version.sequence, templates=texts), sequence_id=place)


def _left(transaction: Transaction, enrollments: list[Enrollment], now: DateTime) -> Iterator[tuple[Actor, ActorMail]]:
    actors = {(each.account, each.actor_id): None for each in enrollments if each.actor_id is not None}
    # What is on its way here is answered at once, and counts then; elsewhere it may have left at the latest now.
    on_their_way = {
        (each.id, each.current.number)
        for each in enrollments
        if each.current is not None and each.current.status is StepStatus.REQUESTED
    }
    since = later_by(now, -LONGEST_WINDOW)
    # So many actors are asked about together: a question is about a few thousand values at the most.
    several = list(actors)
    for first in range(0, len(several), _PAGE):
        asked = dict.fromkeys(several[first : first + _PAGE], since)
        for actor, mails in transaction.mails_left(asked, now, ahead=None).items():
            for each in mails:
                if each.standing == "sent":
                    yield actor, attrs.evolve(each, at=min(each.at, now))
                elif (each.enrollment_id, each.step) not in on_their_way:
                    yield actor, attrs.evolve(each, at=now, standing="sent")
