"""DBOS: a workflow an enrollment, which sleeps durably and mails in a step, five times.

As its documentation advises: a queue for many workflows at once, filled by a client before the worker is launched;
asynchronous workflows and steps, or synchronous ones on its threads.
"""

from __future__ import annotations

import sqlite3
import time

from dbos import DBOS, DBOSClient

from benchmarks.peers.work import Post, given

GIVEN = given()
POST = Post(GIVEN.mails)
NAME = "beside"

if GIVEN.place.startswith("sqlite"):
    # A log written ahead is faster and as durable; the setting stays in the file.
    sqlite3.connect(GIVEN.place.removeprefix("sqlite:///")).execute("PRAGMA journal_mode = WAL").close()

DBOS(
    config={
        "name": NAME,
        "system_database_url": GIVEN.place,
        "run_admin_server": False,
        "log_level": "ERROR",
        "application_version": "1",
    }
)


@DBOS.step()
def mail(enrollment: int, position: int) -> None:
    POST.send(enrollment, position)


@DBOS.workflow(name="sequence")
def sequence(enrollment: int) -> None:
    for position in range(GIVEN.steps):
        DBOS.sleep(0)
        mail(enrollment, position)


@DBOS.step()
async def mail_async(enrollment: int, position: int) -> None:
    POST.send(enrollment, position)


@DBOS.workflow(name="sequence_async")
async def sequence_async(enrollment: int) -> None:
    for position in range(GIVEN.steps):
        await DBOS.sleep_async(0)
        await mail_async(enrollment, position)


def main() -> None:
    DBOS.launch()
    concurrency = GIVEN.settings["concurrency"]
    client = DBOSClient(system_database_url=GIVEN.place)
    for enrollment in range(GIVEN.enrollments):
        client.enqueue(
            {
                "workflow_name": GIVEN.settings["workflow"],
                "queue_name": "sequences",
                "app_version": "1",
                "application_name": NAME,
            },
            enrollment,
        )
    DBOS.register_queue("sequences", worker_concurrency=concurrency, polling_interval_sec=0.1)
    while client.list_workflows(status=["ENQUEUED", "PENDING"], limit=1, load_input=False):
        time.sleep(0.5)
    DBOS.destroy()


main()
