"""The recording ports: they remember truly, and misbehave exactly as they are told."""

from __future__ import annotations

import threading

import pytest

from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
from sequencer.core.signals import EmailFailed, EmailSent
from sequencer.engine.ports import Accepted, Mailer, OutcomeUnknown, Pending, Rejected, TaskBoard
from sequencer.testing.contracts.asking import mail, task

BOUNCED = Rejected("no such user", permanent=True, recipient_fault=True)


def send(mailer, key="k-1-0-0", **changes):
    return mailer.send(mail(**changes), key=key, timeout=1)


def test_ports():
    """Both satisfy the Protocols that the engine asks for."""
    assert isinstance(RecordingMailer(), Mailer)
    assert isinstance(RecordingTaskBoard(), TaskBoard)


def test_accepts_everything_by_itself():
    """Without orders every mail is accepted, with a Message-ID made from its key, and remembered in order."""
    mailer = RecordingMailer()

    answers = [send(mailer, "k-1", to="ada@example.com"), send(mailer, "k-2", to="bob@example.com", attempt=2)]

    assert answers == [Accepted("<k-1@recording.invalid>"), Accepted("<k-2@recording.invalid>")]
    assert [(each.number, each.key, each.to, each.attempt) for each in mailer.sent] == [
        (1, "k-1", "ada@example.com", 1),
        (2, "k-2", "bob@example.com", 2),
    ]
    assert mailer.calls == mailer.sent == mailer.delivered
    assert [each.key for each in mailer.to("BOB@example.com ")] == ["k-2"]


def test_a_repeat_leaves_twice():
    """A mailer that does not deduplicate sends a repeated key again, and says that it was a repeat."""
    mailer = RecordingMailer()

    send(mailer)
    send(mailer, attempt=2)

    assert [each.attempt for each in mailer.sent] == [1, 2]
    assert [each.attempt for each in mailer.repeats] == [2]


def test_a_recognised_repeat_leaves_once():
    """A mailer that deduplicates answers a repeated key as before, and nothing leaves."""
    mailer = RecordingMailer(deduplicates=True)

    assert send(mailer) == send(mailer, attempt=2) == Accepted("<k-1-0-0@recording.invalid>")

    assert len(mailer.calls) == 2
    assert [each.attempt for each in mailer.sent] == [each.attempt for each in mailer.delivered] == [1]
    assert [each.attempt for each in mailer.repeats] == [2]


def test_a_refused_key_may_be_accepted_later():
    """A refusal is not remembered as an answer for the key: what was refused has not left."""
    mailer = RecordingMailer(deduplicates=True)
    mailer.fail()

    assert isinstance(send(mailer), Rejected)
    assert isinstance(send(mailer), Accepted)
    assert mailer.repeats == []


def test_refuses_as_often_as_it_is_told():
    """`fail` refuses the next mails with the given answer, as many as were said, and then accepts again."""
    mailer = RecordingMailer()
    mailer.fail(BOUNCED, times=2)

    assert [send(mailer), send(mailer), type(send(mailer))] == [BOUNCED, BOUNCED, Accepted]
    assert len(mailer.calls) == 3
    assert len(mailer.sent) == 1


def test_refuses_whom_it_is_told():
    """Orders can be for one address, for what a predicate says, and for good; until `behave`."""
    mailer = RecordingMailer()
    mailer.fail(BOUNCED, to="Ada@Example.com", times=None)
    mailer.fail(when=lambda email: email.position == 5)

    assert send(mailer, to="bob@example.com") == Accepted("<k-1-0-0@recording.invalid>")
    assert send(mailer, to="bob@example.com", position=5) == Rejected("refused by the recording mailer", False)
    assert send(mailer) == send(mailer) == BOUNCED
    mailer.behave()
    assert isinstance(send(mailer), Accepted)


@pytest.mark.parametrize("error", [ValueError, ConnectionResetError("gone"), KeyboardInterrupt])
def test_raises(error):
    """It can be told to raise, an error or a class of them; nothing has left then."""
    mailer = RecordingMailer()
    mailer.fail(error)

    with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
        send(mailer)

    assert mailer.calls[0].answer is caught.value
    assert mailer.sent == []


def test_loses_an_answer():
    """`lose` lets the mail leave and raises `OutcomeUnknown`; a mailer that deduplicates knows the key afterwards."""
    mailer = RecordingMailer(deduplicates=True)
    mailer.lose()

    with pytest.raises(OutcomeUnknown):
        send(mailer)

    assert len(mailer.sent) == len(mailer.delivered) == 1
    assert send(mailer, attempt=2) == Accepted("<k-1-0-0@recording.invalid>")
    assert len(mailer.sent) == 1


def test_answers_late():
    """`answer_late` makes it answer `Pending`; `settle` returns what the provider reports in the end."""
    mailer = RecordingMailer()
    mailer.answer_late(times=2)
    first, second = send(mailer, "k-1"), send(mailer, "k-2")
    assert (first, second) == (Pending("late-1"), Pending("late-2"))
    assert [each.key for each in mailer.late] == ["k-1", "k-2"]
    assert mailer.delivered == []

    (failed,) = mailer.settle(mailer.late[0], BOUNCED)
    (sent,) = mailer.settle()

    assert failed == EmailFailed(
        key="late-1-failed", provider_id="late-1", detail="no such user", permanent=True, recipient_fault=True
    )
    assert sent == EmailSent(key="late-2-sent", provider_id="late-2", message_id="<k-2@recording.invalid>")
    assert mailer.late == []
    assert [each.key for each in mailer.delivered] == ["k-2"]
    assert len(mailer.sent) == 2


def test_hangs_until_released():
    """`hang` holds a call, and only as many as were said, until it is released; then it is accepted."""
    mailer = RecordingMailer()
    answers = []
    with mailer.hang() as hang:
        caller = threading.Thread(target=lambda: answers.append(send(mailer, "slow")))
        caller.start()
        hang.wait()
        send(mailer, "quick")
        assert [each.key for each in mailer.sent] == ["quick"]
    caller.join(5)

    assert answers == [Accepted("<slow@recording.invalid>")]
    assert [each.key for each in mailer.sent] == ["quick", "slow"]


def test_waiting_for_a_hang_ends():
    """Waiting for a call that does not come ends with an error, not with a test that stands still."""
    with pytest.raises(TimeoutError):
        RecordingMailer().hang().wait(0.01)


def test_own_answer():
    """A callable can decide what is answered."""
    mailer = RecordingMailer(answer=lambda email, key: BOUNCED if email.to.startswith("x") else Accepted(key, "p-1"))

    assert send(mailer, to="x@example.com") == BOUNCED
    assert send(mailer) == Accepted("k-1-0-0", "p-1")
    assert len(mailer.sent) == 1


def test_orders_must_mean_something():
    """An order for less than one call is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        RecordingMailer().fail(times=0)


def test_threads():
    """Calls from several threads at once are all remembered, each with a number of its own."""
    mailer = RecordingMailer(deduplicates=True)
    threads = [
        threading.Thread(target=lambda: [send(mailer, f"k-{i}") for i in range(100)], daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [each.number for each in mailer.calls] == list(range(1, 401))
    assert len(mailer.sent) == 100
    assert len(mailer.repeats) == 300


def test_board_keeps_tasks():
    """The board gives each key one task, and knows which are open, completed and cancelled."""
    board = RecordingTaskBoard()
    ids = [board.create(task(), key=key) for key in ("a", "b", "c", "a")]
    board.cancel("task-2")
    board.cancel("task-2")
    board.cancel("nobody's")
    board.complete("task-3")

    assert ids == ["task-1", "task-2", "task-3", "task-1"]
    assert [(each.id, each.key, each.content) for each in board.open] == [("task-1", "a", "Call Ada")]
    assert [each.id for each in board.cancelled] == ["task-2"]
    assert board.cancel_calls == ["task-2", "task-2", "nobody's"]
    assert [key for key, _ in board.calls] == ["a", "b", "c", "a"]
    with pytest.raises(LookupError):
        board.complete("task-2")


def test_board_without_memory():
    """A board that does not deduplicate makes a second task of a repeated key."""
    board = RecordingTaskBoard(deduplicates=False)

    assert [board.create(task(), key="a"), board.create(task(), key="a")] == ["task-1", "task-2"]


def test_board_fails():
    """The board can be told to fail at creating and at cancelling; nothing has happened then."""
    board = RecordingTaskBoard()
    board.fail()
    with pytest.raises(ConnectionError):
        board.create(task(), key="a")
    assert board.tasks == []
    assert board.create(task(), key="a") == "task-1"

    board.fail(RuntimeError("no"), on="cancel")
    with pytest.raises(RuntimeError):
        board.cancel("task-1")
    assert len(board.open) == 1
    board.cancel("task-1")
    assert board.open == []


def test_board_loses_an_answer():
    """The board can be told to create a task and not to answer; a repeat finds the task."""
    board = RecordingTaskBoard()
    board.lose()
    with pytest.raises(OutcomeUnknown):
        board.create(task(), key="a")

    assert board.create(task(), key="a") == "task-1"
    assert len(board.tasks) == 1


def test_board_hangs():
    """The board can be told to hang, at creating or cancelling, until it is released."""
    board = RecordingTaskBoard()
    for verb, call in (("create", lambda: board.create(task(), key="a")), ("cancel", lambda: board.cancel("task-1"))):
        with board.hang(on=verb) as hang:
            caller = threading.Thread(target=call)
            caller.start()
            hang.wait()
            assert len(board.open) == (0 if verb == "create" else 1)
        caller.join(5)
    assert len(board.cancelled) == 1
    board.behave()
    assert repr(board) == "<RecordingTaskBoard: 0 open of 1>"
