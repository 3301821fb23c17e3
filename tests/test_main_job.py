"""The main job on real input: every bundled sequence, every bundled lead, from their own moment on to the last step.

Mails go through a real SMTP server on loopback, the store is an SQLite file, tasks are completed on the embedded board,
and the clock is told. Then everything that came of it is held against the laws, worked out by the slow second
implementation in `tests.timing.oracle` and from what the server received.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import heapq
import itertools
import os
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiosmtpd.controller import Controller

from sequencer.adapters.smtp import SmtpMailer
from sequencer.core.enrollment import Enrollment, Resource, changed
from sequencer.core.events import replay
from sequencer.core.sequence import Template
from sequencer.core.statuses import StepStatus
from sequencer.definitions import Lead, load, read_leads
from sequencer.engine.engine import Engine
from sequencer.examples import path
from sequencer.simulation.clock import ManualClock
from sequencer.stores.sqlite import SQLiteStore
from tests.timing import oracle

SEQUENCES = (
    "inbound-follow-up.yaml", "cold-outbound.yaml", "enterprise-12-touch.yaml", "trial-onboarding.yaml",
    "renewal.yaml", "sell-api.json",
)  # fmt: skip
CALL_TAKES = timedelta(hours=5, minutes=30)


@attrs.frozen
class Received:
    """What the server received: the moment on the engine's clock, the recipients of the envelope, the message."""

    at: datetime
    to: list[str]
    message: EmailMessage

    @property
    def step(self) -> tuple[int, int]:
        """The enrollment and the position: they are in the key, and that is in the Message-ID."""
        _, enrollment_id, position, generation = str(self.message["Message-ID"]).partition("@")[0].split("-")
        assert generation == "0", "nothing was refused, so nobody retried"
        return int(enrollment_id), int(position)


@attrs.frozen
class Inbox:
    """The server's side: keeps every mail with the moment at which it came."""

    clock: ManualClock
    received: list[Received] = attrs.Factory(list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the server's name for it
        message = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        assert isinstance(message, EmailMessage)
        self.received.append(Received(self.clock.now(), envelope.rcpt_tos, message))
        return "250 OK"


class AnyPort(Controller):
    """A server on a port that the system chooses; its first caller is itself."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@attrs.frozen
class Job:
    """What came of it."""

    leads: dict[int, Lead]
    enrollments: dict[int, Enrollment]
    received: list[Received]
    tasks: tuple[Any, ...]
    histories: dict[int, tuple[Any, ...]]

    def steps(self, *, email: bool | None = None) -> list[tuple[Enrollment, Any]]:
        """Every step of everybody; with `email`, only mails or only tasks."""
        return [
            (each, step)
            for each in self.enrollments.values()
            for step in each.steps
            if email is None or step.step.is_email is email
        ]


@pytest.fixture(scope="module")
def folder():
    """A folder for the store: in memory where the system has that, since a disk would be waited for ten thousand times.

    What a disk makes of a commit is for the tests of the store; here a minute of waiting would prove nothing.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def job(folder):
    """The whole job, done once."""
    leads = read_leads(path("leads-500.csv"))
    sequences = [load(path(name)) for name in SEQUENCES]
    clock = ManualClock(min(lead.enrolled_at for lead in leads if lead.enrolled_at))
    inbox = Inbox(clock)
    server = AnyPort(inbox, "127.0.0.1", 0)
    server.start()
    store = SQLiteStore(folder / "crm.db")
    mailer = SmtpMailer(
        "127.0.0.1", server.port, sender="sales@example.com", security="none", unsubscribe_mailto="stop@example.com"
    )
    created: list[tuple[datetime, int, int]] = []

    def listen(event):
        if event.type == "task_created":
            heapq.heappush(created, (event.at + CALL_TAKES, event.enrollment_id, event.position))

    engine = Engine(
        store=store,
        mailer=mailer,
        clock=clock,
        listener=listen,
        templates=lambda id, account: Template(f"Hello {{{{ first_name }}}} ({id})", "From us to {{ company }}.\n"),
    )
    enrolled: dict[int, Lead] = {}
    waiting = sorted(((lead.enrolled_at, i) for i, lead in enumerate(leads) if lead.enrolled_at), reverse=True)
    try:
        while True:
            report = engine.tick()
            if report.more and report.claimed:
                continue
            upcoming = [at for at in (report.next_due_at, waiting and waiting[-1][0], created and created[0][0]) if at]
            if not upcoming:
                break
            clock.set(max(min(upcoming), clock.now()))
            while waiting and waiting[-1][0] <= clock.now():
                _, i = waiting.pop()
                lead = leads[i]
                resource = Resource(lead.resource_type, lead.resource_id, lead.email, lead.fields, lead.timezone)
                enrolled[engine.enroll(sequences[i % len(sequences)], resource).id] = lead
            while created and created[0][0] <= clock.now():
                _, enrollment_id, position = heapq.heappop(created)
                engine.complete_task(engine.get(enrollment_id).steps[position].task_id)
        enrollments = {each.id: each for each in engine.enrollments(limit=10_000)}
        yield Job(
            leads=enrolled,
            enrollments=enrollments,
            received=inbox.received,
            tasks=engine.tasks(status=None, limit=10_000),
            histories={id: engine.history(id) for id in enrollments},
        )
    finally:
        mailer.close()
        server.stop()
        store.close()


def test_everybody_is_enrolled_and_finished(job):
    """All five hundred were enrolled at their moment and have run to the end."""
    assert len(job.enrollments) == len(job.leads) == 500
    assert {(each.state.value, each.finished_reason) for each in job.enrollments.values()} == {
        ("finished", "completed")
    }
    assert all(each.created_at == job.leads[each.id].enrolled_at for each in job.enrollments.values())
    assert {step.status for _, step in job.steps()} == {StepStatus.COMPLETED}


def test_exactly_one_mail_a_step(job):
    """Nothing lost and nothing doubled: the server has one mail for each step that is a mail, and no other."""
    received = Counter(each.step for each in job.received)

    assert received == Counter((each.id, step.position) for each, step in job.steps(email=True))


def test_every_mail_reaches_its_lead(job):
    """Each mail has one recipient, in envelope and header: the lead that it is meant for, by name in the text."""
    for each in job.received:
        lead = job.leads[each.step[0]]
        assert (each.to, each.message["To"]) == ([lead.email], lead.email)
        assert lead.fields["first_name"] in each.message["Subject"]


def test_every_mail_leaves_when_it_may(job):
    """Each mail came on a send day and inside a window, on the lead's own clock (T5)."""
    closed = [
        each
        for each in job.received
        for enrollment in [job.enrollments[each.step[0]]]
        if not oracle.is_open(oracle.Rules.of(enrollment.calendar), each.at, email=True)
    ]

    assert closed == []


def test_every_step_is_executed_when_it_should_be(job):
    """Each mail left, and each task was put on the board, at the very instant that the laws give (T6, T7)."""
    for enrollment in job.enrollments.values():
        rules, base = oracle.Rules.of(enrollment.calendar), oracle.utc(enrollment.started_at)
        for step in enrollment.steps:
            delay = step.step.after
            n = round(delay.n * 10_000) if delay.unit == "hours" else delay.n
            due = oracle.next_open(rules, oracle.after(rules, base, (delay.unit, n)), email=step.step.is_email)
            assert oracle.utc(step.estimated_execute_at) == due, (enrollment.id, step.position)
            base = oracle.utc(step.executed_at)
            assert base == (due if step.step.is_email else due + CALL_TAKES), (enrollment.id, step.position)


def test_the_server_received_mails_in_order(job):
    """Of one enrollment, no mail came before the one before it (L4)."""
    positions: dict[int, list[int]] = {}
    for each in job.received:
        enrollment_id, position = each.step
        positions.setdefault(enrollment_id, []).append(position)

    assert all(each == sorted(each) for each in positions.values())
    assert all(one.at <= other.at for one, other in itertools.pairwise(job.received))


def test_replies_stay_in_their_thread(job):
    """A reply refers to every mail of its thread, the last one above all; what begins a thread refers to none."""
    messages = {each.step: each.message for each in job.received}
    for enrollment in job.enrollments.values():
        thread: list[str] = []
        for step in enrollment.steps:
            if not step.step.is_email:
                continue
            message = messages[enrollment.id, step.position]
            if not step.step.action.is_reply:
                thread = []
            assert (message["References"] or "").split() == thread
            assert message["In-Reply-To"] == (thread[-1] if thread else None)
            assert message["Subject"].startswith("Re: ") is bool(thread)
            thread = [*thread, message["Message-ID"]]
            assert step.message_id == message["Message-ID"]


def test_opting_out_where_the_sequence_asks_for_it(job):
    """Mails of the sequence that asks for a way to opt out have one, the others have none."""
    for each in job.received:
        policy = job.enrollments[each.step[0]].version.sequence.policy
        assert ("List-Unsubscribe" in each.message) is policy.unsubscribe.enabled


def test_every_task_was_on_the_board_once(job):
    """The board has one task for each step that is a task, made on a working day, and each is done."""
    assert Counter((task.enrollment_id, task.position) for task in job.tasks) == Counter(
        (each.id, step.position) for each, step in job.steps(email=False)
    )
    assert {task.status for task in job.tasks} == {"done"}
    for task in job.tasks:
        rules = oracle.Rules.of(job.enrollments[task.enrollment_id].calendar)
        assert oracle.is_open(rules, task.created_at, email=False)


def test_every_history_replays(job):
    """The history of an enrollment, from its first event on, makes the same enrollment again."""
    for enrollment in job.enrollments.values():
        again = replay(enrollment.version, job.histories[enrollment.id])
        assert changed(again, {"resource": enrollment.resource}) == enrollment
