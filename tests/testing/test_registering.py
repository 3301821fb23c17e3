"""Hypothesis knows our types, wherever the package is installed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import hypothesis
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
assert "sequencer.testing.strategies" not in sys.modules, "only when one is asked for"

import sequencer
from sequencer.core import signals
from sequencer.core.enrollment import EnrollmentStep
from sequencer.core.events import Event
from sequencer.simulation import Scenario, Span
from typing import get_args

FEW = settings(
    max_examples=3, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
names = "Hours Weekdays Window Calendar Policy Reaction Retry Unsubscribe Step AutomatedEmail Task Template Sequence"
kinds = [getattr(sequencer, name) for name in f"{names} SequenceVersion Resource Enrollment".split()]
kinds += [EnrollmentStep, Event, Scenario, Span, *signals.OUTSIDE.values(), *get_args(signals.Answer)]
for kind in kinds:
    @FEW
    @given(st.from_type(kind))
    def is_one(value):
        assert isinstance(value, kind), (kind, value)
    is_one()

@FEW
@given(...)
def by_annotations(sequence: sequencer.Sequence, start: sequencer.Hours):
    assert sequence.steps and start.n >= 0
by_annotations()
print(len(kinds))
"""


def test_from_type_knows_every_type():
    """In an environment where the package is installed, `st.from_type` makes valid values of all that a test meets."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
