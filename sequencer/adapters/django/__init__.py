"""An application for INSTALLED_APPS: the store's tables come with `manage.py migrate`, and there are two commands.

The setting `SEQUENCER_ENGINE` says where the project's engine is: the dotted path of an `Engine`, or of a function
without arguments that gives one.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

__all__ = ["project_engine"]


def project_engine() -> Any:
    """The engine that `SEQUENCER_ENGINE` names. Raises Django's `ImproperlyConfigured` where it names none."""
    path = getattr(settings, "SEQUENCER_ENGINE", None)
    if not isinstance(path, str):
        raise ImproperlyConfigured(
            f'SEQUENCER_ENGINE must be the dotted path of the project\'s Engine, such as "crm.sequences.engine", or of '
            f"a function that gives one; it is {path!r}"
        )
    try:
        found = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"SEQUENCER_ENGINE = {path!r} cannot be imported: {error}") from error
    engine = found() if callable(found) else found
    if not hasattr(engine, "tick"):
        raise ImproperlyConfigured(f"SEQUENCER_ENGINE = {path!r} is no Engine, and gives none, but {engine!r}")
    return engine
