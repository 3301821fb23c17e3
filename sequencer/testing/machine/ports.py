"""The ports as one process calls them: by a script, and where the host brings its own, through to those.

What a script says happens around the host's port: a refusal or an error before it is called at all, or an answer that
is lost after it was called. So the port itself needs no switches, and every answer of its own is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequencer.core.enrollment import fold_address
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Pending, Rejected, TaskId, TaskRequest

if TYPE_CHECKING:
    from sequencer.testing.machine.world import Life, World

__all__ = ["BoardOfALife", "MailerOfALife"]


class MailerOfALife:
    """The mailer, as called by one process. What it answers is the world's script; without one, it accepts."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.mode == "deduplicates"
        self.delivery = "at_least_once" if world.mode == "at_least_once" else "at_most_once"

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        """Hold the call against the laws, and answer as the script says."""
        world, life = self._world, self._life
        life.step()
        call = world.called("mail", email, key, life)
        if fold_address(email.to) in world.suppressed:
            world.violations.append(f"a suppressed address got mail (L8): {key}")
        behaviour = world.script.popleft() if world.script else "accept"
        if self.deduplicates and key in world.accepted:
            behaviour = "accept"
        world.interfere()
        if behaviour in ("accept", "raise after"):
            self._answer(call, email, key, timeout)
        elif behaviour == "pending":
            call.outcome = "pending"
            call.result = Pending(f"provider-{len(world.mails)}")
        elif behaviour in ("temporary", "permanent", "recipient"):
            call.outcome = "refused"
            call.result = Rejected(
                "no, said bob@example.com", permanent=behaviour != "temporary", recipient_fault=behaviour == "recipient"
            )
        if behaviour.startswith("raise"):
            call.outcome, call.result = "unknown", None
            raise OutcomeUnknown(behaviour)
        life.step()
        return call.result

    def _answer(self, call: Any, email: Email, key: str, timeout: float) -> None:
        """What the mailer answers: the host's where there is one, else that it has accepted the mail."""
        world = self._world
        answer: Any = world.accepted.get(key) if self.deduplicates else None
        if world.mailer is not None and (answer is None or key in world.handed.answers):
            answer = self._hand_to_the_host(email, key, timeout)
        elif answer is None:
            answer = Accepted(f"<{key}-{len(world.mails)}>")
        call.result = answer
        if isinstance(answer, Accepted):
            call.outcome = "accepted"
            # Of a mail that may be out twice, the first answer is the one that a late report would bring.
            first = world.accepted.setdefault(key, answer)
            call.result = first if world.mailer is None else answer
        else:
            call.outcome = "pending" if isinstance(answer, Pending) else "refused"

    def _hand_to_the_host(self, email: Email, key: str, timeout: float) -> Any:
        world, handed = self._world, self._world.handed
        assert world.mailer is not None
        handed.perhaps += 1
        answer: Any = world.mailer.send(email, key=key, timeout=timeout)
        before = handed.answers.get(key)
        if not isinstance(answer, (Accepted, Pending, Rejected)):
            world.violations.append(f"a mailer answers Accepted, Pending or Rejected, not {answer!r}")
        elif isinstance(answer, Accepted):
            handed.perhaps -= 1
            handed.left += before is None or not self.deduplicates
            if before is not None and self.deduplicates and answer != before:
                world.violations.append(f"a repeated key gets the first answer again (E2): {answer}, not {before}")
            twin = [k for k, each in handed.answers.items() if k != key and each.message_id == answer.message_id]
            if twin and answer.message_id is not None:
                world.violations.append(f"two mails have one message id: {answer.message_id}, of {twin[0]} and {key}")
            handed.answers.setdefault(key, answer)
        elif isinstance(answer, Rejected):
            handed.perhaps -= 1
        return answer


class BoardOfALife:
    """The host's task board, as called by one process."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.board_mode == "deduplicates"

    def create(self, task: TaskRequest, *, key: str) -> TaskId:
        """Hold the call against the laws, and answer as the script says."""
        world, life = self._world, self._life
        life.step()
        call = world.called("task", task, key, life)
        behaviour = world.script.popleft() if world.script else "accept"
        world.interfere()
        if behaviour == "raise":
            raise ConnectionError("the board is away")
        known = next((id for id, each in world.tasks.items() if each["key"] == key), None)
        found = known if self.deduplicates else None
        if world.board is not None:
            found = self._hand_to_the_host(task, key, found)
        elif found is None:
            found = f"task-{len(world.tasks) + 1}"
        world.tasks.setdefault(
            found, {"key": key, "id": task.enrollment_id, "position": task.position, "status": "open"}
        )
        call.result = found
        if behaviour == "raise after":
            raise OutcomeUnknown("the answer was lost")
        call.outcome = "accepted"
        life.step()
        return found

    def _hand_to_the_host(self, task: TaskRequest, key: str, before: TaskId | None) -> TaskId:
        world = self._world
        assert world.board is not None
        found: Any = world.board.create(task, key=key)
        if isinstance(found, bool) or not isinstance(found, (int, str)):
            world.violations.append(f"a board answers with the task's id, a number or a text, not {found!r}")
        elif before is not None and (type(found), found) != (type(before), before):
            world.violations.append(f"a repeated key gets its task again (E2): {found!r}, not {before!r}")
        elif before is None and found in world.tasks:
            world.violations.append(f"two tasks have one id: {found!r}, of {world.tasks[found]['key']} and {key}")
        return before if before is not None else found

    def cancel(self, task_id: TaskId) -> None:
        """Take the task off, or raise, as the script says."""
        self._life.step()
        behaviour = self._world.script.popleft() if self._world.script else "accept"
        if behaviour == "raise":
            raise ConnectionError("the board is away")
        if self._world.board is not None:
            self._world.board.cancel(task_id)
        if self._world.tasks[task_id]["status"] == "open":
            self._world.tasks[task_id]["status"] = "cancelled"
        self._life.step()
