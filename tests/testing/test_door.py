"""The door of the kit: what it gives, and what it costs to open."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import sequencer.testing


def test_every_name_is_there():
    """What the door promises can be imported from it, and is the thing of that name where it is made."""
    for name in sequencer.testing.__all__:
        assert getattr(sequencer.testing, name).__name__ == name

    assert dir(sequencer.testing) == sorted(sequencer.testing.__all__)
    assert set(sequencer.testing._WHERE) == set(sequencer.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'campaigns'"):
        sequencer.testing.campaigns  # type: ignore[attr-defined]  # noqa: B018 - looking is all that is done


def test_opening_it_imports_nothing():
    """Importing the package brings neither Hypothesis nor pytest, and of itself only the door."""
    script = "import sys, sequencer; was = set(sys.modules); import sequencer.testing; print(*set(sys.modules) - was)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == {"sequencer.testing"}


def test_assertions_need_no_extra():
    """The assertions import neither Hypothesis nor pytest: they work in a test of any framework."""
    script = "import sys; import sequencer.testing.assertions; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert {"hypothesis", "pytest"} & set(done.stdout.split()) == set()


def test_every_module_can_be_imported_alone():
    """No module of the kit needs another one to have been imported before it."""
    for name in ("laws", "registering", "contracts.workbench", "contracts.asking", "strategies.timing"):
        importlib.import_module(f"sequencer.testing.{name}")
