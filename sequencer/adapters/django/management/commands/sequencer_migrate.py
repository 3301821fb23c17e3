"""`manage.py sequencer_migrate`: bring the store's tables up to date, or show what that would do."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sequencer.adapters.django import project_engine
from sequencer.core.errors import SequencerError


class Command(BaseCommand):
    """Make the store's tables, or bring them up to this release's schema."""

    help = "Make the tables of the project's engine, or bring them up to date. `manage.py migrate` does that, too."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to change anything."""
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
        parser.add_argument("--sql", action="store_true", help="print the SQL of it, and change nothing")

    def handle(self, *, dry_run: bool, sql: bool, verbosity: int, **rest: Any) -> None:
        """Migrate."""
        store = project_engine().store
        if not hasattr(store, "migrate"):
            raise CommandError(f"{store!r}, the store of the project's engine, has no tables")
        try:
            scripts = store.migrate(dry_run=dry_run or sql)
        except SequencerError as error:
            raise CommandError(str(error)) from error
        if sql:
            for script in scripts:
                self.stdout.write(script)
        elif not scripts:
            self.stdout.write("The tables are up to date.")
        else:
            self.stdout.write(f"{len(scripts)} migration(s) {'to apply' if dry_run else 'applied'}.")
