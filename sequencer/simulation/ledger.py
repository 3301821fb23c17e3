"""Living enrollments, and what the engine's own rules ask of a store about them.

Who may be enrolled (L9), whom a report concerns (L8) and whose turn it is under a cap (E5) are the engine's to say; its
functions ask a transaction of a store. In a simulation they ask this ledger instead, which keeps the enrollments as
they are: nothing is encoded, nothing is undone, and nobody else writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Sequence as Several
from typing import Any

from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.events import Event
from sequencer.core.values import Identifier
from sequencer.engine.reports import is_own
from sequencer.engine.stored import ALL_ACCOUNTS, Account, Actor, ActorMail, Held, StoredReport, Who
from sequencer.stores.mails import expected_of

__all__ = ["Ledger"]

_Key = tuple[Account, Who]


class Ledger:
    """The enrollments of a simulation; `told` hears of every change with its events."""

    def __init__(self, told: Callable[[Enrollment, Several[Event]], None]) -> None:
        self.enrollments: dict[int, Enrollment] = {}
        self.next_id = 1
        self.suppressed: set[tuple[Account, str]] = set()
        self._told = told
        self._of: dict[_Key, list[int]] = {}
        # What each actor's cap expects, and whose enrollments have changed since that was seen.
        self._expected: dict[Actor, dict[int, ActorMail]] = {}
        self._changed: dict[Actor, set[int]] = {}
        self._left: dict[Actor, deque[ActorMail]] = {}
        self._made: dict[tuple[Account, str], int] = {}

    # -- keeping -----------------------------------------------------------------------------------------------

    def keep(self, enrollment: Enrollment) -> None:
        """Begin with an enrollment that exists already, or is new."""
        id, account, resource = enrollment.id, enrollment.account, enrollment.resource
        self.enrollments[id] = enrollment
        self._of.setdefault((account, (resource.type, resource.id)), []).append(id)
        address = resource.address
        if address is not None:
            self._of.setdefault((account, address), []).append(id)
        self._touch(enrollment)
        if enrollment.idempotency_key is not None:
            self._made[account, enrollment.idempotency_key] = id

    def insert(self, decisions: Iterable[tuple[Enrollment, Several[Event]]]) -> None:
        """Keep new enrollments."""
        for enrollment, events in decisions:
            self.keep(enrollment)
            self._told(enrollment, events)

    def save(
        self, enrollment: Enrollment, events: Several[Event], *, fence: int | None = None, release: bool = False
    ) -> bool:
        """Keep what a decision made of an enrollment."""
        self.enrollments[enrollment.id] = enrollment
        self._touch(enrollment)
        self._told(enrollment, events)
        return True

    def _touch(self, enrollment: Enrollment) -> None:
        if enrollment.actor_id is not None:
            self._changed.setdefault((enrollment.account, enrollment.actor_id), set()).add(enrollment.id)

    def left(self, enrollment: Enrollment, step: int, at: DateTime) -> None:
        """Note that a mail left, for the cap of its actor."""
        if enrollment.actor_id is not None:
            self.count((enrollment.account, enrollment.actor_id), ActorMail(enrollment.id, step, at, "sent"))

    def count(self, actor: Actor, mail: ActorMail) -> None:
        """Count a mail that left in an actor's name, not before those that are counted already."""
        self._left.setdefault(actor, deque()).append(mail)

    # -- what enrolling asks -----------------------------------------------------------------------------------

    def lock(self, *names: tuple[Any, ...], within: tuple[Any, ...] | None = None) -> None:
        """Nobody else is there."""

    def new_ids(self, count: int) -> Several[int]:
        """The id that was said to be next."""
        return range(self.next_id, self.next_id + count)

    def made_with(self, account: Account, keys: Collection[str]) -> dict[str, Enrollment]:
        """The enrollments that were made with these idempotency keys."""
        return {key: self.enrollments[self._made[account, key]] for key in keys if (account, key) in self._made}

    def suppressed_among(self, account: Account, addresses: Collection[str]) -> set[str]:
        """Which of these addresses have opted out."""
        return {address for address in addresses if (account, address) in self.suppressed}

    def ongoing_of(self, account: Account, who: Collection[Who]) -> dict[Who, list[Enrollment]]:
        """Of each of these the enrollments that are not finished."""
        found = {}
        for each in who:
            ongoing = self._ongoing(account, each)
            if ongoing:
                found[each] = ongoing
        return found

    def last_finished_of(
        self, account: Account, sequence_id: int | None, who: Collection[Who]
    ) -> dict[Who, Enrollment]:
        """Of each of these the enrollment in a sequence, or in any, that finished last."""
        found = {}
        for each in who:
            finished = [
                enrollment
                for id in self._of.get((account, each), ())
                if (enrollment := self.enrollments[id]).finished_at is not None
                and sequence_id in (None, enrollment.version.sequence_id)
            ]
            if finished:
                found[each] = max(finished, key=lambda enrollment: (enrollment.finished_at, enrollment.id))
        return found

    def is_stranger(self, account: Account, resource: Resource) -> bool:
        """Whether nobody was ever enrolled, or opted out, under this resource's id or address."""
        if (account, (resource.type, resource.id)) in self._of:
            return False
        address = resource.address
        return address is None or ((account, address) not in self._of and (account, address) not in self.suppressed)

    def _ongoing(self, account: Account, who: Who) -> list[Enrollment]:
        enrollments = (self.enrollments[id] for id in self._of.get((account, who), ()))
        return [each for each in enrollments if not each.is_finished]

    # -- what reports ask --------------------------------------------------------------------------------------

    def keyed(self, text: str) -> str:
        """Nothing here is kept from anybody."""
        return text

    def report(self, account: Account, key: str) -> StoredReport | None:
        """Every report of a simulation is a new one."""
        return None

    def save_report(self, account: Account, key: str, report: StoredReport, now: DateTime) -> None:
        """Every report of a simulation is a new one."""

    def get(self, id: int, account: Any = ALL_ACCOUNTS) -> Held | None:
        """An enrollment, if it is the account's."""
        found = self.enrollments.get(id)
        if found is None or (account is not ALL_ACCOUNTS and not is_own(found, account)):
            return None
        return Held(found)

    def find(self, account: Account, kind: str, value: Identifier) -> int | None:
        """Reports of a simulation name their enrollment by its id."""
        return None

    def ongoing(
        self,
        account: Account,
        *,
        resource: Resource | None = None,
        address: str | None = None,
        sequence_id: int | None = None,
    ) -> list[Held]:
        """The enrollments, not finished, of a resource or an address."""
        assert sequence_id is None, "nobody asks for one sequence's here"
        who: Who = (resource.type, resource.id) if resource is not None else str(address)
        return [Held(each) for each in self._ongoing(account, who)]

    def addresses_of(self, account: Account, resource: Resource) -> list[str]:
        """Every address under which the resource was ever enrolled."""
        ids = self._of.get((account, (resource.type, resource.id)), ())
        return sorted({address for id in ids if (address := self.enrollments[id].resource.address) is not None})

    def suppress(self, account: Account, address: str, now: DateTime, reason: str) -> bool:
        """Suppress an address."""
        before = len(self.suppressed)
        self.suppressed.add((account, address))
        return len(self.suppressed) > before

    def suppress_others(self, account: Account, resource: Resource, now: DateTime, reason: str) -> None:
        """Nobody's address is ever another one here."""

    # -- what pacing asks --------------------------------------------------------------------------------------

    def count_left(self, actor: Actor, since: DateTime) -> int:
        """How many mails left in an actor's name after an instant; those before it are forgotten."""
        mails = self._left.get(actor)
        if mails is None:
            return 0
        while mails and mails[0].at <= since:
            mails.popleft()
        return len(mails)

    def mails_counted(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime, expected_since: DateTime | None
    ) -> dict[Actor, int]:
        """For each of these actors how many mails `mails_left` finds, and `mails_expected` since an instant."""
        expected = {} if expected_since is None else self.mails_expected(actors, expected_since)
        return {actor: self.count_left(actor, since) + len(expected.get(actor, ())) for actor, since in actors.items()}

    def mails_left(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime | None
    ) -> dict[Actor, list[ActorMail]]:
        """For each of these actors the mails that left after an instant. Nothing is ever out: answers come at once."""
        found = {}
        for actor, since in actors.items():
            self.count_left(actor, since)
            found[actor] = list(self._left.get(actor, ()))
        return found

    def mails_expected(self, actors: Collection[Actor], since: DateTime) -> dict[Actor, list[ActorMail]]:
        """For each of these actors the mails that wait, or are put off, and come due from an instant on."""
        return {actor: [each for each in self._expected_of(actor).values() if each.at >= since] for actor in actors}

    def _expected_of(self, actor: Actor) -> dict[int, ActorMail]:
        """By enrollment; only what has changed is asked anew, since under a cap it is asked at every turn."""
        expected = self._expected.setdefault(actor, {})
        for id in self._changed.pop(actor, ()):
            mail = expected_of(self.enrollments[id])
            if mail is None:
                expected.pop(id, None)
            else:
                expected[id] = mail
        return expected

    # -- in one word -------------------------------------------------------------------------------------------

    def settle(self, transaction: Any, decision: Decision, now: DateTime) -> Decision:
        """Stand in for the board of an engine, too: tasks are taken off it when their enrollment is looked at."""
        return decision
