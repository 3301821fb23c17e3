"""Ports that remember: small real objects for tests, without a wire, a clock or a sleep.

Both can be told beforehand to misbehave in each way that the engine must survive: refuse, raise, hang, lose the
answer after the work is done, answer later. Each such order holds for the next `times` calls that it concerns (None:
for all from now on); the oldest order that concerns a call decides. Both may be called from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import attrs

from sequencer.adapters.keys import message_id
from sequencer.adapters.orders import Hang, Orders
from sequencer.core.enrollment import fold_address
from sequencer.core.signals import EmailFailed, EmailSent
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Pending, Rejected, TaskId, TaskRequest

__all__ = ["Hang", "RecordedTask", "RecordingMailer", "RecordingTaskBoard", "SentEmail"]

Answer = Accepted | Pending | Rejected


@attrs.frozen
class SentEmail:
    """One call of `send`: the how-manieth it was (from 1), what came in, and what was answered or raised."""

    number: int
    key: str
    email: Email
    answer: Answer | BaseException

    @property
    def attempt(self) -> int:
        """Which hand-over under this key the engine says that it is, from 1."""
        return self.email.attempt

    @property
    def to(self) -> str:
        """The recipient."""
        return self.email.to


_LOSE, _LATER = object(), object()
_REFUSED = Rejected("refused by the recording mailer", permanent=False)


def _raise(error: BaseException | type[BaseException]) -> BaseException:
    return error() if isinstance(error, type) else error


class RecordingMailer:
    """Remembers every mail, and accepts it unless it was told something else.

    - `calls`: every call of `send`, in order, with its answer.
    - `sent`: those that made a mail leave. A repeat that is recognised is not among them, a doubled mail is twice.
    - `repeats`: those whose key had made a mail leave before.
    - `delivered`: the mails of `sent` that were accepted, at once or late.
    - `late`: those that were answered with `Pending` and are not settled yet.

    With `deduplicates=True` a repeated key gets the first answer again. `answer` is a callable `(email, key) -> answer`
    that replaces "accepts it".
    """

    def __init__(
        self,
        *,
        deduplicates: bool = False,
        delivery: str = "at_most_once",
        domain: str = "recording.invalid",
        answer: Callable[[Email, str], Answer] | None = None,
    ) -> None:
        self.deduplicates = deduplicates
        self.delivery = delivery
        self.calls: list[SentEmail] = []
        self.sent: list[SentEmail] = []
        self.repeats: list[SentEmail] = []
        self.delivered: list[SentEmail] = []
        self.late: list[SentEmail] = []
        self._domain = domain
        self._answer = answer
        self._left: dict[str, Answer] = {}
        self._orders = Orders()
        self._hangs = Orders()
        self._lock = threading.RLock()

    # -- orders

    def fail(
        self,
        answer: Rejected | BaseException | type[BaseException] = _REFUSED,
        *,
        times: int | None = 1,
        to: str | None = None,
        when: Callable[[Email], bool] | None = None,
    ) -> None:
        """Refuse the next `times` mails with `answer`, or raise it: any mails, those `to` an address, those `when`."""
        self._order(answer, times, to, when)

    def lose(
        self, *, times: int | None = 1, to: str | None = None, when: Callable[[Email], bool] | None = None
    ) -> None:
        """Let the next `times` mails leave and lose the answer: `OutcomeUnknown` is raised."""
        self._order(_LOSE, times, to, when)

    def answer_late(
        self, *, times: int | None = 1, to: str | None = None, when: Callable[[Email], bool] | None = None
    ) -> None:
        """Answer the next `times` mails with `Pending`; `settle` brings the answer."""
        self._order(_LATER, times, to, when)

    def hang(
        self, *, times: int | None = 1, to: str | None = None, when: Callable[[Email], bool] | None = None
    ) -> Hang:
        """Let the next `times` calls hang, whatever their timeout says, until the returned `Hang` is released."""
        hang = Hang()
        with self._lock:
            self._hangs.add(hang, times, _matcher(to, when))
        return hang

    def behave(self) -> None:
        """Forget every order: from now on, accept."""
        with self._lock:
            self._orders.clear()
            self._hangs.clear()

    def _order(self, what: Any, times: int | None, to: str | None, when: Callable[[Email], bool] | None) -> None:
        with self._lock:
            self._orders.add(what, times, _matcher(to, when))

    # -- the port

    def send(self, email: Email, *, key: str, timeout: float) -> Answer:
        """Remember the mail and answer as ordered."""
        with self._lock:
            hang = self._hangs.take(email)
        if hang is not None:
            hang.hold()
        with self._lock:
            if self.deduplicates and key in self._left:
                answer = self._left[key]
                self.repeats.append(self._note(email, key, answer))
                return answer
            order = self._orders.take(email)
            if order not in (None, _LOSE, _LATER):
                self._note(email, key, order if isinstance(order, Rejected) else _raise(order))
            elif order is _LATER:
                self._leave(email, key, Pending(f"late-{len(self.calls) + 1}"))
            elif order is _LOSE:
                self._leave(email, key, self._accepted(key), OutcomeUnknown("the answer was lost on its way back"))
            else:
                answer = self._accepted(key) if self._answer is None else self._answer(email, key)
                if isinstance(answer, Rejected):
                    self._note(email, key, answer)
                else:
                    self._leave(email, key, answer)
            given = self.calls[-1].answer
        if isinstance(given, BaseException):
            raise given
        return given

    def settle(
        self, late: SentEmail | None = None, answer: Accepted | Rejected | None = None
    ) -> list[EmailSent | EmailFailed]:
        """Settle one mail of `late`, or all: accepted, if no other answer is given.

        Returns the reports that a provider would send, for `Engine.handle`.
        """
        reports: list[EmailSent | EmailFailed] = []
        with self._lock:
            for each in [late] if late is not None else list(self.late):
                self.late.remove(each)
                assert isinstance(each.answer, Pending)
                provider_id = each.answer.provider_id
                if isinstance(answer, Rejected):
                    facts = attrs.asdict(answer)
                    reports.append(EmailFailed(key=f"{provider_id}-failed", provider_id=provider_id, **facts))
                else:
                    final = answer or Accepted(message_id(each.key, self._domain), provider_id)
                    self.delivered.append(attrs.evolve(each, answer=final))
                    reports.append(
                        EmailSent(
                            key=f"{provider_id}-sent",
                            provider_id=provider_id,
                            message_id=final.message_id,
                        )
                    )
        return reports

    def _accepted(self, key: str) -> Accepted:
        return Accepted(message_id(key, self._domain))

    def _note(self, email: Email, key: str, answer: Answer | BaseException) -> SentEmail:
        record = SentEmail(len(self.calls) + 1, key, email, answer)
        self.calls.append(record)
        return record

    def _leave(self, email: Email, key: str, answer: Accepted | Pending, told: BaseException | None = None) -> None:
        record = self._note(email, key, told or answer)
        if key in self._left:
            self.repeats.append(record)
        self._left.setdefault(key, answer)
        self.sent.append(record)
        (self.delivered if isinstance(answer, Accepted) else self.late).append(record)

    def to(self, address: str) -> list[SentEmail]:
        """The mails of `sent` that went to an address."""
        return [each for each in self.sent if fold_address(each.to) == fold_address(address)]

    def __repr__(self) -> str:
        return f"<RecordingMailer: {len(self.sent)} sent, {len(self.calls)} calls>"


def _matcher(to: str | None, when: Callable[[Email], bool] | None) -> Callable[[Email], bool]:
    folded = fold_address(to)

    def concerns(email: Email) -> bool:
        return (to is None or fold_address(email.to) == folded) and (when is None or when(email))

    return concerns


@attrs.define
class RecordedTask:
    """One task at the board; open until it is completed or cancelled."""

    id: str
    key: str
    task: TaskRequest
    completed: bool = False
    cancelled: bool = False

    @property
    def content(self) -> str:
        """What is to be done."""
        return self.task.task_content


class RecordingTaskBoard:
    """Remembers every task; the ids are "task-1", "task-2" and so on.

    - `calls`: every call of `create` as `(key, task)`, in order, whatever came of it.
    - `tasks`: the tasks that were created; `open`: those neither completed nor cancelled; `cancelled`: those.
    - `cancel_calls`: the id of every call of `cancel`.

    A repeated key gets the id of its task again, unless `deduplicates=False`.
    """

    def __init__(self, *, deduplicates: bool = True) -> None:
        self.deduplicates = deduplicates
        self.calls: list[tuple[str, TaskRequest]] = []
        self.cancel_calls: list[TaskId] = []
        self.tasks: list[RecordedTask] = []
        self._orders = {"create": Orders(), "cancel": Orders()}
        self._hangs = {"create": Orders(), "cancel": Orders()}
        self._lock = threading.RLock()

    @property
    def open(self) -> list[RecordedTask]:
        """The tasks that wait for somebody."""
        return [task for task in self.tasks if not (task.completed or task.cancelled)]

    @property
    def cancelled(self) -> list[RecordedTask]:
        """The tasks that were taken off the board."""
        return [task for task in self.tasks if task.cancelled]

    # -- orders

    def fail(
        self,
        error: BaseException | type[BaseException] = ConnectionError,
        *,
        times: int | None = 1,
        on: str = "create",
        when: Callable[[TaskRequest], bool] | None = None,
    ) -> None:
        """Raise at the next `times` calls `on` "create" or "cancel", before anything is done; `when` is for create."""
        with self._lock:
            self._orders[on].add(error, times, when if on == "create" else None)

    def lose(self, *, times: int | None = 1, when: Callable[[TaskRequest], bool] | None = None) -> None:
        """Create the next `times` tasks and lose the answer: `OutcomeUnknown` is raised."""
        with self._lock:
            self._orders["create"].add(_LOSE, times, when)

    def hang(self, *, times: int | None = 1, on: str = "create") -> Hang:
        """Let the next `times` calls hang until the returned `Hang` is released."""
        hang = Hang()
        with self._lock:
            self._hangs[on].add(hang, times, None)
        return hang

    def behave(self) -> None:
        """Forget every order."""
        with self._lock:
            for orders in (*self._orders.values(), *self._hangs.values()):
                orders.clear()

    # -- the port

    def create(self, task: TaskRequest, *, key: str) -> TaskId:
        """Remember the task and return its id, or raise as ordered."""
        self._pass("create", task)
        with self._lock:
            self.calls.append((key, task))
            order = self._orders["create"].take(task)
            if order not in (None, _LOSE):
                raise _raise(order)
            found = next((each for each in self.tasks if self.deduplicates and each.key == key), None)
            if found is None:
                found = RecordedTask(f"task-{len(self.tasks) + 1}", key, task)
                self.tasks.append(found)
            if order is _LOSE:
                raise OutcomeUnknown("the answer was lost on its way back")
            return found.id

    def cancel(self, task_id: TaskId) -> None:
        """Take the task off the board; one that is unknown or over is no error. Raises as ordered."""
        self._pass("cancel", task_id)
        with self._lock:
            self.cancel_calls.append(task_id)
            order = self._orders["cancel"].take(task_id)
            if order is not None:
                raise _raise(order)
            for task in self.open:
                if task.id == task_id:
                    task.cancelled = True

    def complete(self, task_id: TaskId) -> RecordedTask:
        """Do what a person at the board does; the engine does not hear of it. Raises `LookupError` if not open."""
        with self._lock:
            for task in self.open:
                if task.id == task_id:
                    task.completed = True
                    return task
            raise LookupError(f"no open task {task_id!r}")

    def _pass(self, verb: str, call: Any) -> None:
        with self._lock:
            hang = self._hangs[verb].take(call)
        if hang is not None:
            hang.hold()

    def __repr__(self) -> str:
        return f"<RecordingTaskBoard: {len(self.open)} open of {len(self.tasks)}>"
