"""The application's configuration: the store's tables are made and brought up to date when the project's are."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from sequencer.adapters.django import project_engine


class SequencerConfig(AppConfig):
    """`sequencer.adapters.django` in INSTALLED_APPS."""

    name = "sequencer.adapters.django"
    label = "sequencer"
    verbose_name = "Sequencer"

    def ready(self) -> None:
        """Wait for the end of `migrate`: of a deployment's, and of that which makes a test database."""
        post_migrate.connect(_migrate, sender=self)


def _migrate(*, using: str, verbosity: int = 1, stdout: Any = None, **rest: Any) -> None:
    store = project_engine().store
    # A store that is elsewhere is no business of this database's.
    if getattr(store, "using", None) == using:
        applied = store.migrate()
        if applied and verbosity >= 1:
            (stdout or sys.stdout).write(f"  Applied {len(applied)} migration(s) of the sequencer's tables\n")
