"""Ports that print: to look at a sequence without a mail server or a task board."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable
from typing import TextIO

from sequencer.adapters.keys import message_id, token
from sequencer.core.instants import to_iso
from sequencer.engine.ports import Accepted, Email, TaskId, TaskRequest

__all__ = ["ConsoleMailer", "ConsoleTaskBoard"]

# A merge field may hold anything; an escape sequence in it must not reach the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _line(text: object) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text)).replace("\n", " ").replace("\t", " ")


class _Printer:
    """Writes whole blocks to a stream: standard output as it is at that moment, if none is given."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, lines: Iterable[str]) -> None:
        stream = sys.stdout if self._stream is None else self._stream
        text = "".join(f"{line}\n" for line in lines)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        with self._lock:
            # A terminal that cannot show a letter shows its code instead: no mail fails for that.
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()


class ConsoleMailer:
    """Prints each mail as one block and accepts it. Printing twice does no harm, so a lost answer is repeated."""

    deduplicates = False
    delivery = "at_least_once"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._print = _Printer(stream)

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted:
        """Print the mail. Raises what the stream raises."""
        subject = f"(template {_line(email.template_id)})" if email.subject is None else _line(email.subject)
        if email.thread and not subject.casefold().startswith("re:"):
            subject = f"Re: {subject}"
        again = f", attempt {email.attempt}" if email.attempt > 1 else ""
        origin = f"{_line(email.sequence_name)}, enrollment {email.enrollment_id}, step {email.position}{again}"
        lines = [f"mail to {_line(email.to)}: {subject}  [{origin}]"]
        lines += [f"  | {_line(line)}" for line in (email.body or "").splitlines()]
        if email.unsubscribe:
            lines.append(f"  | (unsubscribe: {_line(email.unsubscribe_url or 'no link')})")
        self._print(lines)
        return Accepted(message_id(key, "console.invalid"))


class ConsoleTaskBoard:
    """Prints each task. Its id is made from the key, so the same key is the same task, also after a restart."""

    deduplicates = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self._print = _Printer(stream)

    def create(self, task: TaskRequest, *, key: str) -> TaskId:
        """Print the task and return its id. Raises what the stream raises."""
        task_id = token(key)
        who = "anybody" if task.actor_id is None else f"actor {_line(task.actor_id)}"
        about = f"{_line(task.resource.type)} {_line(task.resource.id)}"
        origin = f"{_line(task.sequence_name)}, enrollment {task.enrollment_id}, step {task.position}"
        lines = [f"task {task_id} for {who}: {about}, due {to_iso(task.due_at)}  [{origin}]"]
        lines += [f"  | {_line(line)}" for line in task.task_content.splitlines()]
        self._print(lines)
        return task_id

    def cancel(self, task_id: TaskId) -> None:
        """Print that the task is off. Raises what the stream raises."""
        self._print([f"task {_line(task_id)} cancelled"])
