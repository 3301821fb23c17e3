"""The worker: one pass over what is due (laws E1 to E6, S2, S3).

A pass has three parts. It *claims* what is due and decides it, in one transaction. It *hands over* what was decided,
one call after another, each right after its start mark. And it *brings the answers back*.

Where a process may die decides how these are cut into transactions:

- A mailer that does not recognise repeated keys gets a durable start mark before each call, and that same commit
  brings back the answer before it. So at any instant at most one mail is marked and unanswered, in a batch of any size.
- A port that recognises keys needs no durable mark, only a fresh look that nobody was faster. Answers are brought back
  together, and what is lost with the process is repeated under the same key.

Marks are bound to the claim and refused when it is no longer in force; answers are not: they match by key, whoever
brings them (L10).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import attrs
from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.effects import CancelTask, CreateTask, Effect, SendEmail
from sequencer.core.enrollment import Enrollment, fold_address
from sequencer.core.errors import StoreError
from sequencer.core.instants import between, later_by
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import Template
from sequencer.core.signals import (
    Due,
    EmailFailed,
    EmailPending,
    EmailSent,
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
from sequencer.engine.board import Board
from sequencer.engine.calls import PortCalls, TimedOut, Watch
from sequencer.engine.handover import HandOvers
from sequencer.engine.ports import Accepted, Clock, Email, Mailer, Pending, Rejected, TaskId, TaskRequest
from sequencer.engine.results import TickReport
from sequencer.engine.storage import Held, Store, Transaction

__all__ = ["Worker"]

logger = logging.getLogger("sequencer")

_FLUSH_SECONDS = 1.0
_Result = TypeVar("_Result")


@attrs.define(slots=True)
class _Work:
    """One effect of a claimed enrollment, as this worker knows it."""

    enrollment: Enrollment
    fence: int
    effect: Effect


@attrs.define(slots=True)
class _Answer:
    """What is to be brought back: a signal about some work, at the instant of the answer."""

    work: _Work
    signal: Signal
    at: DateTime
    task: TaskRequest | None = None


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
        threads: bool,
    ) -> None:
        self.store = store
        self.board = board
        self.mailer = mailer
        self.hand_overs = hand_overs
        self.clock = clock
        self.lease = lease
        self.port_timeout = port_timeout
        self.calls = PortCalls(threads=threads)
        self._late: deque[_Answer] = deque()

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

    def tick(
        self, limit: int, max_seconds: float | None, account: Any, stop: threading.Event | None = None
    ) -> TickReport:
        """One pass over up to `limit` enrollments; hands no more over after `max_seconds`, or once `stop` is set."""
        until = None if max_seconds is None else time.monotonic() + max_seconds
        self._bring_back_late()
        now = self.clock.now()
        due = self.handling()
        with self.store.transaction() as transaction:
            held = transaction.claim(now, limit, self.lease, account)
            work = [each for one in held for each in self._decide(transaction, one, due, now)]
        lease_until = later_by(now, timedelta(seconds=self.lease))
        counted = _Pass(self, due, lease_until).run(work, until, stop)
        now = self.clock.now()
        with self.store.transaction() as transaction:
            next_due_at = transaction.next_wake(account)
        more = next_due_at is not None and next_due_at <= now
        return TickReport(
            claimed=len(held),
            handed_over=counted.handed_over,
            failed=counted.failed,
            more=more,
            next_due_at=next_due_at,
        )

    def _decide(self, transaction: Transaction, held: Held, due: Due, now: DateTime) -> Iterable[_Work]:
        try:
            decision = self.board.settle(transaction, advance(held.enrollment, due, now), now)
        except Exception:
            # One enrollment that cannot be decided must not hold up the others; it is looked at again after its lease.
            logger.exception("enrollment %s could not be decided", held.enrollment.id)
            return []
        if decision.changed:
            stored = transaction.save(
                decision.enrollment, decision.events, fence=held.fence, release=not decision.effects
            )
            if not stored:
                return []
        elif not decision.effects:
            transaction.release([(held.enrollment.id, held.fence)])
        return [_Work(decision.enrollment, held.fence, effect) for effect in decision.effects]

    def bring_back(self, transaction: Transaction, answer: _Answer) -> Enrollment:
        """Store an answer. On what this worker knows if nobody was faster, else on what is stored by now."""
        work = answer.work
        if isinstance(answer.signal, (EmailSent, EmailPending, EmailFailed)):
            # These need nothing from the store, so what this worker knows will do, if it still is what is stored.
            decision = advance(work.enrollment, answer.signal, answer.at)
            if transaction.save(decision.enrollment, decision.events, fence=work.fence, release=True):
                return decision.enrollment
        while (held := transaction.get(work.enrollment.id)) is not None:
            decision = self._answered(transaction, held.enrollment, answer)
            # Only the owner of the claim ends it; an answer from a stale one counts all the same.
            owner = held.fence == work.fence
            if not decision.changed:
                if owner:
                    transaction.release([(work.enrollment.id, work.fence)])
                return decision.enrollment
            if transaction.save(decision.enrollment, decision.events, release=owner):
                return decision.enrollment
        return work.enrollment

    def _answered(self, transaction: Transaction, enrollment: Enrollment, answer: _Answer) -> Decision:
        signal = answer.signal
        if answer.task is not None and isinstance(signal, TaskCreated) and signal.task_id is None:
            # The embedded board: the task is written together with the decision that it exists.
            step = enrollment.step_of_key(signal.effect_key or "")
            if step is None or step.is_over or enrollment.state.value != "active" or step.attempt != signal.attempt:
                return advance(enrollment, Withdraw(signal.effect_key or "", signal.attempt or 0), answer.at)
            signal = attrs.evolve(signal, task_id=self.board.create(transaction, answer.task, signal, answer.at))
        return self.board.settle(transaction, advance(enrollment, signal, answer.at), answer.at)

    def late(self, work: _Work, signal: Signal) -> None:
        """An answer has come after its time; it is brought back with the next pass."""
        self._late.append(_Answer(work, signal, self.clock.now()))

    def _bring_back_late(self) -> None:
        while self._late:
            answer = self._late.popleft()
            with self.store.transaction() as transaction:
                self.bring_back(transaction, answer)


class _Pass:
    """The hand-overs of one pass, and the answers that are still to be brought back."""

    def __init__(self, worker: Worker, due: Due, lease_until: DateTime) -> None:
        self.worker = worker
        self.due = due
        self.lease_until = lease_until
        self.answers: list[_Answer] = []
        self.handed_over = 0
        self.failed = 0
        self._marked = False
        self._templates: dict[tuple[int, Identifier], Template | None] = {}
        # Texts are looked up late, but not a thousand times in one pass.
        self._hand_overs = attrs.evolve(worker.hand_overs, templates=self._template)

    def _template(self, enrollment: Enrollment, template_id: Identifier) -> Template | None:
        at = (enrollment.version.sequence_id, template_id)
        if at not in self._templates:
            self._templates[at] = self.worker.hand_overs.templates(enrollment, template_id)
        return self._templates[at]

    def run(self, work: list[_Work], until: float | None, stop: threading.Event | None) -> _Pass:
        self._waiting = deque(work)
        self._until = until
        self._stop = stop
        try:
            self.worker.calls.watch(self._loop, self._hung, _patience(self.worker.port_timeout))
        except BaseException:
            # Interrupted: what has been answered is brought back, the rest is left to its lease.
            self._flush()
            raise
        self._flush()
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
            self.failed += 1
            self._answer(work, TaskCancelled(task_id=work.effect.task_id, done=False))
        else:
            self._refuse(work, work.effect, error, known=not self._marked)

    def _keep_claims(self) -> None:
        """Prolong the lease of what is still to be done when half of it is gone."""
        now = self.worker.clock.now()
        lease = timedelta(seconds=self.worker.lease)
        if between(now, self.lease_until) > lease / 2 or now > self.lease_until:
            return
        self.lease_until = later_by(now, lease)
        with self.worker.store.transaction() as transaction:
            transaction.renew([(each.enrollment.id, each.fence) for each in self._waiting], self.lease_until)

    def _give_back(self, work: list[_Work]) -> None:
        now = self.worker.clock.now()
        for each in work:
            if isinstance(each.effect, CancelTask):
                continue
            self.answers.append(_Answer(each, Withdraw(each.effect.key, each.effect.attempt), now))
        self._flush()
        with self.worker.store.transaction() as transaction:
            transaction.release([(each.enrollment.id, each.fence) for each in work])

    def _flush(self) -> None:
        answers, self.answers = self.answers, []
        if not answers:
            return
        with self._kept(answers), self.worker.store.transaction() as transaction:
            for answer in answers:
                self.worker.bring_back(transaction, answer)

    @contextmanager
    def _kept(self, answers: list[_Answer]) -> Iterator[None]:
        """Keep answers that could not be stored, so that they are brought back when the store can be used again."""
        try:
            yield
        except BaseException:
            self.answers = answers + self.answers
            raise

    def _answer(self, work: _Work, signal: Signal, task: TaskRequest | None = None) -> None:
        self.answers.append(_Answer(work, signal, self.worker.clock.now(), task))

    # -- one hand-over -----------------------------------------------------------------------------------------

    def _perform(self, work: _Work) -> None:
        self._marked = False
        if isinstance(work.effect, CancelTask):
            self._cancel_task(work, work.effect)
            return
        try:
            # The host's people and templates are asked here; they can fail and hang like any port.
            prepared = self._call(partial(self._prepare, work))
        except Exception as error:
            if isinstance(error, StoreError):
                raise
            self._refuse(work, work.effect, error, known=True)
            return
        if isinstance(prepared, Email) and isinstance(work.effect, SendEmail):
            self._send(work, work.effect, prepared)
        elif isinstance(prepared, TaskRequest) and isinstance(work.effect, CreateTask):
            self._create_task(work, work.effect, prepared)
        elif isinstance(prepared, (EmailFailed, TaskFailed)):
            self.failed += 1
            self._answer(work, prepared)

    def _prepare(self, work: _Work) -> Email | EmailFailed | TaskRequest | TaskFailed:
        if isinstance(work.effect, SendEmail):
            return self._hand_overs.email(work.enrollment, work.effect)
        assert isinstance(work.effect, CreateTask)
        return self._hand_overs.task(work.enrollment, work.effect)

    def _call(self, function: Callable[[], _Result], late: Callable[[_Result], None] | None = None) -> _Result:
        return self._watch.call(function, _patience(self.worker.port_timeout), late)

    def _send(self, work: _Work, effect: SendEmail, email: Email) -> None:
        if not self._mark(work, effect, self.due.email, address=email.to):
            return
        self._marked = True
        mailer, timeout = self.worker.mailer, self.worker.port_timeout
        try:
            answer = self._call(
                lambda: mailer.send(email, key=effect.key, timeout=timeout),
                lambda answer: self.worker.late(work, _email_signal(effect, answer)),
            )
            signal = _email_signal(effect, answer)
        except Exception as error:
            self._refuse(work, effect, error, known=False)
            return
        if isinstance(signal, EmailFailed):
            self.failed += 1
        else:
            self.handed_over += 1
        self._answer(work, signal)

    def _create_task(self, work: _Work, effect: CreateTask, task: TaskRequest) -> None:
        board = self.worker.board.external
        if board is None:
            if not self._is_due(work, effect):
                return
            self.handed_over += 1
            self._answer(work, TaskCreated(effect_key=effect.key, attempt=effect.attempt), task)
            return
        if not self._mark(work, effect, self.due.task):
            return
        self._marked = True
        try:
            task_id = self._call(
                lambda: board.create(task, key=effect.key),
                lambda task_id: self.worker.late(work, _task_signal(effect, task_id)),
            )
            signal = _task_signal(effect, task_id)
        except Exception as error:
            self._refuse(work, effect, error, known=False)
            return
        self.handed_over += 1
        self._answer(work, signal)

    def _cancel_task(self, work: _Work, effect: CancelTask) -> None:
        board = self.worker.board.external
        if board is None:
            return
        try:
            self._call(lambda: board.cancel(effect.task_id))
            signal = TaskCancelled(task_id=effect.task_id)
        except Exception as error:
            self.failed += 1
            logger.warning("task %r could not be taken off the board: %r", effect.task_id, error)
            signal = TaskCancelled(task_id=effect.task_id, done=False)
        self._answer(work, signal)

    def _refuse(self, work: _Work, effect: SendEmail | CreateTask, error: Exception, *, known: bool) -> None:
        """A port raised, or did not come back: not an answer. Repeat it where that is safe, else park it (E3)."""
        logger.warning("hand-over %s failed: %r", effect.key, error)
        self.failed += 1
        of_mail = isinstance(effect, SendEmail)
        handling = self.due.email if of_mail else self.due.task
        kind = EmailFailed if of_mail else TaskFailed
        signal = kind(
            effect_key=effect.key,
            attempt=effect.attempt,
            detail=str(error) if isinstance(error, TimedOut) else f"{type(error).__name__}: {error}",
            permanent=not known and not handling.repeatable,
            known=known,
        )
        self._answer(work, signal)

    def _mark(
        self, work: _Work, effect: SendEmail | CreateTask, handling: Handling, address: str | None = None
    ) -> bool:
        """The start mark; False when the call must not be made (E3)."""
        if not self._is_due(work, effect):
            return False
        if handling.deduplicates:
            with self.worker.store.transaction() as transaction:
                if transaction.confirm(work.enrollment.id, work.enrollment.revision, work.fence):
                    if not self._suppressed(transaction, work, address):
                        return True
                    self._unsubscribe(transaction, work)
            self._answer(work, Withdraw(effect.key, effect.attempt))
            return False
        answers, self.answers = self.answers, []
        with self._kept(answers), self.worker.store.transaction() as transaction:
            for answer in answers:
                after = self.worker.bring_back(transaction, answer)
                if after.id == work.enrollment.id:
                    # A cancelled task and a hand-over of one enrollment in one pass: go on from what is stored now.
                    work.enrollment = after
            if self._suppressed(transaction, work, address):
                self._unsubscribe(transaction, work)
                return False
            decision = advance(work.enrollment, Start(effect.key, effect.attempt), self.worker.clock.now())
            if decision.changed and transaction.save(decision.enrollment, decision.events, fence=work.fence):
                work.enrollment = decision.enrollment
                return True
        return False

    def _is_due(self, work: _Work, effect: SendEmail | CreateTask) -> bool:
        """Whether it may still be handed over: since the claim its window may have closed, or the clock gone back."""
        if is_due(work.enrollment, self.worker.clock.now()):
            return True
        self._answer(work, Withdraw(effect.key, effect.attempt))
        return False

    def _suppressed(self, transaction: Transaction, work: _Work, address: str | None) -> bool:
        folded = fold_address(address)
        return folded is not None and transaction.is_suppressed(work.enrollment.account, folded)

    def _unsubscribe(self, transaction: Transaction, work: _Work) -> None:
        """The address has opted out since: the enrollment ends instead (L8)."""
        held = transaction.get(work.enrollment.id)
        if held is None:
            return
        now = self.worker.clock.now()
        decision = self.worker.board.settle(transaction, advance(held.enrollment, Finish("unsubscribed"), now), now)
        if decision.changed:
            transaction.save(decision.enrollment, decision.events, release=held.fence == work.fence)


def _patience(timeout: float) -> float:
    # The port is told the time-out and may use all of it; only what goes beyond is taken for hanging.
    return timeout + max(1.0, timeout / 10)


def _email_signal(effect: SendEmail, answer: Any) -> EmailSent | EmailPending | EmailFailed:
    common: dict[str, Any] = {"effect_key": effect.key, "attempt": effect.attempt}
    if isinstance(answer, Accepted):
        return EmailSent(**common, message_id=answer.message_id, provider_id=answer.provider_id)
    if isinstance(answer, Pending):
        return EmailPending(**common, provider_id=answer.provider_id)
    if isinstance(answer, Rejected):
        return EmailFailed(
            **common,
            detail=str(answer.detail),
            permanent=answer.permanent,
            recipient_fault=answer.recipient_fault,
            reason=answer.reason,
        )
    raise TypeError(f"a mailer answers Accepted, Pending or Rejected, not {answer!r}")


def _task_signal(effect: CreateTask, task_id: TaskId) -> TaskCreated:
    if task_id is None:
        raise TypeError("a task board answers the id of the task, not None")
    return TaskCreated(effect_key=effect.key, attempt=effect.attempt, task_id=task_id)
