"""Bugs that were planted on purpose, each caught by the contract and by the machine that should catch it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sequencer import MemoryStore, RecordingMailer, RecordingTaskBoard, Rejected, SystemClock
from sequencer.testing import (
    ClockContract,
    MailerContract,
    RefusingMailerContract,
    StoreContract,
    TaskBoardContract,
    engine_machine,
)
from tests.testing import planted
from tests.testing.planted import found_by

# Only looked for, not made small; the same stories at every run. Long ones: two of sixty steps see more than four of
# thirty, since what is planted shows where much has happened before.
BRIEFLY = settings(
    max_examples=300,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def stores(kind):
    class Contract(StoreContract):
        def make(self, folder):
            return kind()

    return Contract


def mailers(kind):
    class Contract(RefusingMailerContract):
        def make(self, folder):
            return kind()

        def left(self, mailer):
            return [mail.to for mail in mailer.sent]

        def refuse(self, mailer, *, permanent):
            mailer.fail(Rejected("no", permanent=permanent))

    return Contract


def boards(kind):
    class Contract(TaskBoardContract):
        def make(self, folder):
            return kind()

        def open(self, board):
            return [task.id for task in board.open]

    return Contract


def clocks(kind):
    class Contract(ClockContract):
        def make(self):
            return kind()

    return Contract


@pytest.mark.parametrize(
    ("contract", "right"),
    [(stores, MemoryStore), (mailers, RecordingMailer), (boards, RecordingTaskBoard), (clocks, SystemClock)],
)
def test_what_is_right_passes(contract, right):
    """Where nothing is planted nothing is found."""
    assert found_by(contract(right)) == set()


@pytest.mark.parametrize(
    ("contract", "bug", "test"),
    [
        (stores, planted.TakesAnyFence, "test_a_stale_claim_is_refused"),
        (stores, planted.KeepsNoLease, "test_a_lease_keeps_others_away_until_it_ends"),
        (stores, planted.LosesTheLastEvent, "test_a_move_to_another_version"),
        (stores, planted.TellsEventsAgain, "test_the_stream_of_events"),
        (stores, planted.MixesAccounts, "test_suppression"),
        (stores, planted.SaysThatItIsStored, "test_somebody_was_faster"),
        (stores, planted.ForgetsReports, "test_reports"),
        (stores, planted.ClaimsWhatIsNotDue, "test_claims_what_is_due_soonest_first"),
        (stores, planted.KeepsAddresses, "test_erase"),
        (stores, planted.CommitsWhatFailed, "test_a_block_that_fails_leaves_nothing"),
        (mailers, planted.Doubles, "test_a_mail_leaves_once"),
        (mailers, planted.SaysThatItRecognisesKeys, "test_a_repeated_key"),
        (mailers, planted.TakesWordsForKeys, "test_two_keys_are_two_mails"),
        (mailers, planted.NotesTheKeyTooEarly, "test_a_refusal_for_now"),
        (mailers, planted.GivesUp, "test_a_refusal_for_now"),
        (mailers, planted.Raises, "test_a_refusal_for_good"),
        (mailers, planted.AnswersNothing, "test_a_mail_leaves_once"),
        (boards, planted.ForgetsKeys, "test_a_repeated_key"),
        (boards, planted.KeepsWhatIsCancelled, "test_a_task_is_taken_off"),
        (boards, planted.StumblesOverTheUnknown, "test_what_is_unknown_is_taken_off"),
        (boards, planted.GivesOneId, "test_two_keys_are_two_tasks"),
        (clocks, planted.RunsBack, "test_it_does_not_run_back"),
        (clocks, planted.HasNoZone, "test_it_shows_an_instant"),
        (clocks, planted.SetsTheHour, "test_it_shows_what_it_was_set_to"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_bug_is_found_by_the_contract(contract, bug, test):
    """A planted bug fails the test of the contract that is about it."""
    assert test in found_by(contract(bug))


def test_what_is_forgotten_with_the_process_is_found():
    """A mailer that recognises keys only while it lives is caught, since the next process asks again."""

    class Contract(MailerContract):
        def make(self, folder):
            return planted.ForgetsAtTheEnd(folder)

        def left(self, mailer):
            return ["ada@example.com" for _ in (mailer.path / "new").iterdir()]

        def reopen(self, mailer, folder):
            return planted.ForgetsAtTheEnd(folder)

    assert "test_a_repeated_key" in found_by(Contract)


def sent(mailer):
    return len(mailer.sent)


def open_tasks(board):
    return [task.id for task in board.open]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"store": planted.LosesTheLastEvent}, None),
        ({"store": planted.KeepsAddresses}, None),
        ({"mailer": planted.Doubles, "sent": sent}, "mails have left, where"),
        ({"mailer": planted.SaysThatItRecognisesKeys, "sent": sent}, "mails have left, where"),
        ({"mailer": planted.TakesWordsForKeys}, "two mails have one message id"),
        ({"mailer": planted.AnswersNothing}, "not None"),
        ({"tasks": planted.KeepsWhatIsCancelled, "open_tasks": open_tasks}, "was taken off, and is there"),
        ({"tasks": planted.GivesOneId}, "two tasks have one id"),
    ],
    ids=lambda value: next(iter(value.values())).__name__ if isinstance(value, dict) else "",
)
def test_a_bug_is_found_by_the_machine(how, says):
    """A planted bug makes one of the machine's stories fail, with a sentence that says what was seen."""
    machine = engine_machine(**{"store": MemoryStore, **how})

    with pytest.raises(Exception, match=says):
        run_state_machine_as_test(machine, settings=BRIEFLY)
