"""A worker process of procrastinate that ticks, as the tests start it."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector

from sequencer import Accepted, Email, Engine, PostgresStore
from sequencer.adapters.procrastinate import schedule_ticks


def app_in(dsn: str, schema: str) -> App:
    """An app of procrastinate, with its tables in a schema."""
    path = f'"{schema}"'.replace(" ", r"\ ")
    conninfo = psycopg.conninfo.make_conninfo(dsn, options=f"-csearch_path={path}")
    return App(connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))


class FolderMailer:
    """Recognises repeated keys by a file for each; keeps a line for each call; and waits, where it is told to."""

    def __init__(self, folder: Path, *, deduplicates: bool, together: int = 1, hang_after: int | None = None) -> None:
        self.deduplicates = deduplicates
        self.folder = folder
        self.together = together
        self.hang_after = hang_after
        self.taken = 0

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted:
        with (self.folder / "calls").open("a", encoding="utf-8") as calls:
            calls.write(f"{os.getpid()} {key}\n")
        (self.folder / key).touch(exist_ok=self.deduplicates)
        self.taken += 1
        if self.hang_after is not None and self.taken > self.hang_after:
            (self.folder / f"hangs {os.getpid()}").touch()
            time.sleep(3600)
        while self.taken > 2 and len({pid for pid, _ in calls_in(self.folder)}) < self.together:
            time.sleep(0.01)
        return Accepted(f"<{key}>")


def calls_in(folder: Path) -> list[list[str]]:
    """The calls of the mailer so far, of all processes: the process, and the key."""
    path = folder / "calls"
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main(argument: str) -> None:
    """Work until a signal comes; the argument is JSON."""
    given: dict[str, Any] = json.loads(argument)
    app = app_in(given["dsn"], given["jobs"])
    mailer = FolderMailer(Path(given["folder"]), **given["mailer"])
    with closing(PostgresStore(given["dsn"], schema=given["store"])) as store:
        schedule_ticks(app, Engine(store, mailer=mailer, **given["engine"]), **given["ticks"])
        app.run_worker(fetch_job_polling_interval=0.2, concurrency=1, shutdown_graceful_timeout=2)
