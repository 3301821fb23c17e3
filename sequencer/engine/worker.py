"""The worker: one pass over what is due (laws E1 to E7, S2, S3).

A pass has three parts. It *claims* what is due and decides it, in one transaction, where also caps are counted
(`pacing.py`). It *hands over* what was decided
(`delivery.py`). And it *brings the answers back* (`answers.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from sequencer.core.effects import CancelTask
from sequencer.core.errors import Conflict, StoreError
from sequencer.core.instants import later_by
from sequencer.core.lifecycle import advance
from sequencer.core.signals import Due
from sequencer.engine.answers import Answers, Work
from sequencer.engine.board import Board
from sequencer.engine.calls import PortCalls
from sequencer.engine.counters import Tally
from sequencer.engine.delivery import HandOverPass, Ports
from sequencer.engine.handover import HandOvers
from sequencer.engine.logs import WORKER, log_failures, log_raised, subject_fields
from sequencer.engine.pacing import Pacing, Turns
from sequencer.engine.ports import Clock, Mailer
from sequencer.engine.results import TickReport
from sequencer.engine.storage import Store, Transaction, shared_with_nobody
from sequencer.engine.stored import Held

__all__ = ["Worker"]


class Worker:
    """Passes over what is due, for one engine. Safe to use from several threads and processes at once."""

    def __init__(
        self,
        store: Store,
        board: Board,
        mailer: Mailer,
        hand_overs: HandOvers,
        clock: Clock,
        *,
        lease: float,
        port_timeout: float,
        calls: PortCalls,
        pacing: Pacing,
    ) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.ports = Ports(mailer, board, hand_overs, calls, port_timeout, lease)
        self.answers = Answers(store, board, clock)
        self.pacing = pacing
        self.tally = Tally()

    def tick(
        self, limit: int, max_seconds: float | None, account: Any, stop: threading.Event | None = None
    ) -> TickReport:
        """One pass over up to `limit` enrollments; hands no more over after `max_seconds`, or once `stop` is set."""
        until = None if max_seconds is None else time.monotonic() + max_seconds
        self.answers.bring_back_late()
        due = self.ports.handling()
        work: list[Work] = []
        claimed = 0
        while True:
            wanted = limit - len(work)
            now, found, deferred = self._claim(work, wanted, due, account)
            claimed += found
            # Who only waits for a turn must not hold up the others behind: go on while that is most of what is found.
            over = (until is not None and time.monotonic() >= until) or (stop is not None and stop.is_set())
            if over or not (found == wanted and deferred and 2 * len(work) < limit):
                break
        lease_until = later_by(now, timedelta(seconds=self.ports.lease))
        counted = HandOverPass(self.ports, self.answers, due, lease_until, self.tally).run(work, until, stop)
        now = self.clock.now()
        with self.store.transaction(write=False) as transaction:
            next_due_at = transaction.next_wake(account)
        more = next_due_at is not None and next_due_at <= now
        report = TickReport(
            claimed=claimed,
            handed_over=counted.handed_over,
            failed=counted.failed,
            more=more,
            next_due_at=next_due_at,
        )
        if WORKER.isEnabledFor(logging.DEBUG):
            done = (report.claimed, report.handed_over, report.failed)
            WORKER.debug("a pass claimed %d, handed over %d, failed %d", *done, extra=report.to_dict())
        return report

    def _claim(self, work: list[Work], wanted: int, due: Due, account: Any) -> tuple[DateTime, int, bool]:
        """Claim and decide: adds to `work`, and returns when that was, how many were found, and if any waits."""
        block = self.store.transaction()
        # A cap may be a callable of the host's.
        with shared_with_nobody(block) if callable(self.pacing.cap) else block as transaction:
            # Not read before the wait for other writers: what they decided meanwhile would lie in its future (E6).
            now = self.clock.now()
            held = transaction.claim(now, wanted, self.ports.lease, account)
            turns = self.pacing.turns(transaction, held, now, full=len(held) == wanted)
            undecided = list[tuple[int, int]]()
            for each in held:
                decided = self._decide(transaction, each, due, turns, now)
                if decided is None:
                    undecided.append((each.enrollment.id, each.fence))
                else:
                    work += decided
            if undecided:
                # They are looked at again when the lease ends, by whoever is first: no worker has failed to come back.
                transaction.set_aside(undecided)
        return now, len(held), bool(turns.deferred or undecided)

    def _decide(
        self, transaction: Transaction, held: Held, due: Due, turns: Turns, now: DateTime
    ) -> Iterable[Work] | None:
        """What is to be handed over of an enrollment; None where nobody can tell."""
        id = held.enrollment.id
        if id in turns.held_up:
            return None
        try:
            signal = turns.deferred.get(id, due)
            decision = self.board.settle(transaction, advance(held.enrollment, signal, now), now)
        except (StoreError, Conflict):
            raise
        except Exception as error:
            # One enrollment that cannot be decided must not hold up the others.
            message, fields = "enrollment %d could not be decided: %s", subject_fields(held.enrollment)
            log_raised(WORKER, message, held.enrollment.id, error, **fields)
            return None
        if decision.changed:
            stored = transaction.save(
                decision.enrollment, decision.events, fence=held.fence, release=not decision.effects
            )
            if not stored:
                return []
            log_failures(decision.enrollment, decision.events)
        elif not decision.effects:
            transaction.release([(id, held.fence)])
        # Tasks are taken off the board last: the answer ends the claim, which a hand-over needs for its mark.
        effects = decision.effects
        if len(effects) > 1:
            effects = tuple(sorted(effects, key=lambda effect: isinstance(effect, CancelTask)))
        return [Work(decision.enrollment, held.fence, effect) for effect in effects]
