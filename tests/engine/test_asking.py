"""What the host is asked for a hand-over fails, and the reason says what was missing (laws E4, L5)."""

from __future__ import annotations

import threading

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    Person,
    Policy,
    RecordingMailer,
    Rejected,
    Resource,
    Retry,
    Sequence,
    Step,
    Task,
    Template,
    Unsubscribe,
)

MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
ADA = Person("ada.lovelace@example.com", fields={"name": "Ada Lovelace"})
REASONS = {"people": "missing_merge_data", "templates": "mail_settings", "unsubscribe_url": "mail_settings"}


class Away:
    """Parts of a host whose database is away for so many questions to one of them."""

    def __init__(self, port, times, wrongly):
        self.port, self.times, self.wrongly = port, times, wrongly

    def _ask(self, port, answer):
        if port != self.port or not self.times:
            return answer
        self.times -= 1
        if self.wrongly:
            return {"name": ADA.fields["name"], "email": ADA.email}
        raise LookupError(f"no connection, so nothing about {ADA.fields['name']} <{ADA.email}>")

    def engine(self, mailer, clock, **more):
        return Engine(
            MemoryStore(), mailer=mailer, clock=clock, cap=None,
            people=lambda resource: self._ask("people", ADA),
            templates=lambda id, account: self._ask("templates", Template("Hello {{ name }}", "Hi")),
            unsubscribe_url=lambda key: self._ask("unsubscribe_url", f"https://example.com/{key}"), **more,
        )  # fmt: skip


@settings(max_examples=60)
@given(
    port=st.sampled_from(sorted(REASONS)),
    times=st.integers(0, 6),
    attempts=st.integers(1, 4),
    wrongly=st.booleans(),
    is_mail=st.booleans(),
)
def test_l5_what_could_not_be_asked_is_the_reason(port, times, attempts, wrongly, is_mail):
    """After as many attempts as ever it blocks for what was missing, naming who failed and nobody's data (E4, S8)."""
    mailer, clock = RecordingMailer(), ManualClock(MONDAY)
    engine = Away(port, times, wrongly).engine(mailer, clock)
    step = Step(AutomatedEmail(1) if is_mail else Task("Call {{ name }}"))
    policy = Policy(retry=Retry(attempts=attempts), unsubscribe=Unsubscribe(enabled=True))
    id = engine.enroll(Sequence("One", [step], policy=policy), Resource("lead", 1)).id
    engine.run_until(MONDAY.add(days=3))

    found, history = engine.get(id), engine.history(id)
    asked = is_mail or port == "people"
    failures = [event for event in history if event.type in ("attempt_failed", "step_failed")]
    assert len(failures) == (min(times, attempts) if asked else 0)
    assert {event.facts["reason"] for event in failures} <= {REASONS[port]}
    assert all(f"`{port}`" in event.facts["detail"] for event in failures if event.type == "attempt_failed")
    told = str(engine.explain(id)) + "".join(str(event.facts) for event in history[1:])
    assert "Lovelace" not in told
    assert "example.com" not in told
    if asked and times >= attempts:
        assert (found.state, found.blocked_reason) == ("blocked", REASONS[port])
        assert f"`{port}`" in found.steps[0].failure_detail
        assert (mailer.calls, engine.tasks()) == ([], ())
    else:
        assert (found.finished_reason, len(mailer.sent)) == ("completed", 1) if is_mail else len(engine.tasks()) == 1


def test_l6_who_was_refused_is_not_resumed_with_who_could_not_be_asked_about():
    """Resuming for one reason leaves alone those whom a mail server has refused for good (L5, L6)."""
    mailer, clock = RecordingMailer(), ManualClock(MONDAY)
    mailer.fail(Rejected("550 refused", permanent=True))
    host = Away("people", 0, wrongly=False)
    engine = host.engine(mailer, clock)
    sequence = Sequence("One", [Step(AutomatedEmail(1), Hours(1))], policy=Policy(retry=Retry(attempts=1)))
    refused = engine.enroll(sequence, Resource("lead", 1)).id
    engine.run_until(MONDAY.add(hours=2))
    host.times = 1
    unknown = engine.enroll(sequence, Resource("lead", 2)).id
    engine.run_until(MONDAY.add(hours=4))

    assert [engine.get(id).blocked_reason for id in (refused, unknown)] == ["delivery_failed", "missing_merge_data"]
    assert [each.enrollment.id for each in engine.resume_blocked("missing_merge_data")] == [unknown]
    engine.tick()
    assert [mail.email.enrollment_id for mail in mailer.sent] == [unknown]


@pytest.mark.parametrize("port", ["people", "templates"])
def test_e4_what_hangs_is_named_like_what_raises(port):
    """A look-up that does not come back costs its time-out, and is the reason; what it answers late changes nothing."""
    mailer, clock, released = RecordingMailer(), ManualClock(MONDAY), threading.Event()

    class Hanging(Away):
        def _ask(self, port, answer):
            if port == self.port:
                released.wait(10)
            return answer

    engine = Hanging(port, 1, wrongly=False).engine(mailer, clock, port_timeout=0.01)
    sequence = Sequence("One", [Step(AutomatedEmail(1))], policy=Policy(retry=Retry(attempts=1)))
    id = engine.enroll(sequence, Resource("lead", 1)).id
    engine.tick()
    released.set()

    found = engine.get(id)
    assert (found.blocked_reason, found.steps[0].failure_detail) == (
        REASONS[port], f"`{port}` gave no answer within 1.01 seconds",
    )  # fmt: skip
    assert mailer.calls == []
