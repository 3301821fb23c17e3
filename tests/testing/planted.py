"""Stores, mailers, boards and clocks that are right but for one bug each, and a way to see which tests find it."""

from __future__ import annotations

import inspect
import itertools
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sequencer.adapters.maildir import MaildirMailer
from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
from sequencer.engine.clock import SystemClock
from sequencer.engine.ports import OutcomeUnknown, Rejected
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.stores.memory import MemoryStore

# -- stores: each transaction is the memory's, but for one method


class Planted:
    """A store whose transactions have a bug."""

    bug = None

    def __init__(self):
        self._store = MemoryStore()
        self.origin = self._store.origin

    @contextmanager
    def transaction(self, connection=None, *, write=True):
        with self._store.transaction(connection, write=write) as transaction:
            yield Wrong(transaction, type(self))

    def looking(self, claims):
        return self._store.looking(claims)

    def close(self):
        self._store.close()


class Wrong:
    """A transaction that has the methods of a class with a bug in place of its own."""

    def __init__(self, transaction, bug):
        self._right = transaction
        self._bug = bug

    def __getattr__(self, name):
        wrong = self._bug.__dict__.get(name)
        return getattr(self._right, name) if wrong is None else lambda *args, **how: wrong(self._right, *args, **how)


class TakesAnyFence(Planted):
    """Who has lost a claim writes as if it were in force."""

    def save(self: Any, enrollment, events, *, fence=None, release=False):
        return self.save(enrollment, events, release=release)


class KeepsNoLease(Planted):
    """What is claimed is free again at once."""

    def claim(self: Any, now, limit, lease_seconds, account=ALL_ACCOUNTS):
        held = self.claim(now, limit, lease_seconds, account)
        self.release([(each.enrollment.id, each.fence) for each in held])
        return held


class LosesTheLastEvent(Planted):
    """A decision of several events is told without its last one."""

    def events(self: Any, id):
        found = self.events(id)
        return found[:-1] if len(found) > 3 else found


class TellsEventsAgain(Planted):
    """A listener that goes on from a cursor is told the event there once more."""

    def events_after(self: Any, cursor, limit):
        return self.events_after(max(0, cursor - 1), limit)


class MixesAccounts(Planted):
    """Everybody has opted out of everything that anybody has."""

    def is_suppressed(self: Any, account, address):
        return any(self.is_suppressed(each, address) for each in (account, None, "acme"))


class SaysThatItIsStored(Planted):
    """Who was too late is told that it worked."""

    def save(self: Any, enrollment, events, *, fence=None, release=False):
        self.save(enrollment, events, fence=fence, release=release)
        return True


class ForgetsReports(Planted):
    """What was handled is handled again."""

    def report(self: Any, account, key):
        return None


class ClaimsWhatIsNotDue(Planted):
    """A worker is given what is due within the hour."""

    def claim(self: Any, now, limit, lease_seconds, account=ALL_ACCOUNTS):
        return self.claim(now + timedelta(hours=1), limit, lease_seconds, account)


class KeepsAddresses(Planted):
    """Erasing counts, and erases nothing."""

    def erase(self: Any, account, resource):
        return len(self.ongoing(account, resource=resource))


class CommitsWhatFailed(Planted):
    """A block that raises has written what it wrote."""

    @contextmanager
    def transaction(self, connection=None, *, write=True):
        failure = None
        with self._store.transaction(connection, write=write) as transaction:
            try:
                yield transaction
            except Exception as error:  # noqa: BLE001 - it is raised below
                failure = error
        if failure is not None:
            raise failure


STORES = [
    TakesAnyFence, KeepsNoLease, LosesTheLastEvent, TellsEventsAgain, MixesAccounts, SaysThatItIsStored,
    ForgetsReports, ClaimsWhatIsNotDue, KeepsAddresses, CommitsWhatFailed,
]  # fmt: skip


# -- mailers


class Doubles(RecordingMailer):
    """Each mail leaves twice."""

    def send(self, email, *, key, timeout):
        super().send(email, key=key, timeout=timeout)
        return super().send(email, key=key, timeout=timeout)


class SaysThatItRecognisesKeys(RecordingMailer):
    """It promises what it does not do, so that it is called again without fear."""

    def __init__(self):
        super().__init__()
        self.deduplicates = True
        self._left = {}

    def send(self, email, *, key, timeout):
        self._left.clear()
        return super().send(email, key=key, timeout=timeout)


class TakesWordsForKeys(RecordingMailer):
    """What has the same words to the same address is a repeat."""

    def __init__(self):
        super().__init__(deduplicates=True)

    def send(self, email, *, key, timeout):
        return super().send(email, key=f"{email.to}{email.subject}", timeout=timeout)


class NotesTheKeyTooEarly(RecordingMailer):
    """A mail that was refused for now counts as sent when it is tried again."""

    def __init__(self):
        super().__init__(deduplicates=True)
        self.known = set()

    def send(self, email, *, key, timeout):
        if key in self.known:
            return self._accepted(key)
        self.known.add(key)
        return super().send(email, key=key, timeout=timeout)


class GivesUp(RecordingMailer):
    """Every refusal is one for good."""

    def send(self, email, *, key, timeout):
        answer = super().send(email, key=key, timeout=timeout)
        return Rejected(answer.detail, permanent=True) if isinstance(answer, Rejected) else answer


class Raises(RecordingMailer):
    """A refusal is an exception, so that nobody can tell whether the mail left."""

    def send(self, email, *, key, timeout):
        answer = super().send(email, key=key, timeout=timeout)
        if isinstance(answer, Rejected):
            raise OutcomeUnknown(answer.detail)
        return answer


class AnswersNothing(RecordingMailer):
    """It sends, and does not say so."""

    def send(self, email, *, key, timeout):
        super().send(email, key=key, timeout=timeout)


class ForgetsAtTheEnd(MaildirMailer):
    """It recognises keys for as long as the process lives."""

    def __init__(self, path):
        super().__init__(path)
        self.known = {}

    def send(self, email, *, key, timeout):
        if key not in self.known:
            self.known[key] = super().send(email, key=f"{key}-{id(self)}", timeout=timeout)
        return self.known[key]


MAILERS = [
    Doubles, SaysThatItRecognisesKeys, TakesWordsForKeys, NotesTheKeyTooEarly, GivesUp, Raises, AnswersNothing,
]  # fmt: skip


# -- boards


class ForgetsKeys(RecordingTaskBoard):
    """It promises what it does not do."""

    def __init__(self):
        super().__init__(deduplicates=False)
        self.deduplicates = True

    def create(self, task, *, key):
        return super().create(task, key=f"{key}-{len(self.calls)}")


class KeepsWhatIsCancelled(RecordingTaskBoard):
    """A task stays on the board."""

    def cancel(self, task_id):
        pass


class StumblesOverTheUnknown(RecordingTaskBoard):
    """Taking off what is gone is an error."""

    def cancel(self, task_id):
        if all(task.id != task_id for task in self.open):
            raise LookupError(task_id)
        super().cancel(task_id)


class GivesOneId(RecordingTaskBoard):
    """All tasks have one id."""

    def create(self, task, *, key):
        super().create(task, key=key)
        return "task-1"


BOARDS = [ForgetsKeys, KeepsWhatIsCancelled, StumblesOverTheUnknown, GivesOneId]


# -- clocks


class RunsBack(SystemClock):
    """Now and then it is earlier than it was."""

    def __init__(self):
        self._readings = itertools.count(1)

    def now(self):
        return super().now() - timedelta(seconds=5 * (next(self._readings) % 7 == 0))


class HasNoZone:
    """It shows what a clock on the wall does."""

    def now(self):
        return datetime(2026, 3, 2, 9)


class SetsTheHour:
    """It can be set, to whole hours."""

    def __init__(self):
        self._now = SystemClock().now()

    def now(self):
        return self._now

    def set(self, instant):
        self._now = instant.replace(minute=0, second=0, microsecond=0)


CLOCKS = [RunsBack, HasNoZone, SetsTheHour]


# -- looking for them


def found_by(contract):
    """The tests of a contract that fail, by name; each of its cases is run as pytest would."""
    return {name for name, function in inspect.getmembers(contract, inspect.isfunction) if _fails(contract, function)}


def _fails(contract, function):
    if not function.__name__.startswith("test_"):
        return False
    marks = [mark for mark in getattr(function, "pytestmark", ()) if mark.name == "parametrize"]
    cases = [[{mark.args[0]: value} for value in mark.args[1]] for mark in marks]
    for case in itertools.product(*cases):
        with tempfile.TemporaryDirectory() as folder:
            own = contract()
            thing = own.make(Path(folder)) if "folder" in inspect.signature(own.make).parameters else own.make()
            rest = {name: value for each in case for name, value in each.items()}
            if "tmp_path" in inspect.signature(function).parameters:
                rest["tmp_path"] = Path(folder)
            try:
                function(own, thing, **rest)
            except Exception:  # noqa: BLE001 - however it fails
                return True
    return False
