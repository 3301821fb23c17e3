"""The machine: the real engine beside the naive model, with every verb, report, failure and death as a rule.

Each rule predicts from the model what the engine will answer, does it, and holds one against the other. What a tick
does is predicted only loosely, call by call; it is held to the laws by the checks at the moment of each hand-over
(`world.py`) and by the invariants below, which run after every rule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pendulum
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from sequencer.core import signals
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import AlreadyEnrolled, Conflict, IllegalTransition, NotFound, Suppressed
from sequencer.core.events import replay
from sequencer.core.signals import EmailFailed, EmailSent, TaskCompleted, TaskCreated, TaskDeleted
from tests.core.driving import Run, impersonal
from tests.model.book import FAILURES, LEADS, SEQUENCES, Book, whose
from tests.model.world import LEASE, Call, Death, World

START = pendulum.datetime(2026, 3, 26, 8, 0, tz="UTC")  # a Thursday; the clocks of Warsaw change on Sunday
EARLIEST, LATEST = pendulum.datetime(2024, 1, 1, tz="UTC"), pendulum.datetime(2040, 1, 1, tz="UTC")

MAIL_MODES = st.sampled_from(["at_most_once", "deduplicates", "at_least_once"])
BOARDS = st.sampled_from(["embedded", "deduplicates", "at_most_once"])
BEHAVIOURS = st.sampled_from(
    ["accept", "accept", "temporary", "permanent", "recipient", "raise", "raise after", "pending"]
)
JUMPS = st.sampled_from(
    [0, 1, 30, 3600, 7200, 86_400, 3 * 86_400, 30 * 86_400, 366 * 86_400, -1, -300, -7200, -366 * 86_400]
)
FORWARD = st.sampled_from([60, 3600, 7200, 86_400, 2 * 86_400, 5 * 86_400])
KEYS = st.sampled_from(["k1", "k2", "k3", None])
OUTSIDE = st.sampled_from(["opened", "out_of_office", "bounced", "replied", *sorted(signals.OUTSIDE)])
VERBS = st.sampled_from(["block", "block until", "resume", "resume", "resume, skip", "skip", "finish"])
FIRST = st.lists(
    st.tuples(st.sampled_from(sorted(SEQUENCES)), st.sampled_from(sorted(LEADS))), min_size=1, max_size=4, unique=True
)
TIMELINES = st.sampled_from(["shift", "keep", "restart"])
SCRIPTS = st.lists(BEHAVIOURS, max_size=4)
INSIDE = st.lists(
    st.sampled_from(["nothing", "stale", "back", "close", "finish", "block", "resume", "skip", "reply", "erase"]),
    max_size=3,
)


class Machine(RuleBasedStateMachine):
    """The engine and the book; subclasses say which store."""

    enrollments = Bundle("enrollments")

    def make_store(self) -> Any:
        raise NotImplementedError

    @initialize(mode=MAIL_MODES, board=BOARDS, first=FIRST)
    def begin(self, mode: str, board: str, first: list[tuple[str, str]]) -> None:
        self.store = self.make_store()
        self.world = World(self.store, mode, board, START)
        self.book = Book()
        self.told = 0
        self.checked: dict[int, int] = {}
        for sequence, lead in first:
            self.enroll_one(sequence, lead)

    # -- looking

    def look(self, id: int) -> Any:
        """The enrollment as stored now; the book remembers it."""
        now = self.world.held(id).enrollment
        self.book.seen[id] = now
        return now

    def look_around(self) -> None:
        for id in self.book.seen:
            self.look(id)

    @property
    def now(self) -> Any:
        return self.world.clock.now()

    # -- enrolling

    @rule(
        target=enrollments,
        sequence=st.sampled_from(sorted(SEQUENCES)),
        lead=st.sampled_from(sorted(LEADS)),
        idempotency=KEYS,
        start=st.sampled_from([None, -3600, 3600, 5 * 86_400]),
    )
    def enroll(self, sequence: str, lead: str, idempotency: str | None, start: int | None) -> Any:
        return self.enroll_one(sequence, lead, idempotency, start)

    def enroll_one(self, sequence: str, lead: str, idempotency: str | None = None, start: int | None = None) -> Any:
        resource = LEADS[lead]
        expected, ids = self.book.expect_enroll(sequence, resource, idempotency, self.now)
        start_at = None if start is None else self.now + timedelta(seconds=start)
        count = len(self.book.seen)
        try:
            enrollment = self.world.host.enroll(
                SEQUENCES[sequence], resource, actor_id=1, start_at=start_at, idempotency_key=idempotency
            )
        except AlreadyEnrolled as error:
            assert expected == "already", expected
            existing = error.existing_id
            assert existing in ids
            return existing
        except Suppressed:
            assert expected == "suppressed", expected
            return next(iter(self.book.seen), 0)
        except Conflict:
            assert expected == "conflict", expected
            return next(iter(ids))
        assert expected in ("new", "known"), (expected, ids)
        if expected == "known":
            assert enrollment.id in ids
            return enrollment.id
        assert enrollment.id not in self.book.seen
        assert len(self.book.seen) == count
        self.look(enrollment.id)
        self.book.address[enrollment.id] = resource.address
        if idempotency is not None:
            self.book.idempotency[idempotency] = enrollment.id
        first = enrollment.steps[0]
        calendar = SEQUENCES[sequence].calendar.in_zone(enrollment.timezone)
        base = max(self.now, start_at or self.now)
        at = calendar.next_open(calendar.after(base, first.step.after), email=first.step.is_email)
        assert first.estimated_execute_at == at
        return enrollment.id

    # -- verbs

    @rule(id=enrollments, verb=VERBS, timeline=TIMELINES, until=FORWARD)
    def ask(self, id: int, verb: str, timeline: str, until: int) -> None:
        if id in self.book.seen:
            self.verb(id, verb, timeline, self.now + timedelta(seconds=until) if verb == "block until" else None)

    def verb(self, id: int, verb: str, timeline: str = "shift", until: Any = None) -> None:
        host = self.world.host
        before = self.look(id)
        name = "block" if verb.startswith("block") else verb
        expected = self.book.expect_verb(name, id, until)
        try:
            if name == "block":
                outcome = host.block(id, until=until)
            elif name == "skip":
                outcome = host.skip(id)
            elif name == "finish":
                outcome = host.finish(id, actor_id=9)
            else:
                outcome = host.resume(id, timeline=timeline, skip=name == "resume, skip")
        except IllegalTransition:
            assert expected == "illegal", (verb, expected, before)
            assert self.look(id) == before
            return
        assert expected == ("done" if outcome.changed else "already"), (verb, expected, before)
        after = self.look(id)
        if not outcome.changed:
            assert after == before
        elif name == "block":
            assert (after.state.value, after.blocked_until) == ("blocked", until)
            assert not any(step.is_withdrawable for step in after.steps), "what has no mark is withdrawn"
        elif name == "finish":
            assert (after.finished_reason, after.finished_actor_id) == ("manual", 9)
            assert outcome.outstanding == after.outstanding
            assert not any(before.steps[step.position].is_withdrawable for step in outcome.outstanding)
        elif name == "resume":
            assert after.state.value == "active"
            self.note_retry(id, before)
        else:
            assert after.steps[before.position].status.value == "skipped"
        self.allow_evolution(before, after)

    def note_retry(self, id: int, before: Any) -> None:
        current = before.current
        if current is not None and current.status.value == "failed":
            for call in self.world.mails + self.world.creations:
                if (call.id, call.position) == (id, current.position):
                    call.retried = True

    @rule(
        what=st.sampled_from(["finish ongoing", "reassign", "reassign", "erase", "suppress", "suppress", "unsuppress"]),
        lead=st.sampled_from(sorted(LEADS)),
        address=st.sampled_from([" ADA@example.com", "bob@example.com"]),
        actor=st.sampled_from([1, 2, "carol"]),
        some=st.booleans(),
    )
    def rarely(self, what: str, lead: str, address: str, actor: Any, some: bool) -> None:
        if what == "finish ongoing":
            self.finish_ongoing(lead, some)
        elif what == "reassign":
            self.reassign(lead, actor)
        elif what == "erase":
            self.erase(lead)
        else:
            self.suppress(address, what == "unsuppress")

    def finish_ongoing(self, lead: str, some: bool) -> None:
        resource = LEADS[lead]
        wanted = [
            id
            for id in self.book.ongoing()
            if whose(self.book.seen[id]) == (resource.type, type(resource.id), resource.id)
            and (not some or self.book.seen[id].version.key == "quick")
        ]
        outcomes = self.world.host.finish_ongoing(resource, sequences=["quick"] if some else None)
        assert sorted(outcome.enrollment.id for outcome in outcomes) == wanted
        assert all(self.look(id).finished_reason == "manual" for id in wanted)

    def reassign(self, lead: str, actor: Any) -> None:
        for outcome in self.world.host.reassign(LEADS[lead], actor_id=actor):
            before = self.book.seen[outcome.enrollment.id]
            assert outcome.changed == (before.actor_id != actor)
            assert self.look(before.id).actor_id == actor

    def erase(self, lead: str) -> None:
        resource = LEADS[lead]
        mine = [id for id, each in self.book.seen.items() if whose(each) == whose_of(resource)]
        ongoing = [id for id in mine if id in self.book.ongoing()]
        self.world.host.erase(resource)
        for id in mine:
            after = self.look(id)
            assert after.resource.email is None
            assert not after.resource.fields
            self.book.address[id] = None
            if id in ongoing:
                assert after.finished_reason == "resource_deleted"

    # -- suppression

    def suppress(self, address: str, lift: bool) -> None:
        folded = address.strip().casefold()
        known = self.book.suppressed
        if lift:
            assert self.world.host.unsuppress(address) == (folded in known)
            known.discard(folded)
        else:
            assert self.world.host.suppress(address) == (folded not in known)
            known.add(folded)
        self.world.suppressed = known

    # -- reports

    @rule(id=enrollments, kind=OUTSIDE, key=KEYS, way=st.sampled_from(["id", "resource", "email"]), soon=FORWARD)
    def report(self, id: int, kind: str, key: str | None, way: str, soon: int) -> None:
        if id in self.book.seen:
            self._report(id, kind, key, way, soon)

    def _report(self, id: int, kind: str, key: str | None, way: str, soon: int = 3600) -> None:
        self.look_around()
        self.told += 1
        resource = next(each for each in LEADS.values() if whose_of(each) == whose(self.book.seen[id]))
        named: Any = {"id": {"enrollment_id": id}, "resource": {"resource": resource}}.get(
            way, {"email": resource.email or "x@y.example"}
        )
        if kind == "out_of_office" and soon > 3600:
            named["until"] = self.now + timedelta(seconds=soon)
        report = signals.OUTSIDE[kind](key=key or f"fresh-{self.told}", at=self.now, **named)
        content = (kind, sorted((name, str(value)) for name, value in named.items()))
        if report.key in self.book.reports:
            first, changed = self.book.reports[report.key]
            before = dict(self.book.seen)
            try:
                handled = self.world.host.handle(report)
            except Conflict:
                assert first != content
            else:
                assert first == content
                assert handled.repeated
                assert handled.changed == changed
            self.look_around()
            assert self.book.seen == before
            return
        before = dict(self.book.seen)
        naming, ongoing = self.book.concerned(report)
        expected = {each: self.book.reaction(each, report, self.now) for each in ongoing}
        handled = self.world.host.handle(report)
        self.world.suppressed = self.book.suppressed
        self.book.reports[report.key] = (content, handled.changed)
        assert sorted(handled.changed) == sorted(each for each, (does, _) in expected.items() if does != "note")
        self.look_around()
        for each, after in self.book.seen.items():
            does, until = expected.get(each, ("note", None))
            if does == "finish":
                assert after.finished_reason == kind
            elif does == "block":
                assert (after.blocked_reason, after.blocked_until) == (kind, until)
            elif each in ongoing or each in naming:
                assert (after.state, after.steps) == (before[each].state, before[each].steps)
            else:
                assert after == before[each]

    @rule(which=st.integers(0, 3), left=st.booleans(), again=st.booleans(), permanent=st.booleans())
    def settle(self, which: int, left: bool, again: bool, permanent: bool) -> None:
        """The mailer's late answer to a mail of which it could not tell, whichever attempt that was."""
        world = self.world
        open_calls = [call for call in world.mails if call.outcome in ("unknown", "pending")]
        if not open_calls:
            return
        call = open_calls[-1 - which % len(open_calls)]
        left = left or call.key in world.accepted
        self.told += 1
        self.look(call.id)
        named: dict[str, Any] = {"effect_key": call.key, "attempt": call.attempt}
        if call.outcome == "pending" and call.attempt % 2 and not call.lost:
            named = {"provider_id": call.result.provider_id}
        kind: Any = EmailSent if left else EmailFailed
        rest: dict[str, Any] = {"message_id": f"<late-{self.told}>"} if left else {"permanent": permanent}
        report = kind(key=f"late-{self.told}", **named, **rest)
        before = self.book.seen[call.id].steps[call.position]
        world.host.handle(report)
        after = self.look(call.id).steps[call.position]
        call.outcome = "accepted" if left else "refused"
        if left:
            world.accepted.setdefault(call.key, call.result)
            if before.status.value in ("pending", "requested", "failed"):
                assert after.status.value == "completed", (report, before, after)
        elif call.attempt < before.attempt or call.key != world.held(call.id).enrollment.key_of(before):
            assert after.status == before.status, "a refusal of an older attempt is noted"
        if again:
            assert world.host.handle(report).repeated
            assert self.look(call.id).steps[call.position] == after

    # -- tasks

    @rule(which=st.integers(0, 3), how=st.sampled_from(["verb", "report", "deleted", "created again"]))
    def task(self, which: int, how: str) -> None:
        world, host = self.world, self.world.host
        found = [
            (id, step)
            for id, each in self.book.seen.items()
            for step in self.look(id).steps
            if step.task_id is not None
        ]
        if not found:
            return
        id, step = found[-1 - which % len(found)]
        before = self.look(id)
        self.told += 1
        current = before.position == step.position and before.state.value != "finished"
        if how == "verb":
            try:
                outcome = host.complete_task(step.task_id)
            except IllegalTransition:
                assert step.is_over or not current
                assert self.look(id) == before
            except NotFound:
                raise AssertionError("a task that is known can be found") from None
            else:
                assert outcome.changed == (step.status.value != "completed")
                assert self.look(id).steps[step.position].status.value == "completed"
        else:
            kind: Any = {"report": TaskCompleted, "deleted": TaskDeleted, "created again": TaskCreated}[how]
            host.handle(kind(key=f"task-{self.told}", task_id=step.task_id))
        after = self.look(id).steps[step.position]
        if world.external and step.task_id in world.tasks and how in ("verb", "report", "deleted"):
            status = "deleted" if how == "deleted" else "done"
            if after.status.value in ("completed", "failed") and world.tasks[step.task_id]["status"] == "open":
                world.tasks[step.task_id]["status"] = status
        if how == "report" and current and step.status.value == "in_progress":
            assert after.status.value == "completed"
        if how == "deleted" and step.status.value == "in_progress":
            assert after.status.value == "failed"

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
                assert (step.status.value, step.failure_reason) == ("failed", "delivery_failed")
                assert after.blocked_reason == ("bounced" if call.result.recipient_fault else "delivery_failed")
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
            elif name != "nothing":
                self.verb(id, name)

        def guarded() -> None:
            try:
                happen()
            except AssertionError as error:  # the engine would take it for the port's
                self.world.violations.append(f"during a call: {name}: {error!r}")

        return guarded

    def allow_evolution(self, before: Any, after: Any) -> None:
        """The statuses along the edges of L2, and the rules that every decision obeys."""
        with self.store.transaction() as transaction:
            events = transaction.events(before.id)
        new = tuple(events[before.revision :])
        Run.check(impersonal(before), impersonal(after), new)
        for event in new:
            if event.type == "email_requested":
                assert after.calendar.next_open(event.at, email=True) == event.at

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
            assert now < held.lease_until <= now + timedelta(seconds=LEASE), "a dead worker's lease keeps it, no longer"
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
        assert all(step.cancel_after > now for step in each.steps if step.cancel_task), "a task stays on the board"

    def reasons_to_wait(self, each: Any) -> list[Any]:
        """Its estimate; what was the next open moment when it was looked at; the next try to take a task off the board."""
        looked = [event.at for event in self.world.host.history(each.id)]
        opened = [each.calendar.next_open(at, email=True) for at in [*looked, self.now] if each.current.step.is_email]
        cancels = [step.cancel_after for step in each.steps if step.cancel_task]
        return [each.current.estimated_execute_at, *opened, *cancels]

    # -- what always holds

    @invariant()
    def nothing_was_violated(self) -> None:
        assert not self.world.violations, self.world.violations[0]

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
        if not world.violations:
            for _ in range(400):
                if not book.ongoing() and not self._at_the_board():
                    break
                self._help_on()
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
            return [task for task in self.world.host.tasks() if seen[task.enrollment_id].steps[task.position].is_over]
        return [id for id, each in self.world.tasks.items() if each["status"] == "open" and self._is_known_and_over(id)]

    def _is_known_and_over(self, task_id: str) -> bool:
        task = self.world.tasks[task_id]
        step = self.book.seen[task["id"]].steps[task["position"]]
        return step.task_id == task_id and step.status.value in ("cancelled", "skipped") and step.cancel_task

    def _hold_against_the_mailer(self, each: Any) -> None:
        for step in each.steps:
            calls = [call for call in self.world.mails if (call.id, call.position) == (each.id, step.position)]
            left = [call for call in calls if call.outcome == "accepted"]
            if step.step.is_email and step.status.value == "completed":
                assert left, f"completed, but never accepted: {step}"
            if not step.step.is_email:
                assert not calls


def without_details(enrollment: Enrollment) -> Enrollment:
    """Without what ports said in their own words, which `erase` forgets, too (S8)."""
    return attrs.evolve(enrollment, steps=tuple(attrs.evolve(step, failure_detail=None) for step in enrollment.steps))


def whose_of(resource: Resource) -> tuple[str, type, Any]:
    return (resource.type, type(resource.id), resource.id)
