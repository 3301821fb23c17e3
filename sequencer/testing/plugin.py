"""The plugin of pytest: sequence files are tests, and tests of a host's own get an engine that needs no waiting.

pytest finds it by its entry point, `sequencer`, and imports it at every run of every project that has the package
installed. So it imports nothing but pytest: what a sequence file needs comes when the first one is met, and what a
fixture needs when it is asked for.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
    from sequencer.engine.engine import Engine
    from sequencer.simulation.clock import ManualClock

__all__ = [
    "MARKER",
    "PROFILES",
    "SUFFIXES",
    "profile_of",
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "sequence_board",
    "sequence_clock",
    "sequence_engine",
    "sequence_mailer",
    "since_of",
]

# Their asserts are to say what they compared, as those in a test file do.
pytest.register_assert_rewrite(
    "sequencer.testing.contracts",
    "sequencer.testing.laws",
    "sequencer.testing.machine",
)

SUFFIXES = (".sequence.yaml", ".sequence.yml", ".sequence.json")
"""How the names of the files end that are collected."""

PROFILES = ("quick", "thorough")
"""How much may be tried."""

MARKER = "sequence_file"
"""The marker of all that comes from a sequence file."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; each also as a setting of the project, which the option overrules."""
    group = parser.getgroup("sequencer", "sequence files")
    profile = "how much is tried: quick (some zones, one year; the default) or thorough (every zone, two years)"
    since = "the first date of enrolling, like 2026-01-31, so that every run tries the same; default: today"
    group.addoption("--sequence-profile", choices=PROFILES, help=profile)
    group.addoption("--sequence-since", metavar="DATE", help=since)
    parser.addini("sequence_profile", profile, default=PROFILES[0])
    parser.addini("sequence_since", since, default="")
    parser.addini("sequence_fields", "the merge fields that every person has, if that is known", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse settings that say nothing, and make the marker known."""
    config.addinivalue_line("markers", f"{MARKER}: what comes from a sequence file: its expectations and its findings")
    if profile_of(config) not in PROFILES:
        message = f"sequence_profile must be {' or '.join(PROFILES)}, got {profile_of(config)!r}"
        raise pytest.UsageError(message)
    if since_of(config):
        try:
            date.fromisoformat(since_of(config))
        except ValueError:
            message = f"sequence_since needs a date like 2026-01-31, got {since_of(config)!r}"
            raise pytest.UsageError(message) from None


def profile_of(config: pytest.Config) -> str:
    """The profile that was asked for."""
    return str(config.getoption("sequence_profile") or config.getini("sequence_profile"))


def since_of(config: pytest.Config) -> str:
    """The first date of enrolling that was asked for; empty for today."""
    return str(config.getoption("sequence_since") or config.getini("sequence_since"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Collect the expectations and the findings of a sequence file."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    from sequencer.testing.collecting import SequenceFile

    return SequenceFile.from_parent(parent, path=file_path)


@pytest.fixture
def sequence_clock() -> ManualClock:
    """A clock that moves when it is told to (`move`, `set`): `ManualClock`, at Monday 2 March 2026, 09:00 UTC."""
    from pendulum import datetime

    from sequencer.simulation.clock import ManualClock

    return ManualClock(datetime(2026, 3, 2, 9))


@pytest.fixture
def sequence_mailer() -> RecordingMailer:
    """A mailer that remembers (`sent`, `to(address)`) and misbehaves when told to (`fail`): `RecordingMailer`."""
    from sequencer.adapters.recording import RecordingMailer

    return RecordingMailer()


@pytest.fixture
def sequence_board() -> RecordingTaskBoard:
    """A task board that remembers (`tasks`, `open`, `cancelled`) and misbehaves when told to: `RecordingTaskBoard`."""
    from sequencer.adapters.recording import RecordingTaskBoard

    return RecordingTaskBoard()


@pytest.fixture
def sequence_engine(
    sequence_clock: ManualClock, sequence_mailer: RecordingMailer, sequence_board: RecordingTaskBoard
) -> Engine:
    """An `Engine` in memory on `sequence_clock`, `sequence_mailer` and `sequence_board`: enroll, then `run_until`."""
    from sequencer.engine.engine import Engine
    from sequencer.stores.memory import MemoryStore

    return Engine(store=MemoryStore(), mailer=sequence_mailer, tasks=sequence_board, clock=sequence_clock)
