"""The test kit: for those who test their own sequences, and their own stores, mailers, task boards and clocks.

It needs the extra `testing` (Hypothesis and pytest). Importing this package imports nothing else: what a name needs is
imported when the name is asked for, so that a plugin of pytest may live here without costing every run.
"""

from typing import TYPE_CHECKING

from sequencer.doors import door

if TYPE_CHECKING:
    from sequencer.testing.assertions import assert_expected, assert_history, assert_plan, assert_sent, assert_state
    from sequencer.testing.contracts.board import TaskBoardContract
    from sequencer.testing.contracts.clock import ClockContract
    from sequencer.testing.contracts.mailer import HangingMailerContract, MailerContract, RefusingMailerContract
    from sequencer.testing.contracts.store import StoreContract
    from sequencer.testing.machine import engine_machine
    from sequencer.testing.strategies import (
        calendars,
        delays,
        enrollments,
        histories,
        policies,
        resources,
        scenarios,
        sequences,
        signals,
        starts,
        steps,
        windows,
        zones,
    )

__all__ = [
    "ClockContract",
    "HangingMailerContract",
    "MailerContract",
    "RefusingMailerContract",
    "StoreContract",
    "TaskBoardContract",
    "assert_expected",
    "assert_history",
    "assert_plan",
    "assert_sent",
    "assert_state",
    "calendars",
    "delays",
    "engine_machine",
    "enrollments",
    "histories",
    "policies",
    "resources",
    "scenarios",
    "sequences",
    "signals",
    "starts",
    "steps",
    "windows",
    "zones",
]

_WHERE = {
    "ClockContract": "sequencer.testing.contracts.clock",
    "HangingMailerContract": "sequencer.testing.contracts.mailer",
    "MailerContract": "sequencer.testing.contracts.mailer",
    "RefusingMailerContract": "sequencer.testing.contracts.mailer",
    "StoreContract": "sequencer.testing.contracts.store",
    "TaskBoardContract": "sequencer.testing.contracts.board",
    "assert_expected": "sequencer.testing.assertions",
    "assert_history": "sequencer.testing.assertions",
    "assert_plan": "sequencer.testing.assertions",
    "assert_sent": "sequencer.testing.assertions",
    "assert_state": "sequencer.testing.assertions",
    "engine_machine": "sequencer.testing.machine",
    "calendars": "sequencer.testing.strategies",
    "delays": "sequencer.testing.strategies",
    "enrollments": "sequencer.testing.strategies",
    "histories": "sequencer.testing.strategies",
    "policies": "sequencer.testing.strategies",
    "resources": "sequencer.testing.strategies",
    "scenarios": "sequencer.testing.strategies",
    "sequences": "sequencer.testing.strategies",
    "signals": "sequencer.testing.strategies",
    "starts": "sequencer.testing.strategies",
    "steps": "sequencer.testing.strategies",
    "windows": "sequencer.testing.strategies",
    "zones": "sequencer.testing.strategies",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = door(__name__, _WHERE)
