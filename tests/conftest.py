"""What all tests share: the profiles of Hypothesis, and which copy of the package is being tested."""

from __future__ import annotations

import gc
import os
import sysconfig
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import sequencer

# No profile has deadlines: on a busy machine they measure the neighbours. For the same reason a strategy that is slow
# to draw from is no failure. What is too slow is found by the benchmarks.
#
# Fewer examples than Hypothesis's hundred, since there are hundreds of properties, and every run draws others.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
# The same examples at every run: a change is refused for what it does, not for what another seed would have found.
# New counterexamples are looked for by hand and overnight, with `thorough`.
settings.register_profile("ci", settings.get_profile("quick"), derandomize=True, print_blob=True, database=None)
# Where the question is not whether the code is right, but whether all of it is there: the tests of an installed wheel.
settings.register_profile("brief", settings.get_profile("ci"), max_examples=3)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5_000, stateful_step_count=100)
settings.load_profile("ci" if os.environ.get("CI") else "quick")


def _origin() -> Path:
    return Path(next(iter(sequencer.__path__))).resolve()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--one-of-each`."""
    parser.addoption("--one-of-each", action="store_true", help="of each parametrized test run one case only")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what was collected out of the garbage collector's sight.

    Thousands of tests and all that they have imported stay until the end: to walk through them at every collection cost
    several times as much as some tests themselves.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)  # what `-m` and `-k` leave is what there is to choose from
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--one-of-each`, leave one case of each test, and not always the first: every store has its share."""
    if not config.getoption("one_of_each"):
        return
    cases: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    kept = {each[n % len(each)].nodeid for n, each in enumerate(cases.values())}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
    items[:] = [item for item in items if item.nodeid in kept]


def pytest_configure() -> None:
    """Refuse to test the checkout where the built wheel is meant (SEQUENCER_TEST_INSTALLED=1)."""
    installed = Path(sysconfig.get_path("purelib")).resolve()
    if os.environ.get("SEQUENCER_TEST_INSTALLED") and not _origin().is_relative_to(installed):
        message = f"the installed package is to be tested, but sequencer was imported from {_origin()}"
        raise pytest.UsageError(message)


def pytest_report_header() -> str:
    """Say which copy of the package is being tested, and how."""
    return f"sequencer from {_origin()}; hypothesis profile {settings.get_current_profile_name()}"
