"""Every situation that an enrollment can be in: state x status of the current step x kind, each reached by signals."""

from __future__ import annotations

from collections.abc import Callable

from sequencer.core.delays import Hours
from sequencer.core.signals import (
    Block,
    EmailFailed,
    EmailSent,
    Finish,
    Skip,
    Start,
    TaskDeleted,
    TaskFailed,
)
from tests.core.driving import FORGETS_KEYS, KNOWS_KEYS, Run, mail, task


def _mails(**fields):
    return Run(mail(), mail(Hours(24)), task(Hours(24)), **fields)


def _tasks(**fields):
    return Run(task(), mail(Hours(24)), mail(Hours(24)), **{"handling": FORGETS_KEYS, **fields})


def _marked(run: Run) -> Run:
    return run.hand_over()


def _unmarked(run: Run) -> Run:
    return run.due()


def _awaiting(run: Run) -> Run:
    return run.hand_over().pend()


def _in_progress(run: Run) -> Run:
    return run.hand_over().accept()


def _unknown(run: Run) -> Run:
    """A worker died after the start mark, and the port cannot tell repeated keys."""
    return run.hand_over().later(minutes=5).due()


def _refused(run: Run) -> Run:
    return run.hand_over().refuse(detail="no such user", permanent=True)


def _task_failed(run: Run) -> Run:
    run.hand_over()
    return run.do(TaskFailed(effect_key=run.key(), attempt=1, permanent=True))


def _task_deleted(run: Run) -> Run:
    return _in_progress(run).do(TaskDeleted(task_id="task-0"))


def _retrying(run: Run) -> Run:
    run.hand_over()
    kind = EmailFailed if run[0].step.is_email else TaskFailed
    return run.do(kind(effect_key=run.key(), attempt=1, permanent=False))


def _last_over(run: Run) -> Run:
    run.hand_over().accept()
    return run.do(Skip()).do(Skip())


def _completed(run: Run) -> Run:
    run = Run(mail(), handling=run.handling)
    return run.hand_over().do(EmailSent(effect_key=run.key(), attempt=1, message_id="<0>"))


_BEGUN: dict[str, Callable[[], Run]] = {
    "email pending": _mails,
    "email retrying": lambda: _retrying(_mails()),
    "email unmarked": lambda: _unmarked(_mails()),
    "email marked": lambda: _marked(_mails()),
    "email deduplicated": lambda: _unmarked(_mails(handling=KNOWS_KEYS)),
    "email awaiting": lambda: _awaiting(_mails()),
    "task pending": _tasks,
    "task retrying": lambda: _retrying(_tasks()),
    "task unmarked": lambda: _unmarked(_tasks()),
    "task marked": lambda: _marked(_tasks()),
    "task in_progress": lambda: _in_progress(_tasks()),
}
_FAILED: dict[str, Callable[[], Run]] = {
    "email refused": lambda: _refused(_mails()),
    "email unknown": lambda: _unknown(_mails()),
    "task unknown": lambda: _unknown(_tasks()),
    "task failed": lambda: _task_failed(_tasks()),
    "task deleted": lambda: _task_deleted(_tasks()),
}


def _then(make: Callable[[], Run], signal: object) -> Callable[[], Run]:
    return lambda: make().do(signal)


SITUATIONS: dict[str, Callable[[], Run]] = {
    **{f"active, {name}": make for name, make in _BEGUN.items()},
    **{f"paused, {name}": _then(make, Block()) for name, make in _BEGUN.items()},
    **{f"failed, {name}": make for name, make in _FAILED.items()},
    **{f"finished, {name}": _then(make, Finish(actor_id=3)) for name, make in {**_BEGUN, **_FAILED}.items()},
    "finished, completed": lambda: _completed(_mails()),
    "finished, skipped": lambda: _last_over(_mails()),
}


def started(run: Run) -> Start:
    """The start mark of the current step."""
    return Start(run.key(run.enrollment.position), run[run.enrollment.position].attempt)
