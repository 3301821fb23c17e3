"""The door: `Engine`, with every verb and read of an embedding host.

Each verb is one transaction: of its own, or a part of the caller's when `connection=` is given. Then it is done when
the caller commits, and a refusal leaves the caller's transaction usable (law S1). Verbs and reports never call a port;
only `tick` does, after the decision is committed (E1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput, Misuse
from sequencer.core.instants import later_by, to_instant
from sequencer.core.pacing import LONGEST_WINDOW, Cap, CatchUp
from sequencer.core.sequence import Template
from sequencer.core.signals import Finish, Report
from sequencer.core.values import Identifier, to_identifier, to_whole
from sequencer.engine.board import Board
from sequencer.engine.calls import PortCalls
from sequencer.engine.clock import SystemClock
from sequencer.engine.delivery import patience
from sequencer.engine.feeding import Feed, Listener
from sequencer.engine.fitting import must_fit, must_link
from sequencer.engine.handover import HandOvers
from sequencer.engine.pacing import CapRule, Pacing
from sequencer.engine.ports import Clock, Mailer, People, TaskBoard
from sequencer.engine.reports import handle
from sequencer.engine.results import Handled, TickReport
from sequencer.engine.running import run, run_until
from sequencer.engine.storage import AmbientStore, Store
from sequencer.engine.stored import ALL_ACCOUNTS, Suppression
from sequencer.engine.verbs.enrollments import EnrollmentVerbs
from sequencer.engine.verbs.given import must_be_address, must_be_resource
from sequencer.engine.verbs.reads import ReadVerbs
from sequencer.engine.verbs.sequences import SequenceVerbs
from sequencer.engine.worker import Worker

__all__ = ["Engine"]

_DEFAULT_CAP = Cap()


class _NoMailer:
    """What an engine without a mailer has: mails fail with a reason that says so, and can be retried."""

    deduplicates = True

    def send(self, email: Any, *, key: str, timeout: float) -> Any:
        from sequencer.engine.ports import Rejected

        return Rejected("the engine has no mailer: pass Engine(mailer=...)", permanent=True, reason="mail_settings")


class Engine(SequenceVerbs, EnrollmentVerbs, ReadVerbs):
    """Runs sequences: a store, the ports, a clock, and every verb.

    - `store`: where enrollments live. `mailer`: sends mail. `tasks`: a task board; None for the embedded one.
    - `people`: asked at each hand-over who stands behind a resource; None for what was given at enrolling.
    - `clock`: None for the system's. `listener`: called with every event after its commit, at least once, in order;
      `event.subject` says whose it is. What a joined verb did is told after the caller's commit, with the next verb or
      tick of the engine's own; a `DjangoStore` has it told right after the commit.
    - `templates`: asked for texts that a sequence does not bring itself: `(template_id, account) -> Template | None`.
    - `unsubscribe_url`: a text with `{key}` in it, or a callable from an effect's key, for mails of sequences that ask
      for a way to opt out.
    - `lease`: for how many seconds a worker owns what it has claimed. `port_timeout`: how many seconds a port has.
    - `port_threads`: call ports on a thread of their own, so that one that hangs does not hold the worker (E4); False
      where ports need the caller's thread. None: False with a store that is in the host's transactions by itself
      (`DjangoStore`), whose connections belong to threads; else True.
    - `listener_name`: under which the listener's progress is kept in the store. Of several processes that listen under
      one name, one tells at a time.
    """

    def __init__(
        self,
        store: Store,
        *,
        mailer: Mailer | None = None,
        tasks: TaskBoard | None = None,
        people: People | None = None,
        clock: Clock | None = None,
        listener: Listener | None = None,
        templates: Callable[[Identifier, Identifier | None], Template | None] | None = None,
        unsubscribe_url: Callable[[str], str] | str | None = None,
        lease: float = 120,
        port_timeout: float = 30,
        port_threads: bool | None = None,
        listener_name: str = "default",
        cap: CapRule = _DEFAULT_CAP,
        catch_up: CatchUp | None = None,
    ) -> None:
        least = 2 * patience(port_timeout)
        if lease < least:
            raise InvalidInput(
                f"must be at least {least:g} s with a port_timeout of {port_timeout:g} s, since `people` and the "
                f"mailer may each take that long; got {lease:g}",
                path="lease",
            )
        must_fit(store=store, mailer=mailer, tasks=tasks, people=people, clock=clock)
        must_fit(listener=listener, templates=templates)
        must_link(unsubscribe_url)
        self.store = store
        self._ambient = cast("AmbientStore", store) if hasattr(store, "after_commit") else None
        own = store if self._ambient is None else self._ambient.committing
        self.clock = clock or SystemClock()
        self._account: Identifier | None = None
        self._scope: Any = ALL_ACCOUNTS
        self._board = Board(tasks)
        self._host_templates = templates
        hand_overs = HandOvers(people, self._template, unsubscribe_url)
        self._worker = Worker(
            own,
            self._board,
            mailer or _NoMailer(),
            hand_overs,
            self.clock,
            lease=lease,
            port_timeout=port_timeout,
            calls=PortCalls(
                threads=self._ambient is None if port_threads is None else port_threads,
                leave=None if self._ambient is None else self._ambient.leave_thread,
            ),
            pacing=Pacing(cap, catch_up, lease),
        )
        self._feed = None if listener is None else Feed(own, self.clock, listener, listener_name, lease)
        if self._feed is not None and self._ambient is None:
            with own.transaction() as transaction:
                self._feed.begin(transaction)

    def account(self, account: Identifier | None) -> Engine:
        """The same verbs for one tenant: it sees, changes and ticks only what belongs to it (S7).

        None is the default account, whose verbs an engine has anyway; bound to it, it also ticks, counts and shows the
        events of no other.
        """
        other: Engine = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._account = None if account is None else to_identifier(account, "account")
        other._scope = other._account
        return other

    # -- reports -----------------------------------------------------------------------------------------------

    def handle(self, report: Report, *, connection: Any = None) -> Handled:
        """Take a report from outside, once for each key; what it does is the sequences' policy (L8).

        Raises `KeyReused` when the key was used with other content. One by address or resource that finds nobody
        ongoing is noted in the history of the person's enrollment that ended last; one that concerns nobody at all
        uses up its key.
        """
        now = self._now()
        with self._transaction(connection) as transaction:
            return handle(transaction, self._board, self._account, report, now)

    def suppress(self, address: str, *, connection: Any = None) -> bool:
        """No more mail to an address; False if that was so already. Ongoing enrollments end at their next mail."""
        folded = must_be_address(address)
        now = self._now()
        with self._transaction(connection) as transaction:
            return transaction.suppress(self._account, folded, now, "manual")

    def unsuppress(self, address: str, *, connection: Any = None) -> bool:
        """Lift a suppression; False if there was none."""
        folded = must_be_address(address)
        with self._transaction(connection) as transaction:
            return transaction.unsuppress(self._account, folded)

    def suppressed(self, *, connection: Any = None) -> tuple[Suppression, ...]:
        """Every suppression; an address that is None is suppressed, too: only its hash is left."""
        with self._reading(connection) as transaction:
            return tuple(transaction.suppressions(self._account))

    # -- forgetting --------------------------------------------------------------------------------------------

    def erase(self, resource: Resource, *, connection: Any = None) -> int:
        """Forget what is personal of a resource (S8); ongoing enrollments end as `resource_deleted` first.

        Histories, counts and a keyed hash for suppression stay. Returns how many enrollments were touched. That the log
        of an SQLite file still holds something is no error: it is logged, and the log emptied as soon as it can be.
        """
        with self._transaction(connection) as transaction:
            now = self._now()
            for held in transaction.ongoing(self._account, resource=must_be_resource(resource)):
                self._request(transaction, held, Finish("resource_deleted"), now)
            return transaction.erase(self._account, resource)

    def purge(self, *, finished_before: datetime, limit: int = 1000, connection: Any = None) -> int:
        """Delete up to `limit` enrollments that finished before an instant, with their histories; returns how many."""
        before = to_instant(finished_before, "finished_before")
        mails_since = later_by(self._now(), -LONGEST_WINDOW)
        with self._transaction(connection) as transaction:
            return transaction.purge(self._account, before, limit, mails_since=mails_since)

    # -- running -----------------------------------------------------------------------------------------------

    def tick(
        self, limit: int = 1000, max_seconds: float | None = None, *, stop: threading.Event | None = None
    ) -> TickReport:
        """One pass over what is due: at most `limit` enrollments, handing over for at most `max_seconds`.

        Mails that only wait for a cap are put off and not counted among them, so that they hold up nobody (E5). Once
        `stop` is set, what is not handed over yet is given back. An engine ticks for every account; one bound to
        an account only for that.
        """
        to_whole(limit, "limit", least=1, most=100_000)
        if self._together is not None:
            raise Misuse("nothing is handed over while a block of `together` is open: go on after it")
        if self._feed is not None and self._ambient is not None:
            with self._ambient.committing.transaction() as transaction:
                self._feed.begin(transaction)
        report = self._worker.tick(limit, max_seconds, self._scope, stop)
        if self._feed is not None:
            self._feed.tell()
        return report

    def run_until(self, when: datetime, *, limit: int = 1000) -> TickReport:
        """With a manual clock: pass over everything that comes due until an instant, and leave the clock there."""
        if not hasattr(self.clock, "set"):
            raise InvalidInput("needs an engine with a clock that can be set: Engine(clock=ManualClock(...))")
        return run_until(lambda: self.tick(limit), self.clock, to_instant(when, "when"))

    def run(
        self,
        *,
        stop: threading.Event | None = None,
        until: datetime | None = None,
        poll: float = 1.0,
        limit: int = 1000,
        each: Callable[[TickReport], None] | None = None,
    ) -> None:
        """The worker's loop, on the system's clock: tick, and wait for what comes next, but no longer than `poll` s.

        Ends when `stop` is set, after the hand-over that is under way, or after `until`. `each` is told what every pass
        did. A clock that is set by hand does not go on while this waits, so it is refused: use `run_until` with it.

        A store that cannot be used (`StoreError`, `Conflict`) at the first pass is an error. Later it is logged and
        asked again, after waits that double up to a minute; but for `SchemaMismatch`, which always ends the loop.
        """
        if hasattr(self.clock, "set"):
            raise InvalidInput("needs a clock that goes on by itself; with a manual one use run_until", path="clock")
        stop = stop or threading.Event()
        end = None if until is None else to_instant(until, "until")
        run(lambda: self.tick(limit, stop=stop), self.clock, stop=stop, until=end, poll=poll, each=each)

    # -- inside ------------------------------------------------------------------------------------------------

    def _template(self, enrollment: Enrollment, template_id: Identifier) -> Template | None:
        with self._reading(None) as transaction:
            found = transaction.template(enrollment.version.sequence_id, template_id)
        if found is None and self._host_templates is not None:
            found = self._host_templates(template_id, enrollment.account)
        return found
