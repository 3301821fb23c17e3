"""The door of the HTTP API: what it gives, and what it costs to open."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sequencer.http


def test_opening_it_imports_nothing():
    """Importing the package brings neither FastAPI nor anything else of the extra, and of itself only the door."""
    script = "import sys, sequencer; was = set(sys.modules); import sequencer.http; print(*set(sys.modules) - was)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == {"sequencer.http"}


def test_every_name_is_there():
    """What the door promises can be imported from it; what it does not have is missed as elsewhere."""
    for name in sequencer.http.__all__:
        assert getattr(sequencer.http, name) is not None

    assert dir(sequencer.http) == sorted(sequencer.http.__all__)
    assert set(sequencer.http._WHERE) == set(sequencer.http.__all__)
    with pytest.raises(AttributeError, match="no attribute 'campaigns'"):
        sequencer.http.campaigns  # type: ignore[attr-defined]  # noqa: B018 - looking is all that is done
