"""What people and the outside tell the engine: verbs and reports as rules, each with what the book expects of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from sequencer.core import signals
from sequencer.core.errors import AlreadyEnrolled, Conflict, IllegalTransition, NotFound, Suppressed
from sequencer.core.signals import EmailFailed, EmailSent, TaskCompleted, TaskCreated, TaskDeleted
from sequencer.testing.laws import check_decision, impersonal
from sequencer.testing.machine.book import Book, who, whose
from sequencer.testing.machine.cast import LEADS, OWN, Cast
from sequencer.testing.machine.world import Call, World

START = pendulum.datetime(2026, 3, 26, 8, 0, tz="UTC")  # a Thursday; the clocks of Warsaw change on Sunday

MAIL_MODES = st.sampled_from(["at_most_once", "deduplicates", "at_least_once"])
BOARDS = st.sampled_from(["embedded", "deduplicates", "at_most_once"])
FORWARD = st.sampled_from([60, 3600, 7200, 86_400, 2 * 86_400, 5 * 86_400])
KEYS = st.sampled_from(["k1", "k2", "k3", None])
OUTSIDE = st.sampled_from(["opened", "out_of_office", "bounced", "replied", *sorted(signals.OUTSIDE)])
VERBS = st.sampled_from(["block", "block until", "resume", "resume", "resume, skip", "skip", "finish"])
LEAD_NAMES = st.sampled_from(sorted(LEADS))
NUMBERS = st.integers(0, 3)
FIRST = st.lists(st.tuples(NUMBERS, LEAD_NAMES), min_size=1, max_size=4, unique=True)
TIMELINES = st.sampled_from(["shift", "keep", "restart"])


class Telling(RuleBasedStateMachine):
    """The engine, the book, and everything that is said to the engine; subclasses say which store."""

    enrollments = Bundle("enrollments")

    cast: Cast = OWN

    def make_store(self) -> Any:
        """A new, empty store."""
        raise NotImplementedError

    def make_world(self, mode: str, board: str) -> World:
        """The world around an engine, with a mailer and a board of these kinds."""
        return World(self.store, mode, board, START, self.cast)

    @initialize(mode=MAIL_MODES, board=BOARDS, first=FIRST)
    def begin(self, mode: str, board: str, first: list[tuple[int, str]]) -> None:
        self.store = self.make_store()
        self.world = self.make_world(mode, board)
        self.book = Book(self.cast)
        self.told = 0
        self.checked: dict[int, int] = {}
        for sequence, lead in first:
            self.enroll_one(self.cast.key(sequence), lead)

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
        sequence=NUMBERS,
        lead=LEAD_NAMES,
        idempotency=KEYS,
        start=st.sampled_from([None, -3600, 3600, 5 * 86_400]),
    )
    def enroll(self, sequence: int, lead: str, idempotency: str | None, start: int | None) -> Any:
        return self.enroll_one(self.cast.key(sequence), lead, idempotency, start)

    def enroll_one(self, sequence: str, lead: str, idempotency: str | None = None, start: int | None = None) -> Any:
        resource = self.cast.leads[lead]
        expected, ids = self.book.expect_enroll(sequence, resource, idempotency, self.now)
        start_at = None if start is None else self.now + timedelta(seconds=start)
        count = len(self.book.seen)
        try:
            enrollment = self.world.host.enroll(
                self.cast.sequences[sequence], resource, actor_id=1, start_at=start_at, idempotency_key=idempotency
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
        calendar = self.cast.sequences[sequence].calendar.in_zone(enrollment.timezone)
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
                if (call.id, call.number) == (id, current.number):
                    call.retried = True

    @rule(
        what=st.sampled_from(["finish ongoing", "reassign", "reassign", "erase", "suppress", "suppress", "unsuppress"]),
        lead=LEAD_NAMES,
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
        resource = self.cast.leads[lead]
        wanted = [
            id
            for id in self.book.ongoing()
            if whose(self.book.seen[id]) == (resource.type, type(resource.id), resource.id)
            and (not some or self.book.seen[id].version.key == self.cast.key(0))
        ]
        outcomes = self.world.host.finish_ongoing(resource, sequences=[self.cast.key(0)] if some else None)
        assert sorted(outcome.enrollment.id for outcome in outcomes) == wanted
        assert all(self.look(id).finished_reason == "manual" for id in wanted)

    def reassign(self, lead: str, actor: Any) -> None:
        for outcome in self.world.host.reassign(self.cast.leads[lead], actor_id=actor):
            before = self.book.seen[outcome.enrollment.id]
            assert outcome.changed == (before.actor_id != actor)
            assert self.look(before.id).actor_id == actor

    def erase(self, lead: str) -> None:
        resource = self.cast.leads[lead]
        mine = [id for id, each in self.book.seen.items() if whose(each) == who(resource)]
        ongoing = [id for id in mine if id in self.book.ongoing()]
        self.world.host.erase(resource)
        for id in mine:
            after = self.look(id)
            assert after.resource.email is None
            assert not after.resource.fields
            self.book.address[id] = None
            self.book.former.pop(id, None)
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
        resource = next(each for each in self.cast.leads.values() if who(each) == whose(self.book.seen[id]))
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
                note = self.world.host.history(each)[-1]
                assert (note.type, note.facts.get("key")) == ("noted", report.key), "what changes nothing is noted"
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
        before = self.step_of(call)
        world.host.handle(report)
        self.look(call.id)
        after = self.step_of(call)
        call.outcome = "accepted" if left else "refused"
        if left:
            world.accepted.setdefault(call.key, call.result)
        if before is None:
            assert after is None, "what is gone with its version stays so"
        elif left:
            if before.status.value in ("pending", "requested", "failed"):
                assert after.status.value == "completed", (report, before, after)
        elif call.attempt < before.attempt or call.key != world.held(call.id).enrollment.key_of(before):
            assert after.status == before.status, "a refusal of an older attempt is noted"
        if again:
            assert world.host.handle(report).repeated
            self.look(call.id)
            assert self.step_of(call) == after

    def step_of(self, call: Call) -> Any:
        """The step that a call was for, as last seen; None where a move has left it behind."""
        return next((step for step in self.book.seen[call.id].steps if step.number == call.number), None)

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

    def allow_evolution(self, before: Any, after: Any) -> None:
        """The statuses along the edges of L2, and the rules that every decision obeys."""
        with self.store.transaction() as transaction:
            events = transaction.events(before.id)
        new = tuple(events[before.revision :])
        check_decision(impersonal(before), impersonal(after), new)
        for event in new:
            if event.type == "email_requested":
                assert after.calendar.next_open(event.at, email=True) == event.at
