"""The machine: the real engine beside the naive model, with every verb, report, failure and death as a rule.

Each rule predicts from the model what the engine will answer, does it, and holds one against the other. What a tick
does is predicted only loosely, call by call; it is held to the laws by the checks at the moment of each hand-over
(`world.py`) and by the invariants below, which run after every rule.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import attrs
import pendulum
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from sequencer.core import signals
from sequencer.core.enrollment import Enrollment
from sequencer.core.events import replay
from sequencer.testing.laws import impersonal
from sequencer.testing.machine.book import FAILURES
from sequencer.testing.machine.moving import Moving
from sequencer.testing.machine.world import LEASE, Call, Death

BEHAVIOURS = st.sampled_from(
    ["accept", "accept", "temporary", "permanent", "recipient", "raise", "raise after", "pending"]
)
JUMPS = st.sampled_from(
    [0, 1, 30, 3600, 7200, 86_400, 3 * 86_400, 30 * 86_400, 366 * 86_400, -1, -300, -7200, -366 * 86_400]
)
SCRIPTS = st.lists(BEHAVIOURS, max_size=4)
INSIDE = st.lists(
    st.sampled_from(
        ["nothing", "stale", "back", "close", "finish", "block", "resume", "skip", "reply", "erase", "move"]
    ),
    max_size=3,
)
EARLIEST, LATEST = pendulum.datetime(2024, 1, 1, tz="UTC"), pendulum.datetime(2040, 1, 1, tz="UTC")


class Machine(Moving):
    """The whole machine; subclasses say which store."""

    # -- time and the worker

    @rule(seconds=JUMPS)
    def jump(self, seconds: int) -> None:
        to = self.now + timedelta(seconds=seconds)
        if EARLIEST < to < LATEST:
            self.world.clock.set(to)

    def to_the_next(self) -> None:
        """The clock goes on to when the engine wants to look next."""
        with self.store.transaction() as transaction:
            at = transaction.next_wake()
        if at is not None and self.now < at < LATEST:
            self.world.clock.set(at)

    @rule(script=SCRIPTS, inside=INSIDE, limit=st.sampled_from([1, 2, 1000]), in_no_time=st.booleans())
    def tick(self, script: list[str], inside: list[str], limit: int, in_no_time: bool) -> None:
        self._tick(script, inside, limit, 0 if in_no_time and not script else None)

    @rule(script=SCRIPTS)
    def go_on(self, script: list[str]) -> None:
        self.to_the_next()
        self._tick(script, [], 1000, None)

    @rule(script=SCRIPTS, inside=INSIDE)
    def go_on_busily(self, script: list[str], inside: list[str]) -> None:
        self.to_the_next()
        self._tick(script, inside, 1000, None)

    @rule(script=SCRIPTS, inside=INSIDE, fuse=st.integers(1, 20))
    def die(self, script: list[str], inside: list[str], fuse: int) -> None:
        """A worker that dies at any step of its pass; another process takes its place."""
        self.to_the_next()
        self.world.life.fuse = fuse
        try:
            self._tick(script, inside, 1000, None)
        except Death:
            self.world.lose_answers()
        self.world.restart()
        self.look_around()

    def _tick(self, script: list[str], inside: list[str], limit: int, max_seconds: float | None) -> Any:
        self.look_around()
        world, before = self.world, dict(self.book.seen)
        calls = world.begun = len(world.mails), len(world.creations)
        world.script.extend(script)
        world.inside.extend(self._happening(each) for each in inside)
        world.interfered = False
        try:
            report = world.worker.tick(limit, max_seconds)
        finally:
            world.script.clear()
            world.inside.clear()
        self.nothing_was_violated()
        made = world.mails[calls[0] :] + world.creations[calls[1] :]
        if max_seconds == 0:
            assert not made
        if not world.interfered:
            for id in before:
                assert len([call for call in made if call.id == id]) <= 1, "no two steps of one at once (E6)"
            for call in made:
                self._follow(before[call.id], call)
            for id, each in before.items():
                self.allow_evolution(each, self.look(id))
        self.look_around()
        return report

    def _follow(self, before: Any, call: Call) -> None:
        """What a hand-over that was answered in peace makes of its step."""
        after = self.look(call.id)
        step = after.steps[call.position]
        if call in self.world.creations:
            if call.outcome == "accepted":
                assert step.status.value == "in_progress"
        elif call.outcome == "accepted":
            assert (step.status.value, step.message_id) == ("completed", call.result.message_id)
            assert step.executed_at == call.at
        elif call.outcome == "pending":
            assert step.status.value == "requested"
        elif call.outcome == "refused" and call.result.permanent:
            if after.state.value == "finished":
                assert after.finished_reason == "bounced"
                assert call.result.recipient_fault
            else:
                reason = call.result.reason
                assert (step.status.value, step.failure_reason) == ("failed", reason)
                assert after.blocked_reason == ("bounced" if call.result.recipient_fault else reason)
        elif call.outcome == "unknown" and self.world.mode == "at_most_once":
            assert (step.status.value, after.blocked_reason) == ("failed", "outcome_unknown")
        else:
            limit = before.version.sequence.policy.retry.attempts
            assert step.status.value == ("failed" if before.steps[call.position].failures + 1 >= limit else "pending")
            assert step.status.value == "failed" or step.estimated_execute_at > self.now

    def _happening(self, name: str) -> Any:
        """Something that happens while a port is being called."""

        def happen() -> None:
            world, ids = self.world, sorted(self.book.seen)
            self.look_around()
            id = ids[len(world.mails) % len(ids)]
            if name in ("stale", "back", "close"):
                seconds = {"stale": LEASE + 1, "back": -7200, "close": 9 * 3600}[name]
                if EARLIEST < self.now + timedelta(seconds=seconds) < LATEST:
                    world.clock.move(seconds=seconds)
                if name == "stale":
                    inside = list(world.inside)
                    world.inside.clear()
                    world.lose_answers()
                    world.host.tick()
                    world.inside.extend(inside)
            elif name == "reply":
                self._report(id, "replied", None, "id")
            elif name == "erase":
                self.erase("ada")
            elif name == "move":
                key = self.book.seen[id].version.key
                versions = self.cast.versions[key]
                self.move(versions[len(world.mails) % len(versions)])
            elif name != "nothing":
                self.verb(id, name)

        def guarded() -> None:
            try:
                happen()
            except AssertionError as error:  # the engine would take it for the port's
                self.world.violations.append(f"during a call: {name}: {error!r}")

        return guarded

    @rule()
    def run_an_hour(self) -> None:
        """Whatever comes due within an hour is done, with well-behaved ports."""
        end = self.now + timedelta(hours=1)
        for _ in range(30):
            if self.now >= end:
                return
            self.drain()
            self.to_the_next()

    @rule()
    def drain(self) -> None:
        """With well-behaved ports, whoever is due is handed over; nobody who waits has no reason to (E3)."""
        for _ in range(60):
            report = self._tick([], [], 1000, None)
            if not report.more:
                break
        else:
            raise AssertionError(f"there is always more to do: {report}")
        for id in self.book.seen:
            self.look_at_rest(id)

    def look_at_rest(self, id: int) -> None:
        held = self.world.held(id)
        each, now = held.enrollment, self.now
        if held.lease_until is not None:
            # A clock that stepped back by less than a lease is no clock that was ahead.
            most = now + timedelta(seconds=2 * LEASE)
            assert now < held.lease_until <= most, "a dead worker's lease keeps it, no longer"
            return
        current = each.current
        if each.state.value == "active":
            assert current is not None
            if current.status.value == "pending":
                assert each.wake_at is not None
                assert each.wake_at > now, "due, and not handed over"
                assert each.wake_at in self.reasons_to_wait(each), f"it sleeps past its estimate: {each}"
            elif current.status.value == "requested":
                assert current.awaits_report
                assert each.wake_at is not None
            else:
                assert current.status.value == "in_progress"
        elif each.state.value == "blocked":
            assert each.blocked_until is None or each.blocked_until > now
        else:
            assert all(step.awaits_report for step in each.outstanding)
        # Where the clock has gone back a moment, a task may wait for the moment at which it was to be taken off.
        cancels = [step.cancel_after or each.updated_at for step in each.steps if step.cancel_task]
        assert all(at > now for at in cancels), "a task stays on the board"

    def reasons_to_wait(self, each: Any) -> list[Any]:
        """Its estimate; when the calendar opened first after it was looked at; the next try to take a task off."""
        looked = [event.at for event in self.world.host.history(each.id)]
        opened = [each.calendar.opens(at, email=True) for at in [*looked, self.now] if each.current.step.is_email]
        cancels = [step.cancel_after for step in each.steps if step.cancel_task]
        return [each.current.estimated_execute_at, *opened, *cancels]

    # -- what always holds

    @invariant()
    def nothing_was_violated(self) -> None:
        assert not self.world.violations, self.world.violations[0]
        self.look_at_the_ports()

    def look_at_the_ports(self) -> None:
        """What can be seen of ports that are not the machine's own."""

    @invariant()
    def what_is_stored_is_what_happened(self) -> None:
        """Histories are numbered without a gap and replay to what is stored; who is blocked says why (S2, L5)."""
        for id in self.book.seen:
            stored = self.look(id)
            if self.checked.get(id) == stored.revision:
                continue
            self.checked[id] = stored.revision
            history = self.world.host.history(id)
            assert [event.number for event in history] == list(range(1, stored.revision + 1))
            assert without_details(replay(stored.version, history)) == without_details(impersonal(stored))
            assert "example.com" not in str(history)
            if stored.state.value == "blocked":
                kinds = {"paused", *signals.OUTSIDE}
                failed = stored.current is not None and stored.current.status.value == "failed"
                assert stored.blocked_reason in (FAILURES | {"bounced"} if failed else kinds)
            for step in stored.steps:
                if step.position + 1 < len(stored.steps) and not step.is_over:
                    assert stored.steps[step.position + 1].status.value in ("pending", "cancelled")

    @invariant()
    def the_counts_add_up(self) -> None:
        """Statistics count every enrollment of a sequence once, as it stands."""
        for key in {each.version.key for each in self.book.seen.values()}:
            mine = [each for each in self.book.seen.values() if each.version.key == key]
            counted = self.world.host.statistics(key)
            assert counted.total == len(mine)
            assert counted.active == len([each for each in mine if each.state.value == "active"])
            for state, counts in (("blocked", counted.blocked), ("finished", counted.finished)):
                reasons = [each.blocked_reason or each.finished_reason for each in mine if each.state.value == state]
                assert dict(counts) == {reason: reasons.count(reason) for reason in set(reasons)}

    # -- the end

    def teardown(self) -> None:
        """With well-behaved ports and people, everything runs out, and the record says what the mailer says."""
        if not hasattr(self, "world"):
            return
        world, book = self.world, self.book
        # What has failed already is not run to its end: that costs, and could hide what went wrong first.
        if sys.exception() is None and not world.violations:
            # Steps that fail are tried some times; longer sequences need more of it.
            for _ in range(400 + 40 * max(len(each.steps) for each in self.cast.sequences.values())):
                if not book.ongoing() and not self._at_the_board():
                    break
                self._help_on()
                self.nothing_was_violated()
            assert not book.ongoing(), [book.seen[id] for id in book.ongoing()]
            assert not self._at_the_board(), "a task was left on the board"
            for each in book.seen.values():
                self._hold_against_the_mailer(each)
            assert not world.violations, world.violations[0]
        self.store.close()

    def _help_on(self) -> None:
        world, host = self.world, self.world.host
        for id in self.book.ongoing():
            each = self.look(id)
            current = each.current
            if each.state.value == "blocked":
                self.note_retry(id, each)
                host.resume(id, timeline="keep", skip=each.blocked_reason == "missing_merge_data")
            elif current is not None and current.status.value == "in_progress":
                host.complete_task(current.task_id)
                if world.external:
                    world.tasks[current.task_id]["status"] = "done"
        for _ in range(20):
            if not self._tick([], [], 1000, None).more:
                break
        with self.store.transaction() as transaction:
            at = transaction.next_wake()
        if at is not None and at > self.now:
            world.clock.set(at)
        self.look_around()

    def _at_the_board(self) -> list[Any]:
        """The open tasks of steps that are over, which somebody should have taken off."""
        self.look_around()
        if not self.world.external:
            seen = self.book.seen
            return [task for task in self.world.host.tasks() if self._is_over(seen[task.enrollment_id], task.id)]
        return [id for id, each in self.world.tasks.items() if each["status"] == "open" and self._is_known_and_over(id)]

    def _is_known_and_over(self, task_id: Any) -> bool:
        task = self.world.tasks[task_id]
        steps = self.book.seen[task["id"]].steps
        return any(step.task_id == task_id and step.is_over and step.cancel_task for step in steps)

    @staticmethod
    def _is_over(enrollment: Enrollment, task_id: Any) -> bool:
        """Whether an open task is that of a step that is over, or of none that there is."""
        return all(step.is_over for step in enrollment.steps if step.task_id == task_id)

    def _hold_against_the_mailer(self, each: Any) -> None:
        for step in each.steps:
            calls = [call for call in self.world.mails if (call.id, call.number) == (each.id, step.number)]
            left = [call for call in calls if call.outcome == "accepted"]
            if step.step.is_email and step.status.value == "completed":
                assert left, f"completed, but never accepted: {step}"
            if not step.step.is_email:
                assert not calls


def without_details(enrollment: Enrollment) -> Enrollment:
    """Without what ports said in their own words, which `erase` forgets, too (S8)."""
    return attrs.evolve(enrollment, steps=tuple(attrs.evolve(step, failure_detail=None) for step in enrollment.steps))
