"""`manage.py sequencer_tick`: hand over what is due."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from sequencer.adapters.django import project_engine
from sequencer.core.errors import SequencerError


class Command(BaseCommand):
    """One pass over what is due, for a cron; or the worker's loop."""

    help = "Hand over what is due, once; or with --loop again and again, until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What a pass may do at most, and whether there is a next one."""
        parser.add_argument("--limit", type=int, default=1000, help="enrollments of one pass (default: 1000)")
        parser.add_argument("--loop", action="store_true", help="go on: a worker of its own")
        parser.add_argument(
            "--seconds", type=float, default=1.0, help="with --loop, wait so long at most between passes (default: 1)"
        )

    def handle(self, *, limit: int, loop: bool, seconds: float, verbosity: int, **rest: Any) -> None:
        """Tick."""
        engine = project_engine()

        def told(report: Any) -> None:
            if verbosity >= 2 or not loop or report.handed_over or report.failed:
                self.stdout.write(f"{report.handed_over} handed over, {report.failed} failed")
            # As at the end of a request: a connection that the server has closed is not used again.
            close_old_connections()

        try:
            if not loop:
                told(engine.tick(limit))
                return
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            engine.run(stop=stop, poll=seconds, limit=limit, each=told)
        except SequencerError as error:
            raise CommandError(str(error)) from error
