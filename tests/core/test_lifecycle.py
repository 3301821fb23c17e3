"""Every situation crossed with every signal: what a request answers, and that a report never raises (L2, L4, L10)."""

from __future__ import annotations

from typing import Any

import attrs
import pendulum
import pytest

from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.lifecycle import advance
from sequencer.core.signals import (
    OUTSIDE,
    Block,
    CompleteTask,
    EmailFailed,
    EmailPending,
    EmailSent,
    Finish,
    OutOfOffice,
    Reassign,
    Resume,
    Skip,
    Start,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskFailed,
    UpdatePerson,
    Withdraw,
)
from tests.core.driving import AT_LEAST_ONCE, FORGETS_KEYS, KNOWS_KEYS, PLAIN
from tests.core.situations import SITUATIONS

REQUESTS = {
    "block": lambda run: Block(),
    "resume": lambda run: Resume(),
    "resume, skip": lambda run: Resume(skip=True),
    "finish": lambda run: Finish(actor_id=3),
    "skip": lambda run: Skip(),
    "complete": lambda run: CompleteTask(0),
    "reassign": lambda run: Reassign(99),
    "update": lambda run: UpdatePerson(attrs.evolve(run.enrollment.resource, email="new@example.com")),
}

# What each request answers: D done, S already so, - IllegalTransition; in the order of REQUESTS.
ANSWERS = """
active, email pending       D S S D D - D D
active, email retrying      D S S D D - D D
active, email unmarked      D S S D - - D D
active, email marked        D S S D - - D D
active, email deduplicated  D S S D - - D D
active, email awaiting      D S S D - - D D
active, task pending        D S S D D D D D
active, task retrying       D S S D D D D D
active, task unmarked       D S S D - D D D
active, task marked         D S S D - D D D
active, task in_progress    D S S D D D D D
paused, email pending       S D D D D - D D
paused, email retrying      S D D D D - D D
paused, email unmarked      S D D D D - D D
paused, email marked        S D - D - - D D
paused, email deduplicated  S D - D - - D D
paused, email awaiting      S D - D - - D D
paused, task pending        S D D D D D D D
paused, task retrying       S D D D D D D D
paused, task unmarked       S D D D D D D D
paused, task marked         S D - D - D D D
paused, task in_progress    S D D D D D D D
failed, email refused       S D D D D - D D
failed, email unknown       S D D D D - D D
failed, task unknown        S D D D D D D D
failed, task failed         S D D D D D D D
failed, task deleted        S D D D D D D D
finished, email pending     - - - S - - - -
finished, email retrying    - - - S - - - -
finished, email unmarked    - - - S - - - -
finished, email marked      - - - S - - - -
finished, email deduplicated - - - S - - - -
finished, email awaiting    - - - S - - - -
finished, task pending      - - - S - - - -
finished, task retrying     - - - S - - - -
finished, task unmarked     - - - S - - - -
finished, task marked       - - - S - D - -
finished, task in_progress  - - - S - - - -
finished, email refused     - - - S - - - -
finished, email unknown     - - - S - - - -
finished, task unknown      - - - S - - - -
finished, task failed       - - - S - - - -
finished, task deleted      - - - S - - - -
finished, completed         - - - S - - - -
finished, skipped           - - - S - - - -
"""


def _answers():
    for line in ANSWERS.strip().splitlines():
        name, codes = line[:-15].strip(), line[-15:].split()
        for request, code in zip(REQUESTS, codes, strict=True):
            yield name, request, code


ANSWERED = list(_answers())


def test_the_table_has_every_situation():
    """The table of answers has a row for every situation, and no other."""
    assert {name for name, _, _ in ANSWERED} == set(SITUATIONS)


@pytest.mark.parametrize(("name", "request_", "code"), ANSWERED)
def test_every_request_has_one_answer(name, request_, code):
    """In every situation a request is done, already so, or refused with nothing changed, as the table says (L10)."""
    run = SITUATIONS[name]()
    before = run.enrollment
    try:
        run.do(REQUESTS[request_](run))
    except IllegalTransition as refusal:
        assert code == "-"
        assert refusal.state in (before.state, *(step.status for step in before.steps))  # noqa: PT017
        assert run.enrollment is before
    else:
        assert code == ("D" if run.new else "S")


def both(kind, run, **fields):
    """An answer that finds its step in each way: by the key and the latest, an older or no attempt."""
    position = min(run.enrollment.position, len(run.enrollment.steps) - 1)
    step = run[position]
    for attempt in (step.attempt, max(0, step.attempt - 1), step.attempt + 1, None):
        yield kind(effect_key=run.key(position), attempt=attempt, **fields)


def reports(run):
    """Every report there is, in every form in which it may come."""
    kind: Any
    key, other = run.key(0), run.key(len(run.enrollment.steps) - 1)
    yield from both(EmailSent, run, message_id="<m>", provider_id="p-1")
    yield from both(EmailSent, run)
    yield from both(EmailPending, run, provider_id="p-1")
    for permanent in (False, True):
        for known in (False, True):
            yield from both(EmailFailed, run, permanent=permanent, known=known, recipient_fault=known)
            yield from both(TaskFailed, run, permanent=permanent, known=known)
    yield from both(TaskCreated, run, task_id="task-0")
    yield from both(TaskCreated, run, task_id="task-9")
    yield from both(TaskCreated, run)
    for kind in (TaskCompleted, TaskDeleted):
        yield kind(effect_key=key)
        yield kind(effect_key=other)
        yield kind(task_id="task-0")
        yield kind(task_id="nobody's")
    for done in (True, False):
        yield TaskCancelled(task_id="task-0", done=done)
        yield TaskCancelled(task_id="nobody's", done=done)
    yield EmailSent(provider_id="p-1")
    yield EmailSent(provider_id="nobody's")
    yield EmailFailed(provider_id="p-1")
    for kind in (EmailSent, EmailPending, EmailFailed, TaskCreated, TaskFailed):
        yield kind(effect_key=other, attempt=1)
        for strange in ("", "x", "store-7-99-0", "store-7-0-99", "store-8-0-0", "else-7-0-0", "store-7--0"):
            if strange:
                yield kind(effect_key=strange)
    yield EmailSent(at=pendulum.datetime(2200, 1, 1, tz="UTC"), effect_key=key)
    yield EmailSent(at=pendulum.datetime(1971, 1, 1, tz="UTC"), effect_key=key)
    yield TaskCompleted(at=pendulum.datetime(2200, 1, 1, tz="UTC"), effect_key=key)
    yield TaskCompleted(at=pendulum.datetime(1971, 1, 1, tz="UTC"), effect_key=key)
    for kind in OUTSIDE.values():
        yield kind(key="k", enrollment_id=7)
        yield kind(key="k", message_id="<0>", provider_id="p-1")
    for until in (pendulum.date(1971, 1, 1), pendulum.date(2026, 4, 1), pendulum.datetime(2026, 4, 1, tz="UTC")):
        yield OutOfOffice(key="k", enrollment_id=7, until=until)


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_report_raises(name):
    """In every situation every report changes something along the machines' edges, or is noted (L10)."""
    make = SITUATIONS[name]
    for report in list(reports(make())):
        run = make()
        position = run.enrollment.position
        over = [status for status in run.statuses if status in ("completed", "skipped", "cancelled")]
        run.do(report)
        assert run.new, report
        if run.told == ["noted"]:
            assert run.enrollment.state == make().enrollment.state
        if run.state != "finished":
            assert run.enrollment.position <= position + 1, f"{report} reaches past the current step (L4)"
        assert len([status for status in run.statuses if status in ("completed", "skipped", "cancelled")]) >= len(over)


@pytest.mark.parametrize("handling", [PLAIN, KNOWS_KEYS, AT_LEAST_ONCE, FORGETS_KEYS])
@pytest.mark.parametrize("name", SITUATIONS)
def test_the_workers_signals_never_raise(name, handling):
    """In every situation, now and at any later time, `Due`, `Start` and `Withdraw` are total (L10, E3)."""
    for days in (0, 1, 4, 40):
        for signal in (
            lambda run: handling,
            lambda run: Start(run.key(run.enrollment.current_step_position), 1),
            lambda run: Start("store-7-99-0", 1),
            lambda run: Withdraw(run.key(run.enrollment.current_step_position), 1),
            lambda run: Withdraw("nonsense", 1),
        ):
            run = SITUATIONS[name]().later(days=days)
            before = run.state
            run.do(signal(run))
            if run.effects and type(signal(run)) is type(handling):
                hand_overs = [each for each in run.effects if hasattr(each, "key")]
                assert len(hand_overs) <= 1
                assert not hand_overs or (before == "active" and hand_overs[0].position == run.enrollment.position)


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_was_done_once_is_already_so(name):
    """Whatever a request has done, the same request again changes nothing or is refused (L10)."""
    for make in REQUESTS.values():
        run = SITUATIONS[name]()
        request = make(run)
        if isinstance(request, Skip):
            continue  # means the current step, whichever that is
        try:
            run.do(request)
        except IllegalTransition:
            continue
        try:
            run.do(request)
        except IllegalTransition:
            assert run.state in ("finished", "active")
        else:
            assert not run.new, request


@pytest.mark.parametrize("name", SITUATIONS)
def test_bad_requests_change_nothing(name):
    """A request with nonsense in it is refused as bad input, or for the state, and nothing is changed (S6)."""
    run = SITUATIONS[name]()
    for request in (
        Block(""),
        Block("a\0b"),
        Block(until=run.now),
        Block(until=run.now.subtract(hours=1)),
        CompleteTask(99),
        CompleteTask(-1),
    ):
        with pytest.raises((InvalidInput, IllegalTransition)):
            advance(run.enrollment, request, run.now)


def test_a_timeline_that_there_is_not_is_refused():
    """A resume that does not say what becomes of the timeline is not made, whatever it is for (S6, L6)."""
    with pytest.raises(InvalidInput, match="shift, keep or restart"):
        Resume("sideways")


def test_what_is_no_signal_is_refused():
    """Something else than a signal is a programming error, and says so."""
    run = SITUATIONS["active, email pending"]()
    with pytest.raises(TypeError, match="no signal"):
        advance(run.enrollment, "due", run.now)


@pytest.mark.parametrize("name", SITUATIONS)
def test_noting_keeps_everything_else(name):
    """A note changes nothing of an enrollment but its revision and when it was updated (L8, L10)."""
    run = SITUATIONS[name]()
    before = run.enrollment
    run.later(minutes=1).do(OUTSIDE["opened"](key="k", enrollment_id=7))
    ignored = {"revision": before.revision, "updated_at": before.updated_at, "wake_at": before.wake_at}
    assert run.told == ["noted"]
    assert attrs.evolve(run.enrollment, **ignored) == before
