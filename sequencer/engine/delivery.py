"""Handing over: the effects of one pass go to their ports, one after another, each right after its start mark (E3).

Where a process may die decides how this is cut into transactions:

- A mailer that does not recognise repeated keys gets a durable start mark before each call, and that same commit
  brings back the answer before it. So at any instant at most one mail is marked and unanswered, in a batch of any size.
- A port that recognises keys needs no durable mark, only a fresh look that nobody was faster. Answers are brought back
  together, and what is lost with the process is repeated under the same key.

Marks are bound to the claim and refused when it is no longer in force.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

import attrs
from pendulum import DateTime

from sequencer.core.effects import CancelTask, CreateTask, SendEmail
from sequencer.core.enrollment import Enrollment, fold_address
from sequencer.core.errors import Conflict, StoreError
from sequencer.core.instants import later_by
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import Template
from sequencer.core.signals import (
    Due,
    EmailFailed,
    Finish,
    Handling,
    Signal,
    Start,
    TaskCancelled,
    TaskCreated,
    TaskFailed,
    Withdraw,
)
from sequencer.core.timeline import is_due
from sequencer.core.values import Identifier
from sequencer.engine.answers import Answer, Answers, Work
from sequencer.engine.board import Board
from sequencer.engine.calls import PortCalls, TimedOut, Watch
from sequencer.engine.counters import Done, Tally
from sequencer.engine.handover import Asking, HandOvers, Templates
from sequencer.engine.logs import WORKER, code_of, step_fields
from sequencer.engine.port_answers import WrongAnswer, email_signal, not_asked, said_by, task_signal
from sequencer.engine.ports import Email, Mailer, TaskRequest
from sequencer.engine.storage import Transaction

__all__ = ["HandOverPass", "Ports", "patience"]

_FLUSH_SECONDS = 1.0
_Result = TypeVar("_Result")


@attrs.frozen
class Ports:
    """The host's ports, and how they are called: `timeout` and `lease` in seconds."""

    mailer: Mailer
    board: Board
    hand_overs: HandOvers
    calls: PortCalls
    timeout: float
    lease: float

    def handling(self) -> Due:
        """How the ports may be called, as they say themselves."""
        mailer, board = self.mailer, self.board.external
        return Due(
            email=Handling(
                bool(getattr(mailer, "deduplicates", False)),
                getattr(mailer, "delivery", "at_most_once") == "at_least_once",
            ),
            task=Handling(
                board is None or bool(getattr(board, "deduplicates", True)),
                getattr(board, "delivery", "at_most_once") == "at_least_once",
            ),
        )


class HandOverPass:
    """The hand-overs of one pass, and the answers that are still to be brought back."""

    def __init__(self, ports: Ports, answers: Answers, due: Due, lease_until: DateTime, tally: Tally) -> None:
        self.ports = ports
        self.tally = tally
        self.store = answers.store
        self.clock = answers.clock
        self.bringing = answers
        self.due = due
        self._hold_until(lease_until)
        self.answers: list[Answer] = []
        self.handed_over = 0
        self.failed = 0
        self._marked = False
        self._asking = Asking()
        # Texts are looked up late, but not a thousand times in one pass.
        self._hand_overs = attrs.evolve(ports.hand_overs, templates=_once_each(ports.hand_overs.templates))

    def run(self, work: list[Work], until: float | None, stop: threading.Event | None) -> HandOverPass:
        """Hand over until a stopwatch reads `until`, or `stop` is set; what is left then is given back."""
        self._waiting = deque(work)
        self._looks = self.store.looking([(each.enrollment, each.fence) for each in work])
        self._until = until
        self._stop = stop
        try:
            self.ports.calls.watch(self._loop, self._hung, patience(self.ports.timeout))
        finally:
            # Also when it was interrupted: what has been answered is brought back, the rest is left to its lease.
            try:
                self._flush()
            except BaseException:
                answers, self.answers = self.answers, []
                self.bringing.keep(answers)
                raise
        return self

    def _loop(self, watch: Watch) -> None:
        self._watch = watch
        flushed = time.monotonic()
        while self._waiting:
            now = time.monotonic()
            if self._is_over(now):
                self._give_back(list(self._waiting))
                return
            if now - flushed > _FLUSH_SECONDS:
                self._flush()
                flushed = now
            self._keep_claims()
            self._under_way = self._waiting.popleft()
            self._perform(self._under_way)

    def _is_over(self, now: float) -> bool:
        return (
            self._watch.interrupted.is_set()
            or (self._stop is not None and self._stop.is_set())
            or (self._until is not None and now >= self._until)
        )

    def _hung(self, error: TimedOut) -> None:
        work = self._under_way
        if isinstance(work.effect, CancelTask):
            self._count(work, "failed")
            self._answer(work, TaskCancelled(task_id=work.effect.task_id, done=False))
        else:
            self._refuse(work, work.effect, error, known=not self._marked)

    def _hold_until(self, lease_until: DateTime) -> None:
        self._lease_until = lease_until
        # The host's people may take their whole time, and the port after them: nobody is to take over in between.
        needed = max(self.ports.lease / 2, 2 * patience(self.ports.timeout))
        self._prolonged_from = later_by(lease_until, -timedelta(seconds=needed))

    def _keep_claims(self) -> None:
        """Prolong the lease of what is still to be done when half of it is gone, or too little for the next of it."""
        now = self.clock.now()
        if now < self._prolonged_from or now > self._lease_until:
            return
        self._hold_until(later_by(now, timedelta(seconds=self.ports.lease)))
        with self.store.transaction() as transaction:
            transaction.renew([(each.enrollment.id, each.fence) for each in self._waiting], self._lease_until)

    def _give_back(self, work: list[Work]) -> None:
        now = self.clock.now()
        for each in work:
            if isinstance(each.effect, CancelTask):
                continue
            withdraw = Withdraw(each.effect.key, each.effect.attempt)
            self.answers.append(Answer(each, withdraw, now, called=False))
        self._flush()
        # What somebody's open transaction holds stays under its lease.
        with suppress(Conflict), self.store.transaction() as transaction:
            transaction.release([(each.enrollment.id, each.fence) for each in work])

    def _flush(self) -> None:
        answers, self.answers = self.answers, []
        if not answers:
            return
        with self._kept(answers):
            self.bringing.bring_back_all(answers)

    @contextmanager
    def _kept(self, answers: list[Answer]) -> Iterator[None]:
        """Keep answers that could not be stored, so that they are brought back when the store can be used again."""
        try:
            yield
        except BaseException:
            self.answers = answers + self.answers
            raise

    def _count(self, work: Work, done: Done) -> None:
        if done == "failed":
            self.failed += 1
        else:
            self.handed_over += 1
        self.tally.add(done, work.enrollment.account)

    def _answer(self, work: Work, signal: Signal, task: TaskRequest | None = None) -> None:
        called = self._marked or isinstance(work.effect, CancelTask)
        self.answers.append(Answer(work, signal, self.clock.now(), task, called))

    # -- one hand-over -----------------------------------------------------------------------------------------

    def _perform(self, work: Work) -> None:
        self._marked = False
        # One of its own for each: a call that was left behind may still come back.
        asking = self._asking = Asking()
        if isinstance(work.effect, CancelTask):
            self._cancel_task(work, work.effect)
            return
        try:
            # The host's people and templates are asked here; they can fail and hang like any port.
            prepared = self._call(partial(self._prepare, work, asking))
        except Exception as error:
            if isinstance(error, (StoreError, Conflict)):
                raise
            self._refuse(work, work.effect, error, known=True)
            return
        if isinstance(prepared, Email) and isinstance(work.effect, SendEmail):
            self._send(work, work.effect, prepared)
        elif isinstance(prepared, TaskRequest) and isinstance(work.effect, CreateTask):
            self._create_task(work, work.effect, prepared)
        elif isinstance(prepared, (EmailFailed, TaskFailed)):
            self._count(work, "failed")
            self._answer(work, prepared)

    def _prepare(self, work: Work, asking: Asking) -> Email | EmailFailed | TaskRequest | TaskFailed:
        if isinstance(work.effect, SendEmail):
            return self._hand_overs.email(work.enrollment, work.effect, asking)
        assert isinstance(work.effect, CreateTask)
        return self._hand_overs.task(work.enrollment, work.effect, asking)

    def _call(self, function: Callable[[], _Result], late: Callable[[_Result], None] | None = None) -> _Result:
        return self._watch.call(function, patience(self.ports.timeout), late)

    def _send(self, work: Work, effect: SendEmail, email: Email) -> None:
        folded, stored = fold_address(email.to), work.enrollment.resource
        work.address = None if email.to == stored.email or folded == stored.address else folded
        if not self._mark(work, effect, self.due.email, address=folded):
            return
        self._marked = True
        mailer, timeout = self.ports.mailer, self.ports.timeout
        try:
            answer = self._call(
                lambda: mailer.send(email, key=effect.key, timeout=timeout),
                lambda answer: self.bringing.late(work, email_signal(effect, answer)),
            )
            signal = email_signal(effect, answer)
        except Exception as error:
            self._refuse(work, effect, error, known=False)
            return
        if isinstance(signal, EmailFailed):
            self._count(work, "failed")
        else:
            self._count(work, "handed_over")
        self._answer(work, signal)

    def _create_task(self, work: Work, effect: CreateTask, task: TaskRequest) -> None:
        board = self.ports.board.external
        if board is None:
            if not self._is_due(work, effect):
                return
            self._count(work, "handed_over")
            self._answer(work, TaskCreated(effect_key=effect.key, attempt=effect.attempt), task)
            return
        if not self._mark(work, effect, self.due.task):
            return
        self._marked = True
        try:
            task_id = self._call(
                lambda: board.create(task, key=effect.key),
                lambda task_id: self.bringing.late(work, task_signal(effect, task_id)),
            )
            signal = task_signal(effect, task_id)
        except Exception as error:
            self._refuse(work, effect, error, known=False)
            return
        self._count(work, "handed_over")
        self._answer(work, signal)

    def _cancel_task(self, work: Work, effect: CancelTask) -> None:
        board = self.ports.board.external
        if board is None:
            return
        try:
            self._call(lambda: board.cancel(effect.task_id))
            signal = TaskCancelled(task_id=effect.task_id)
        except Exception as error:
            self._count(work, "failed")
            self._log_raised("taking the task of step %d of enrollment %d off the board failed: %s", work, error)
            signal = TaskCancelled(task_id=effect.task_id, done=False)
        self._answer(work, signal)

    def _refuse(self, work: Work, effect: SendEmail | CreateTask, error: Exception, *, known: bool) -> None:
        """A port raised, or did not come back: not an answer. Repeat it where that is safe, else park it (E3)."""
        asked = self._asking.port
        self._log_raised("the hand-over of step %d of enrollment %d failed: %s", work, error, asked)
        self._count(work, "failed")
        of_mail = isinstance(effect, SendEmail)
        handling = self.due.email if of_mail else self.due.task
        kind = EmailFailed if of_mail else TaskFailed
        signal = kind(
            effect_key=effect.key,
            attempt=effect.attempt,
            detail=said_by(error) if asked is None else not_asked(asked, error),
            permanent=not known and not handling.repeatable,
            known=known,
        )
        if asked is not None:
            # Nothing has left: what was missing is the reason, and not a refusal that was none (L5).
            signal = attrs.evolve(signal, reason="missing_merge_data" if asked == "people" else "mail_settings")
        self._answer(work, signal)

    def _log_raised(self, message: str, work: Work, error: Exception, asked: str | None = None) -> None:
        # What kind of error it was, and where: what it says may quote an address or a merge field (S8).
        kind = type(error).__name__
        fields = {**step_fields(work.enrollment, work.effect), "error": kind, "traceback": code_of(error)}
        said = str(error) if isinstance(error, WrongAnswer) else kind if asked is None else not_asked(asked, error)
        WORKER.warning(message, work.effect.position, work.enrollment.id, said, extra=fields)

    def _mark(self, work: Work, effect: SendEmail | CreateTask, handling: Handling, address: str | None = None) -> bool:
        """The start mark; False when the call must not be made (E3)."""
        if not self._is_due(work, effect):
            return False
        try:
            return self._take_mark(work, effect, handling, address)
        except Conflict:
            # Somebody's open transaction holds this enrollment, or one whose answer was to be stored with the mark; it
            # must not hold up all the others. This one stays under its lease.
            self.bringing.refuse_busy()
            self._flush()
            return False

    def _take_mark(self, work: Work, effect: SendEmail | CreateTask, handling: Handling, address: str | None) -> bool:
        if handling.deduplicates:
            # A look, which waits for no writer.
            suppressed = self._looks.look(work.enrollment, work.fence, address)
            if suppressed is False:
                return True
            if suppressed:
                with self.store.transaction() as transaction:
                    self._unsubscribe(transaction, work)
            self._withdraw(work, effect)
            return False
        answers, self.answers = self.answers, []
        with self._kept(answers), self.store.transaction() as transaction:
            for answer in answers:
                self.bringing.bring_back(transaction, answer)
            if address is not None and transaction.is_suppressed(work.enrollment.account, address):
                self._unsubscribe(transaction, work)
                return False
            decision = advance(work.enrollment, Start(effect.key, effect.attempt), self.clock.now())
            if decision.changed and transaction.save(decision.enrollment, decision.events, fence=work.fence):
                work.enrollment = decision.enrollment
                return True
        # Somebody was faster. If that was only a note, the next pass asks again, and does not wait for the lease.
        self._withdraw(work, effect)
        return False

    def _withdraw(self, work: Work, effect: SendEmail | CreateTask) -> None:
        fields = step_fields(work.enrollment, effect)
        WORKER.debug(
            "step %d of enrollment %d is not handed over now: it is not what it was when it was claimed",
            effect.position, work.enrollment.id, extra=fields,
        )  # fmt: skip
        self._answer(work, Withdraw(effect.key, effect.attempt))

    def _is_due(self, work: Work, effect: SendEmail | CreateTask) -> bool:
        """Whether it may still be handed over: since the claim its window may have closed, or the clock gone back."""
        if is_due(work.enrollment, self.clock.now()):
            return True
        self._answer(work, Withdraw(effect.key, effect.attempt))
        return False

    def _unsubscribe(self, transaction: Transaction, work: Work) -> None:
        """The address has opted out since: the enrollment ends instead (L8)."""
        held = transaction.get(work.enrollment.id)
        if held is None:
            return
        now = self.clock.now()
        decision = self.ports.board.settle(transaction, advance(held.enrollment, Finish("unsubscribed"), now), now)
        if decision.changed:
            transaction.save(decision.enrollment, decision.events, release=held.fence == work.fence)


def _once_each(look_up: Templates) -> Templates:
    # No method of the pass: it would be in a cycle with its thousand enrollments, which then only a full collection of
    # garbage frees, and those are a good part of what a busy worker's steps cost.
    known: dict[tuple[int, Identifier], Template | None] = {}

    def template(enrollment: Enrollment, template_id: Identifier) -> Template | None:
        at = (enrollment.version.sequence_id, template_id)
        if at not in known:
            known[at] = look_up(enrollment, template_id)
        return known[at]

    return template


def patience(timeout: float) -> float:
    """How many seconds a port is waited for that has so many: only what goes beyond is taken for hanging."""
    return timeout + max(1.0, timeout / 10)
