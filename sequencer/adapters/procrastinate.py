"""Ticks as jobs of procrastinate: its workers, on as many machines as it has, hand over what is due.

What waits stays a row in the engine's store. A job only says that it is time to look, so a job may be lost, doubled,
late or dead without harm: what a tick takes is decided by claims, and what a dead one had claimed comes back after the
lease (law S3). From that follows how the jobs are made:

- A job holds no `lock`: one that died with its worker stays "doing" for ever, and would keep every other from running.
  Its `queueing_lock` counts only while it waits, so that ticks do not pile up where nobody works.
- A job is not retried: the next periodic one is the retry, and how often a mail is tried is for the engine to count
  (E4).
- A job names no enrollment: there is nothing in it that could be out of date.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Protocol

from sequencer.core.errors import InvalidInput
from sequencer.core.values import to_line, to_whole

try:
    from croniter import croniter
    from procrastinate import App, JobContext
    from procrastinate.exceptions import AlreadyEnqueued, JobAborted
    from procrastinate.tasks import Task
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError(
        "ticks as jobs need procrastinate 3: pip install 'sequencer[procrastinate]'", name="procrastinate"
    ) from error

__all__ = ["Ticking", "schedule_ticks"]


class _Report(Protocol):
    @property
    def claimed(self) -> int: ...
    @property
    def more(self) -> bool: ...


class Ticking(Protocol):
    """What is asked of an engine: `Engine.tick`."""

    def tick(self, limit: int, max_seconds: float | None, *, stop: threading.Event | None) -> _Report:
        """One pass over what is due."""
        ...


class _Aborted(threading.Event):
    """Is set once procrastinate wants the job to end, which a job on a thread has to ask for."""

    def __init__(self, context: JobContext) -> None:
        super().__init__()
        self._context = context

    def is_set(self) -> bool:
        return self._context.should_abort()


def schedule_ticks(
    app: App,
    engine: Ticking,
    *,
    cron: str = "* * * * *",
    at_once: int = 4,
    limit: int = 100,
    max_seconds: int = 30,
    queue: str = "sequencer",
    name: str = "sequencer.tick",
) -> Task[..., None, ...]:
    """Let the workers of `app` hand over what is due, whenever `cron` says (in UTC; a sixth field is seconds).

    A job passes over `limit` enrollments at a time until nothing is due, for at most `max_seconds` (and the mail that
    is under way then); where a pass leaves something due, up to `at_once` jobs share it. `max_seconds` should be less
    than what lies between two times of `cron`, so that these have ended when the next ones begin. A job that is
    aborted stops after the mail that is under way.

    `queue` and `name` are those of the jobs; an app with several engines gives each a name of its own. Returns the
    task: `.defer()` asks for a tick at once. Raises `InvalidInput`, and procrastinate's `TaskAlreadyRegistered`.
    """
    if not callable(getattr(app, "periodic", None)):  # not by its class: Django's app stands behind a proxy
        raise InvalidInput(f"needs a procrastinate.App, got {app!r}", path="app", code="invalid_type")
    if not callable(getattr(engine, "tick", None)):
        raise InvalidInput(f"needs an Engine, got {engine!r}", path="engine", code="invalid_type")
    to_line(cron, "cron")
    try:
        # Asked here: procrastinate would only find out in its workers, and end them.
        croniter(cron, 0).get_next()
    except ValueError as error:
        raise InvalidInput(
            f"needs five or six fields as in a crontab, like '* * * * *': {error}", path="cron"
        ) from None
    to_whole(at_once, "at_once", least=1, most=100)
    to_whole(limit, "limit", least=1, most=100_000)
    to_whole(max_seconds, "max_seconds", least=1, most=3600)

    # Not a coroutine: a tick blocks, so it belongs on a thread, where procrastinate runs plain functions.
    @app.periodic(cron=cron)
    @app.task(
        name=to_line(name, "name", longest=100),
        queue=to_line(queue, "queue", longest=128),
        queueing_lock=name,
        pass_context=True,
        retry=False,
    )
    def tick(context: JobContext, timestamp: int | None = None, *, share: bool = True) -> None:
        aborted, end = _Aborted(context), time.monotonic() + max_seconds
        while (left := end - time.monotonic()) > 0:
            report = engine.tick(limit, left, stop=aborted)
            if aborted.is_set():
                raise JobAborted
            if not (report.more and report.claimed):
                return
            for n in range(1, at_once) if share else ():
                with suppress(AlreadyEnqueued):
                    tick.configure(queueing_lock=f"{name} {n}").defer(share=False)
            share = False

    task: Task[Any, None, Any] = tick
    return task
