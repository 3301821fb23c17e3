"""Celery with Redis: a task a step, which mails and then sends the next one with a countdown.

As its documentation advises for what must not be lost: `acks_late` with `reject_on_worker_lost`, so that a task is
acknowledged when it is done; no results are kept, since nobody reads them; one process a core.
"""

from __future__ import annotations

from celery import Celery

from benchmarks.peers.work import Post, given

GIVEN = given()
POST = Post(GIVEN.mails)

app = Celery("beside", broker=GIVEN.place)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="step")
def step(enrollment: int, position: int) -> None:
    POST.send(enrollment, position)
    if position + 1 < GIVEN.steps:
        step.apply_async((enrollment, position + 1), countdown=GIVEN.settings["countdown"])


for each in range(GIVEN.enrollments):
    step.apply_async((each, 0), countdown=GIVEN.settings["countdown"])
# Runs until it is told to end, which whoever watches the mails does.
app.worker_main(
    ["worker", "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--pool", GIVEN.settings["pool"]]
    + (["--concurrency", str(GIVEN.settings["concurrency"])] if "concurrency" in GIVEN.settings else [])
    + (["--prefetch-multiplier", str(GIVEN.settings["prefetch"])] if "prefetch" in GIVEN.settings else [])
)
