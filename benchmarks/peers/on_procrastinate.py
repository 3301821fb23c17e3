"""Procrastinate: a task a step, which mails and then defers the next one for later (`schedule_in`).

As its documentation advises: asynchronous tasks, so that one worker runs many at once (`concurrency`); the first jobs
in one batch; a worker that ends when nothing is left (`wait=False`).
"""

from __future__ import annotations

import asyncio

import procrastinate

from benchmarks.peers.work import Post, given

GIVEN = given()
POST = Post(GIVEN.mails)
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=GIVEN.place, max_size=GIVEN.settings["connections"])
)


@app.task(name="step")
async def step(enrollment: int, position: int) -> None:
    POST.send(enrollment, position)
    if position + 1 < GIVEN.steps:
        await step.configure(schedule_in={"seconds": 0}).defer_async(enrollment=enrollment, position=position + 1)


async def main() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await step.configure(schedule_in={"seconds": 0}).batch_defer_async(
            *({"enrollment": enrollment, "position": 0} for enrollment in range(GIVEN.enrollments))
        )
        await app.run_worker_async(
            concurrency=GIVEN.settings["concurrency"], delete_jobs=GIVEN.settings["delete_jobs"], wait=False
        )


asyncio.run(main())
