"""What people do to many at once: moving them to another version, correcting who they are, going on after a failure.

Of a move the book knows who is meant, and in a sequence whose steps have keys also where each of them goes on. For the
others it is held to what was planned: nothing that is over happens again, and what has begun goes on as it is.
"""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sequencer.core.errors import AlreadyEnrolled, NotFound, Suppressed
from sequencer.core.sequence import Sequence
from sequencer.testing.machine.telling import LEAD_NAMES, Telling

WHICH = st.integers(0, 3)
ADDRESSES = st.sampled_from(["ada@example.com", "BOB@example.com", "new@example.com", None])


class Moving(Telling):
    """The verbs that concern many; subclasses say which store."""

    enrollments = Telling.enrollments

    plan: Any = None
    """What was planned, and is to be carried out later."""

    # -- another version

    @rule(id=enrollments, which=WHICH, some=st.booleans())
    def move_now(self, id: int, which: int, some: bool) -> None:
        if id in self.book.seen:
            self.move(self.other_version(id, which), some=some)

    @rule(id=enrollments, which=WHICH)
    def plan_a_move(self, id: int, which: int) -> None:
        if id in self.book.seen:
            self.plan = self.planned(self.other_version(id, which))

    def other_version(self, id: int, which: int) -> Sequence:
        """One that an enrollment is not in."""
        version = self.look(id).version
        others = [each for each in self.cast.versions[version.key] if each != version.sequence]
        return others[which % len(others)]

    @rule()
    def carry_out(self) -> None:
        if self.plan is not None:
            self.carried_out(self.plan, {move.enrollment_id for move in self.plan})

    def move(self, version: Sequence, *, some: bool = False) -> None:
        """Plan a move and carry it out, for everybody or for the first of them; it comes out as it was planned."""
        plan = self.planned(version)
        ids = [move.enrollment_id for move in plan]
        for id in self.carried_out(plan, set(ids[:1] if some else ids)):
            after = self.world.host.get(id)
            (move,) = (move for move in plan if move.enrollment_id == id)
            for step in (*move.kept, *move.retimed, *move.added):
                if not step.over:
                    assert after.steps[step.position_after].estimated_execute_at == step.after, (move, after)

    def planned(self, version: Sequence) -> Any:
        """A plan: it changes nothing, and has everybody in it who is in another version."""
        self.look_around()
        before = dict(self.book.seen)
        plan = self.world.host.plan_migration(version.key, version)
        self.look_around()
        assert self.book.seen == before
        assert [move.enrollment_id for move in plan] == self.book.expect_in_plan(version)
        for move in plan:
            if self.book.must_stay_alone(move.enrollment_id, version):
                assert move.refused is not None
            elif self.cast.has_keys(version.key):
                expected, _ = self.book.expect_place(move.enrollment_id, version)
                assert expected == ("moved" if move.refused is None else "refused"), (move, before[move.enrollment_id])
        return plan

    def carried_out(self, plan: Any, ids: set[int]) -> set[int]:
        """Those are moved, of the ones that are meant, who are as they were and whom nothing keeps; the others stay."""
        self.look_around()
        book, before, version = self.book, dict(self.book.seen), plan.version.sequence
        fresh = {move.enrollment_id for move in plan if before[move.enrollment_id].revision == move.revision}
        wanted = {
            move.enrollment_id
            for move in plan
            if move.refused is None and not book.must_stay_alone(move.enrollment_id, version)
        }
        places = {id: book.expect_place(id, version)[1] for id in fresh} if self.cast.has_keys(version.key) else {}
        had = {id: book.had(id) for id in fresh}
        result = self.world.host.migrate(plan, only=ids)
        self.look_around()
        moved = {outcome.enrollment.id for outcome in result.moved}
        kept = {move.enrollment_id for move in result.refused}
        alone = {id for id in ids & fresh if before[id].version.sequence != version}
        assert {move.enrollment_id for move in result.changed} == ids - fresh
        assert not result.missing
        # Where every revision is as it was, everybody whom the plan refused is refused; and by now perhaps others.
        assert moved | kept == ids & fresh
        assert moved == wanted & alone or moved <= wanted
        for id in before.keys() - moved:
            assert book.seen[id] == before[id]
        for id in moved:
            self._follow_move(before[id], book.seen[id], version, places.get(id))
            book.past[id] = had[id]
        return moved

    def _follow_move(self, before: Any, after: Any, version: Sequence, place: int | None) -> None:
        assert after.version.sequence == version
        assert after.state.value in (before.state.value, "finished")
        current = before.current
        begun = current.status.value != "pending" or current.attempt > 0 or current.generation > 0
        if begun:
            (same,) = (step for step in after.steps if step.number == current.number)
            fresh = {"position": same.position, "step": same.step, "serial": same.serial, "base_at": same.base_at}
            at = {"estimated_execute_at": same.estimated_execute_at}
            assert same == attrs.evolve(current, **fresh, **at), "what has begun goes on as it is"
            assert after.position == same.position
        if place is not None:
            assert after.position == place
            assert (after.state.value == "finished") == (place == len(version.steps))
        assert all(step.is_over for step in after.steps[: after.position])
        assert all(step.status.value in ("pending", "cancelled") for step in after.steps[after.position + 1 :])
        gone = {step.number for step in before.steps if step.is_over} - {step.number for step in after.steps}
        for step in before.steps:
            if step.is_over and not step.is_passed_over and step.number not in gone:
                (same,) = (each for each in after.steps if each.number == step.number)
                assert (same.status, same.executed_at, same.message_id) == (
                    step.status, step.executed_at, step.message_id
                )  # fmt: skip

    # -- who somebody is

    @rule(lead=LEAD_NAMES, address=ADDRESSES)
    def correct(self, lead: str, address: str | None) -> None:
        """Somebody has another address from now on, or none; or that must not be."""
        self.look_around()
        before = dict(self.book.seen)
        person = attrs.evolve(
            self.cast.leads[lead], email=address, fields={**self.cast.leads[lead].fields, "name": "Somebody"}
        )
        expected, ids = self.book.expect_update(person)
        try:
            count = self.world.host.update_person(person)
        except NotFound:
            assert expected == "nobody"
        except Suppressed:
            assert expected == "suppressed"
        except AlreadyEnrolled as error:
            existing = error.existing_id
            assert expected == "already"
            assert existing in ids
        else:
            assert (expected, count) == ("done", len(ids))
            for id in ids:
                after = self.look(id)
                assert after.resource == person
                assert (after.state, after.steps, after.version) == (
                    before[id].state, before[id].steps, before[id].version
                )  # fmt: skip
                former = self.book.address[id]
                if former is not None and former != person.address:
                    self.book.former.setdefault(id, set()).add(former)
                self.book.address[id] = person.address
        self.look_around()
        for id, each in self.book.seen.items():
            assert each == before[id] or (expected == "done" and id in ids)

    # -- all who are blocked for a reason

    @rule(
        which=WHICH,
        of=st.none() | WHICH,
        timeline=st.sampled_from(["shift", "keep", "restart"]),
        skip=st.booleans(),
    )
    def resume_all(self, which: int, of: int | None, timeline: str, skip: bool) -> None:
        self.look_around()
        before = dict(self.book.seen)
        key = None if of is None else self.cast.key(of)
        reasons = sorted({str(each.blocked_reason) for each in before.values() if each.state.value == "blocked"})
        if not reasons or (key is not None and not any(each.version.key == key for each in before.values())):
            return
        reason = reasons[which % len(reasons)]
        expected = self.book.expect_resume_blocked(reason, key, skip=skip)
        outcomes = self.world.host.resume_blocked(reason, sequence=key, timeline=timeline, skip=skip)
        assert [outcome.enrollment.id for outcome in outcomes] == expected
        for id, each in before.items():
            after = self.look(id)
            if id not in expected:
                assert after == each
                continue
            assert after.state.value == "active" or (skip and after.finished_reason == "completed")
            if skip:
                assert after.steps[each.position].status.value == "skipped"
            self.note_retry(id, each)
            self.allow_evolution(each, after)
