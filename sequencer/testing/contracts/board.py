"""What every task board keeps to (laws E1 to E3, L7). A board's own test is a subclass that says how it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest

from sequencer.core.enrollment import Resource
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.engine.engine import Engine
from sequencer.engine.ports import TaskBoard, TaskId
from sequencer.simulation.clock import ManualClock
from sequencer.stores.memory import MemoryStore
from sequencer.testing.contracts.asking import task
from sequencer.testing.contracts.threads import call_at_once

__all__ = ["TaskBoardContract"]

_MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
_MOST = 2**63


class TaskBoardContract:
    """The contract of task boards, for who writes one: tasks are put on it and taken off, and what is open looked at.

    Every test gets a board of its own from `make`; one whose making needs more than a folder overrides the fixture
    `board`. `close` is called at the end, where the board has it.
    """

    unknown: TaskId = "no-such-task"
    """An id that the board has never given."""

    def make(self, folder: Path) -> Any:
        """A new, empty board; `folder` is empty, and this test's own."""
        raise NotImplementedError(f"{type(self).__name__}.make says how a board is made")

    def open(self, board: Any) -> Collection[TaskId]:
        """The ids of the tasks that wait for somebody, each once for every task with that id."""
        raise NotImplementedError(f"{type(self).__name__}.open says which tasks are open")

    def reopen(self, board: Any, folder: Path) -> Any:
        """The board as the next process has it. The very same, where it does not outlive the process."""
        return board

    @pytest.fixture
    def board(self, tmp_path: Path) -> Iterator[Any]:
        """The board of one test."""
        board = self.make(tmp_path)
        yield board
        if hasattr(board, "close"):
            board.close()

    @staticmethod
    def _recognises(board: Any) -> bool:
        return bool(getattr(board, "deduplicates", True))

    def test_it_is_a_board(self, board: Any) -> None:
        """A board has `create` and `cancel`; where it cannot recognise a key, it says so with `deduplicates`."""
        assert isinstance(board, TaskBoard) or not hasattr(board, "deduplicates"), f"{board!r} lacks a method"
        assert callable(board.create)
        assert callable(board.cancel)
        assert isinstance(getattr(board, "deduplicates", True), bool)

    def test_a_task_is_created_once(self, board: Any) -> None:
        """One call is one task, whose id is a positive number below 2^63 or a text of up to 64 characters (S7)."""
        id = board.create(task(), key="k-1")

        assert isinstance(id, (int, str)), f"an id is a number or a text, not {id!r}"
        assert not isinstance(id, bool), f"an id is a number or a text, not {id!r}"
        assert 0 < id < _MOST if isinstance(id, int) else 0 < len(id) <= 64, f"no engine can keep the id {id!r}"
        assert list(self.open(board)) == [id]

    def test_two_keys_are_two_tasks(self, board: Any) -> None:
        """The same words under two keys are two tasks, with two ids: only the key makes a repeat (E2)."""
        ids = [board.create(task(), key=key) for key in ("k-1", "k-2")]

        assert len(set(ids)) == 2
        assert sorted(self.open(board), key=str) == sorted(ids, key=str)

    def test_a_repeated_key(self, board: Any, tmp_path: Path) -> None:
        """The task that is there is answered again, whichever process asks; unless `deduplicates` is False (E3)."""
        first = board.create(task(), key="k-1")
        again = board.create(task(attempt=2), key="k-1")

        if self._recognises(board):
            assert (type(again), again) == (type(first), first), "the repeat of a key has another id"
            assert self.reopen(board, tmp_path).create(task(attempt=3), key="k-1") == first
            assert list(self.open(board)) == [first], "the repeat of a key is another task"
        else:
            assert again != first, "two tasks have one id"

    def test_a_repeated_key_at_the_same_time(self, board: Any) -> None:
        """Workers that ask at the same time make as many tasks as there are keys, where keys count."""
        keys = ["k-1", "k-1", "k-2", "k-3"]
        ids = call_at_once([lambda key=key: board.create(task(), key=key) for key in keys])  # type: ignore[misc]

        assert len(set(ids)) == (3 if self._recognises(board) else 4)
        assert sorted(self.open(board), key=str) == sorted(set(ids), key=str)

    def test_a_task_is_taken_off(self, board: Any) -> None:
        """A task that is cancelled is open no more, and no other task is touched; a second time is no error."""
        first, second = (board.create(task(), key=key) for key in ("k-1", "k-2"))

        board.cancel(first)
        assert list(self.open(board)) == [second]
        board.cancel(first)
        assert list(self.open(board)) == [second]

    def test_what_is_unknown_is_taken_off(self, board: Any) -> None:
        """Taking off a task that the board does not know is no error: somebody may have deleted it."""
        kept = board.create(task(), key="k-1")

        board.cancel(self.unknown)

        assert list(self.open(board)) == [kept]

    @pytest.mark.parametrize(
        "what",
        [
            {"task_content": "Zadzwoń\n日本: x\n" + "word " * 500},
            {"actor_id": None, "account": "acme", "resource": Resource("contact", "c-7"), "metadata": {"kind": [None]}},
            {"due_at": pendulum.datetime(2026, 3, 29, 1, 30, 0, 123456, tz="UTC")},
        ],
        ids=["other scripts", "of an account", "due in a gap"],
    )
    def test_whatever_a_task_is_it_can_be_created(self, board: Any, what: dict[str, Any]) -> None:
        """A task that the engine can ask for is created."""
        id = board.create(task(**what), key="k-1")

        assert list(self.open(board)) == [id]

    def test_an_engine_and_its_board(self, board: Any) -> None:
        """Driven by an engine, tasks are there while they are to be done, and not after the end."""
        engine = Engine(MemoryStore(), tasks=board, clock=ManualClock(_MONDAY))
        sequence = Sequence("Contract", [Step(Task("Call")), Step(Task("Call again"))])
        done, given_up = (engine.enroll(sequence, Resource("lead", number)).id for number in (1, 2))
        engine.tick()
        ids = [engine.get(id).steps[0].task_id for id in (done, given_up)]
        assert sorted(self.open(board), key=str) == sorted(ids, key=str)

        assert ids[0] is not None
        engine.complete_task(ids[0])
        engine.finish(given_up)
        engine.tick()

        (second,) = [step.task_id for step in engine.get(done).steps[1:]]
        assert second is not None
        assert ids[1] not in self.open(board), "the task of an enrollment that has ended is still open"
        assert second in self.open(board)
