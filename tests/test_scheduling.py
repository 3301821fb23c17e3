"""What `docs/scheduling.md` shows is true: each way to call `tick` is started for real, as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sequencer import AutomatedEmail, Calendar, Engine, PostgresStore, Resource, Sequence, SQLiteStore, Step, Template
from tests.postgres import new_database
from tests.test_docs import ROOT, blocks, of

PAGE = ROOT / "docs" / "scheduling.md"
SEQUENCE = Sequence(
    "Welcome",
    [Step(AutomatedEmail(1))],
    calendar=Calendar("UTC", working_days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    templates={1: Template("Hello", "There")},
)
ADA = Resource("lead", 1, email="ada@example.com")
LONGEST = 60.0  # seconds for anything to happen at all

# A worker and a beat of Celery in one process, on a broker that lives in it. As the page has it, but once a second.
CELERY = """
import threading, time
from celery.beat import EmbeddedService, Scheduler
from celery.contrib.testing.worker import start_worker
from pathlib import Path
from crm import celery

celery.conf.beat_schedule["tick"]["schedule"] = 1.0
with start_worker(celery, perform_ping_check=False):
    beat = EmbeddedService(celery, thread=True, scheduler_cls=Scheduler)
    beat.start()
    while not list(Path("outbox/new").iterdir()):
        time.sleep(0.05)
    beat.stop()
"""


def shown(pattern: str) -> list[str]:
    """The commands that the page shows, by what is before them in their line."""
    return [
        found for block in blocks(PAGE.read_text("utf-8")) for found in re.findall(pattern, block.text, re.MULTILINE)
    ]


*PYTHON, JOBS = of(PAGE, "python")
(SERVICE,) = shown(r"^ExecStart=(.*)$")
CRONTAB = shown(r"^\* \* \* \* \*  cd /srv/crm && (.*)$")
APPLY, WORK = shown(r"^(procrastinate .*)$")
EVERY_WAY = {  # and whether it goes on by itself
    "a loop": ("python -c 'import crm; crm.work()'", True),
    "systemd": (SERVICE, True),
    **{f"cron, line {n}": (line, False) for n, line in enumerate(CRONTAB, 1)},
    "Celery": (f"python -c {shlex.quote(CELERY)}", False),
}


def started(command: str, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """The command as it would be typed in the folder, with the programs of this environment."""
    program, *arguments = shlex.split(command)
    name = Path(program).name
    return subprocess.Popen(
        [sys.executable, *([] if name == "python" else ["-m", name]), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), **environment},
    )


def ended(process: subprocess.Popen[bytes], folder: Path, *, goes_on: bool) -> int:
    """How the process ended, after the mail was there; one that goes on by itself is told to end."""
    new, end = folder / "outbox" / "new", time.monotonic() + LONGEST
    try:
        while not (new.is_dir() and list(new.iterdir())):
            assert process.poll() in {None, 0}
            assert time.monotonic() < end, "no mail has left"
            time.sleep(0.05)
        if goes_on:
            process.terminate()
        return process.wait(LONGEST)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("command", "goes_on"), EVERY_WAY.values(), ids=EVERY_WAY)
def test_every_way_to_tick(tmp_path, command, goes_on):
    """Each way that the page shows hands over what is due, and ends well when it is over or told to end."""
    (tmp_path / "crm.py").write_text("\n\n".join(block.text for block in PYTHON), "utf-8")
    with closing(SQLiteStore(tmp_path / "crm.db")) as store:
        Engine(store).enroll(SEQUENCE, ADA)

    assert ended(started(command, tmp_path, BROKER_URL="memory://"), tmp_path, goes_on=goes_on) == 0


def test_the_workers_of_procrastinate_tick(tmp_path):
    """The two commands for procrastinate make its tables and hand over what is due."""
    (tmp_path / "crm_jobs.py").write_text(JOBS.text, "utf-8")
    with new_database() as database:
        with closing(PostgresStore(database)) as store:
            Engine(store).enroll(SEQUENCE, ADA)

        assert started(APPLY, tmp_path, DATABASE_URL=database).wait(LONGEST) == 0
        assert ended(started(WORK, tmp_path, DATABASE_URL=database), tmp_path, goes_on=True) == 0
