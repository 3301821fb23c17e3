"""APScheduler 3: a job a step with a date trigger, in a persistent job store, which mails and adds the next one.

As its documentation advises: the SQLAlchemy job store; the default thread pool of ten; `misfire_grace_time=None`, so
that a job which is late still runs.
"""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.peers.work import Post, given

GIVEN = given()
POST = Post(GIVEN.mails)
DONE = threading.Semaphore(0)

if GIVEN.place.startswith("sqlite"):
    # A log written ahead is faster and as durable; the setting stays in the file.
    sqlite3.connect(GIVEN.place.removeprefix("sqlite:///")).execute("PRAGMA journal_mode = WAL").close()

scheduler = BackgroundScheduler(
    jobstores={"default": SQLAlchemyJobStore(url=GIVEN.place)},
    executors={"default": ThreadPoolExecutor(GIVEN.settings["threads"])},
    job_defaults={"misfire_grace_time": None},
    timezone=UTC,
)


def step(enrollment: int, position: int) -> None:
    POST.send(enrollment, position)
    if position + 1 < GIVEN.steps:
        schedule(enrollment, position + 1)
    else:
        DONE.release()


def schedule(enrollment: int, position: int) -> None:
    scheduler.add_job(
        step,
        "date",
        run_date=datetime.now(UTC),
        args=(enrollment, position),
        id=f"{enrollment}-{position}",
    )


def main() -> None:
    scheduler.start(paused=True)
    for enrollment in range(GIVEN.enrollments):
        schedule(enrollment, 0)
    scheduler.resume()
    for _ in range(GIVEN.enrollments):
        DONE.acquire()
    scheduler.shutdown()


main()
