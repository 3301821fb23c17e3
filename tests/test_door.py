"""The public door: every name is at hand, for programs and for type checkers, and costs nothing until it is used."""

from __future__ import annotations

import ast
import copy
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sequencer
from sequencer import _MODULES, Hours, Resource, Weekdays

DOOR = Path(next(iter(sequencer.__path__))) / "__init__.py"


def for_type_checkers() -> dict[str, str]:
    """What the door imports under `if TYPE_CHECKING`, each name with its module."""
    return {
        alias.asname or alias.name: node.module or ""
        for block in ast.parse(DOOR.read_text(encoding="utf-8")).body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def in_a_fresh_process(script: str) -> set[str]:
    """The names of all modules that are there after a script."""
    script += "\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_type_checkers_see_what_programs_see():
    """The table for programs, the imports for type checkers and `__all__` have the same names from the same modules."""
    assert for_type_checkers() == _MODULES
    assert list(_MODULES) == sequencer.__all__ == sorted(sequencer.__all__)


@pytest.mark.parametrize("name", sequencer.__all__)
def test_every_name_is_what_its_module_has(name):
    """A name of the door is the very thing of that name in its module."""
    assert getattr(sequencer, name) is getattr(import_module(_MODULES[name]), name)
    assert name in vars(sequencer), "asked for once, it is there"


def test_what_is_not_there_is_missed_as_elsewhere():
    """A name that the door does not have is an error of the usual kind, and named."""
    with pytest.raises(AttributeError, match=r"module 'sequencer' has no attribute 'Campaign'"):
        sequencer.Campaign  # type: ignore[attr-defined]  # noqa: B018 - and mypy would say if it knew such a name
    with pytest.raises(ImportError, match="Campaign"):
        exec("from sequencer import Campaign")
    assert not hasattr(sequencer, "__wrapped__")


def test_the_door_lists_and_gives_all_of_it():
    """`dir` has every name before any was used, and a star imports every one."""
    namespace: dict[str, object] = {}
    exec("from sequencer import *", namespace)

    assert dir(sequencer) == sequencer.__all__
    assert namespace.keys() - {"__builtins__"} == set(sequencer.__all__)


def test_what_came_through_the_door_can_be_copied_and_sent():
    """Values and classes from the door survive pickling and copying, also into a process that has imported nothing."""
    values = [Hours(24), Weekdays(3), Resource("lead", 42, email="ada@example.com", fields={"name": "Ada"}), Hours]

    assert pickle.loads(pickle.dumps(values)) == copy.deepcopy(values) == values
    script = f"import pickle; print(pickle.loads({pickle.dumps(values)!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(values)


def test_import_brings_nothing_along():
    """`import sequencer` loads no dependency, and nothing of itself but the door."""
    loaded = in_a_fresh_process("import sequencer")

    assert {each for each in loaded if each.partition(".")[0] == "sequencer"} == {"sequencer", "sequencer.doors"}
    assert loaded & {"attr", "attrs", "pendulum", "transitions", "datetime", "importlib.metadata"} == set()


def test_the_door_is_light():
    """What everybody uses of it loads no extra, no network, no database and none of the machinery for users' tests."""
    heavy = {
        "asyncio", "django", "email", "holidays", "http", "hypothesis", "icalendar", "numpy", "psycopg", "pytest",
        "rich", "smtplib", "socketserver", "sqlalchemy", "sqlite3", "ssl", "unittest", "yaml",
        "sequencer.cli", "sequencer.design", "sequencer.http", "sequencer.testing",
    }  # fmt: skip
    # All but what brings a store, a parser or a wire along.
    names = [
        name
        for name, module in _MODULES.items()
        if not module.startswith(("sequencer.stores", "sequencer.definitions", "sequencer.adapters"))
        or module == "sequencer.adapters.recording"
    ]
    loaded = in_a_fresh_process(f"from sequencer import {', '.join(names)}")

    assert len(names) > 70
    assert heavy & loaded == set()
