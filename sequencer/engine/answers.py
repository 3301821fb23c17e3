"""Bringing answers back: what a port said becomes a decision like any other (laws L10, E3, S2).

An answer to a call is not bound to the claim under which the call was made. It matches by the key of its effect, so it
counts also when its worker was too slow and somebody else owns the enrollment by now; only the claim is left to its
owner. What comes back without a call (a hand-over withdrawn, or refused while it was put together) is the owner's to
say: whoever took over the claim may be calling the port at this moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

import attrs
from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.effects import Effect
from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import Conflict, StoreError
from sequencer.core.lifecycle import advance
from sequencer.core.signals import EmailFailed, EmailPending, EmailSent, Signal, TaskCreated, Withdraw
from sequencer.engine.board import Board
from sequencer.engine.logs import WORKER, log_failures, log_raised, step_fields
from sequencer.engine.ports import Clock, TaskRequest
from sequencer.engine.storage import Store, Transaction

__all__ = ["Answer", "Answers", "Work"]

# These need nothing from the store: what this worker knows will do, if it still is what is stored.
_NEED_NOTHING = (EmailSent, EmailPending, EmailFailed)
# For so many enrollments that somebody else holds is waited, one after another, before a pass goes on with its work.
_MOST_HELD = 3


@attrs.define(slots=True)
class Work:
    """One effect of a claimed enrollment, as this worker knows it.

    `address` is where its mail goes, in comparable form, if that is not the address which is stored.
    """

    enrollment: Enrollment
    fence: int
    effect: Effect
    address: str | None = None


@attrs.define(slots=True)
class Answer:
    """What is to be brought back: a signal about some work, at the instant of the answer.

    `called` says that a port was called for it; `task` is what goes onto the embedded board.
    """

    work: Work
    signal: Signal
    at: DateTime
    task: TaskRequest | None = None
    called: bool = True


class Answers:
    """Brings answers back to the store; those that come after their time wait here for the next pass."""

    def __init__(self, store: Store, board: Board, clock: Clock) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self._late: deque[Answer] = deque()

    def bring_back(self, transaction: Transaction, answer: Answer) -> None:
        """Store an answer. On what this worker knows if nobody was faster, else on what is stored by now."""
        work = answer.work
        if isinstance(answer.signal, _NEED_NOTHING):
            decision = advance(work.enrollment, answer.signal, answer.at)
            if transaction.save(decision.enrollment, decision.events, fence=work.fence, release=True):
                log_failures(decision.enrollment, decision.events)
                _remember_address(transaction, answer)
                return
        while (held := transaction.get(work.enrollment.id)) is not None:
            # Only the owner of the claim ends it; the answer to a call counts all the same.
            owner = held.fence == work.fence
            if not (owner or answer.called):
                return
            _remember_address(transaction, answer)
            decision = self._answered(transaction, held.enrollment, answer)
            if not decision.changed:
                if owner:
                    transaction.release([(work.enrollment.id, work.fence)])
                return
            if transaction.save(decision.enrollment, decision.events, release=owner):
                log_failures(decision.enrollment, decision.events)
                if not owner:
                    fields = step_fields(work.enrollment, work.effect)
                    WORKER.warning(
                        "an answer for enrollment %d came after its claim was lost", work.enrollment.id, extra=fields
                    )
                return

    def _answered(self, transaction: Transaction, enrollment: Enrollment, answer: Answer) -> Decision:
        signal = answer.signal
        if answer.task is not None and isinstance(signal, TaskCreated) and signal.task_id is None:
            # The embedded board: the task is written together with the decision that it exists.
            step = enrollment.step_of_key(signal.effect_key or "")
            # Put together in another version, it may be another task by now.
            moved = enrollment.version.id != answer.work.enrollment.version.id
            active = enrollment.state.value == "active"
            if step is None or step.is_over or not active or moved or step.attempt != signal.attempt:
                return advance(enrollment, Withdraw(signal.effect_key or "", signal.attempt or 0), answer.at)
            signal = attrs.evolve(signal, task_id=self.board.create(transaction, answer.task, signal, answer.at))
        return self.board.settle(transaction, advance(enrollment, signal, answer.at), answer.at)

    def bring_back_all(self, answers: Sequence[Answer]) -> None:
        """Store answers together; when one of them cannot be stored, each by itself, so that it costs no other."""
        try:
            with self.store.transaction() as transaction:
                for answer in self._bring_back_at_once(transaction, answers):
                    self.bring_back(transaction, answer)
        except StoreError:
            raise
        except Exception as error:
            # Whose it is shows when each is stored by itself.
            if isinstance(error, Conflict):
                self.refuse_busy()
            self._bring_back_each(answers)

    def refuse_busy(self) -> None:
        """After a `Conflict`: raise another where the store is busy as a whole, and not only some enrollments."""
        with self.store.transaction():
            pass

    def _bring_back_each(self, answers: Sequence[Answer]) -> None:
        """Store each by itself; those whose enrollments somebody's open transaction holds wait for the next pass."""
        waiting, held = deque(answers), list[Answer]()
        while waiting and len(held) < _MOST_HELD:
            answer = waiting.popleft()
            try:
                self._bring_back_alone(answer)
            except Conflict:
                held.append(answer)
        if held:
            number = len(waiting) + len(held)
            WORKER.warning("%d answers are brought back by a later pass", number, extra={"answers": number})
            # What was not tried yet comes first then.
            self.keep([*waiting, *held])

    def _bring_back_at_once(self, transaction: Transaction, answers: Sequence[Answer]) -> list[Answer]:
        """Store what needs only what this worker knows, all in one go; returns what is left, in its order.

        In the order of their ids, so that two transactions which meet wait for each other in one direction only.
        """
        first = {answer.work.enrollment.id: answer for answer in reversed(answers)}
        ready = sorted(
            (answer for answer in first.values() if isinstance(answer.signal, _NEED_NOTHING)),
            key=lambda answer: answer.work.enrollment.id,
        )
        decided = [advance(answer.work.enrollment, answer.signal, answer.at) for answer in ready]
        kept = transaction.save_many(
            [(each.enrollment, each.events, answer.work.fence) for each, answer in zip(decided, ready, strict=True)]
        )
        done = set()
        for answer, decision, stored in zip(ready, decided, kept, strict=True):
            if stored:
                done.add(id(answer))
                log_failures(decision.enrollment, decision.events)
                _remember_address(transaction, answer)
        return [answer for answer in answers if id(answer) not in done]

    def _bring_back_alone(self, answer: Answer) -> None:
        try:
            with self.store.transaction() as transaction:
                self.bring_back(transaction, answer)
        except (StoreError, Conflict):
            raise
        except Exception as error:
            # Its claim runs out, and then the step is treated as one whose answer was lost (E3).
            message, work = "an answer for enrollment %d could not be brought back: %s", answer.work
            log_raised(WORKER, message, work.enrollment.id, error, **step_fields(work.enrollment, work.effect))

    def late(self, work: Work, signal: Signal) -> None:
        """An answer has come after its time; it is brought back with the next pass."""
        self._late.append(Answer(work, signal, self.clock.now()))

    def keep(self, answers: Iterable[Answer]) -> None:
        """These could not be stored now; they are brought back with the next pass, too."""
        self._late.extend(answers)

    def bring_back_late(self) -> None:
        """Bring back what waits here; what cannot be stored now goes on waiting."""
        answers: list[Answer] = []
        # Another thread may be emptying it, too.
        with suppress(IndexError):
            while True:
                answers.append(self._late.popleft())
        if not answers:
            return
        try:
            self.bring_back_all(answers)
        except BaseException:
            self.keep(answers)
            raise


def _remember_address(transaction: Transaction, answer: Answer) -> None:
    """Where a mail has gone, or may have: who opts out by it means that address, too (L8)."""
    work, signal = answer.work, answer.signal
    if work.address is None or not answer.called or (isinstance(signal, EmailFailed) and signal.known):
        return
    transaction.remember_address(work.enrollment.account, work.enrollment.id, work.address)
