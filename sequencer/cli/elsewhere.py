"""What is not there: in which account it is, or which of those that are there may be meant.

A command without --account works for the account without a name, and is typed by whoever holds the whole file or
database: it says where something is instead. With --account nothing is told of another (S7), and over HTTP never.
"""

from __future__ import annotations

import argparse
import shlex

from sequencer.cli.options import Refusal, typed
from sequencer.core.errors import NotFound, StoreError
from sequencer.core.problems import closest
from sequencer.core.values import Identifier
from sequencer.engine.engine import Engine

__all__ = ["ELSEWHERE", "is_elsewhere", "redirected"]

_OTHERS = "people are enrolled in others, which `sequencer doctor` counts and --account names"
ELSEWHERE = f"That is in the account without a name; {_OTHERS}."


def is_elsewhere(engine: Engine, arguments: argparse.Namespace) -> bool:
    """Whether nobody is in the account without a name, which nobody asked for, and somebody in another."""
    if arguments.account is not None or engine.enrollments(limit=1):
        return False
    with engine.store.transaction(write=False) as transaction:
        try:
            # Whose it is does not matter: whoever is enrolled, ongoing or finished, has at least one event.
            return bool(transaction.events_after(0, 1))
        except StoreError:
            return False  # one that cannot be read; a hint is not worth an error


def redirected(error: NotFound, engine: Engine, arguments: argparse.Namespace) -> Refusal:
    """The refusal of what was not found, with a word about where it is, or which is meant, if there is one."""
    said = str(error)
    if not error.hint:
        where = None if arguments.account is not None else _where(error, engine, arguments)
        hint = where or (_meant(error, engine) if error.what == "sequence" else None)
        said += f"; {hint}" if hint else ""
    return Refusal(said, 1)


def _where(error: NotFound, engine: Engine, arguments: argparse.Namespace) -> str | None:
    id = error.identifier
    if isinstance(id, int) and error.what in ("enrollment", "task"):
        with engine.store.transaction(write=False) as transaction:
            if error.what == "enrollment":
                held = transaction.get(id)
                found = None if held is None else held.enrollment.account
            else:
                task = transaction.task(id)
                found = None if task is None else task.account
        return None if found is None else _of(found)
    if is_elsewhere(engine, arguments):
        return f"nobody is in the account without a name; {_OTHERS}"
    return None


def _of(account: Identifier) -> str:
    return f"it is in another account: --account {shlex.quote(typed(account))}"


def _meant(error: NotFound, engine: Engine) -> str:
    meant = closest(str(error.identifier), [each.key for each in engine.sequences()])
    return f"did you mean {meant!r}?" if meant else "`sequencer sequences` has the keys"
