"""Moves in any order, between mails that are lost, refused or answered late: nothing is doubled (L10, E2, E3)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    EmailSent,
    Engine,
    Hours,
    IllegalTransition,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    Resource,
    Sequence,
    SQLiteStore,
    Step,
    Task,
    replay,
)
from sequencer.testing.laws import impersonal

# Capitals are tasks.
VERSIONS = ["abC", "aC", "xabC", "baC", "abCd", "d", "Cab", "axbCd"]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(VERSIONS)),
        st.tuples(st.just("pass"), st.sampled_from(["well", "well", "lose", "refuse", "late"])),
        st.tuples(st.sampled_from(["wait", "settle", "complete", "skip", "pause", "resume"]), st.integers(1, 3)),
    ),
    max_size=25,
)
WHO = (1, 2, 3)


def made_of(letters: str) -> Sequence:
    steps = [
        Step(Task(each) if each.isupper() else AutomatedEmail(ord(each)), Hours(6), key=each, metadata={"letter": each})
        for each in letters
    ]
    return Sequence("Moving", steps)


class Story:
    """An engine, a mailer that does as it is told, and three who are enrolled."""

    def __init__(self, store: Any, *, deduplicates: bool) -> None:
        self.clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
        self.mailer = RecordingMailer(deduplicates=deduplicates)
        self.engine = Engine(store, mailer=self.mailer, clock=self.clock, port_threads=False)
        for id in WHO:
            self.engine.enroll(made_of(VERSIONS[0]), Resource("lead", id, email=f"lead{id}@example.com"))

    def do(self, what: str, how: Any) -> None:
        engine = self.engine
        if what == "move":
            plan = engine.plan_migration("Moving", made_of(how))
            result = engine.migrate(plan)
            assert not result.changed
            assert len(result.moved) + len(plan.refused) == len(plan)
        elif what == "wait":
            self.clock.move(hours=how * 5)
        elif what == "pass":
            {"lose": self.mailer.lose, "refuse": self.mailer.fail, "late": self.mailer.answer_late}.get(how, int)()
            engine.tick()
            self.mailer.behave()
        elif what == "settle":
            for report in self.mailer.settle():
                engine.handle(report)
        else:
            self.person(what, how)

    def person(self, what: str, id: int) -> None:
        try:
            if what == "complete":
                for task in self.engine.tasks():
                    self.engine.complete_task(task.id)
            else:
                verbs: dict[str, Any] = {"skip": self.skip, "pause": self.engine.block, "resume": self.go_on}
                verbs[what](id)
        except IllegalTransition:
            pass

    def skip(self, id: int) -> None:
        """A person skips, but no mail that may have left: what is skipped is not counted as sent."""
        current = self.engine.get(id).current
        if current is None or not (current.has_begun and current.step.is_email):
            self.engine.skip(id)

    def go_on(self, id: int) -> None:
        """A person resumes; what nobody can tell is looked up in the sent folder first, and it did leave."""
        enrollment = self.engine.get(id)
        if enrollment.blocked_reason == "outcome_unknown" and enrollment.current is not None:
            key = enrollment.key_of(enrollment.current)
            self.engine.handle(EmailSent(key=f"looked up {key}", effect_key=key))
        self.engine.resume(id)

    def to_the_end(self) -> None:
        for _ in range(40):
            self.do("settle", 0)
            self.do("complete", 0)
            for id in WHO:
                if self.engine.get(id).state == "blocked":
                    self.person("resume", id)
            self.clock.move(hours=7)
            self.engine.tick()
        assert {self.engine.get(id).state for id in WHO} == {"finished"}

    def check(self) -> None:
        letters: dict[str, set[Any]] = {}
        for call in self.mailer.calls:
            letters.setdefault(call.key, set()).add((call.email.enrollment_id, call.email.metadata["letter"]))
        assert all(len(meant) == 1 for meant in letters.values()), "a key means one step"
        left = Counter((each.email.enrollment_id, each.email.metadata["letter"]) for each in self.mailer.sent)
        assert max(left.values(), default=0) <= 1, left
        for id in WHO:
            history = self.engine.history(id)
            with self.engine.store.transaction() as transaction:
                stored = transaction.get(id)
            assert stored is not None
            assert replay(stored.enrollment.version, history) == impersonal(stored.enrollment)
            done = Counter(event.type for event in history)
            assert done["email_sent"] == sum(n for (who, _), n in left.items() if who == id)
            assert done["finished"] == 1


@pytest.mark.parametrize("deduplicates", [True, False])
@pytest.mark.parametrize("make", [MemoryStore, lambda: SQLiteStore(":memory:")], ids=["memory", "sqlite"])
@settings(max_examples=40)
@given(actions=ACTIONS)
def test_moving_about(make, deduplicates, actions):
    """Every mail leaves at most once, its key means one step for ever, every answer counts, and everybody ends."""
    store = make()
    story = Story(store, deduplicates=deduplicates)
    for what, how in actions:
        story.do(what, how)
    story.to_the_end()
    story.check()
    store.close()
