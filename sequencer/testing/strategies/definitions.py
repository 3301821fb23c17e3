"""Strategies for definitions: policies, steps, templates and sequences of every shape that is valid."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import attrs
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Delay
from sequencer.core.policy import REPORT_KINDS, Policy, Reaction, Retry, Unsubscribe
from sequencer.core.sequence import MOST_STEPS, AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.silence import SILENCEABLE
from sequencer.core.values import Identifier, respelled
from sequencer.testing.strategies.asked import to_bounds, to_strategy
from sequencer.testing.strategies.texts import bodies, identifiers, is_well_formed, lines, metadata
from sequencer.testing.strategies.timing import calendars as any_calendars
from sequencer.testing.strategies.timing import delays as any_delays
from sequencer.testing.strategies.timing import weekday_sets, windows

__all__ = ["policies", "reactions", "sequences", "steps", "templates"]


@cache
def reactions() -> st.SearchStrategy[Reaction]:
    """What a report does to an enrollment: finish, block (for a while or until somebody resumes), note it."""
    return st.one_of(
        st.sampled_from(["finish", "block", "note"]).map(Reaction),
        any_delays().map(lambda delay: Reaction("block", duration=delay)),
    )


@cache
def policies() -> st.SearchStrategy[Policy]:
    """What reports do, who may be enrolled again, how failures are retried, how people opt out.

    Shrinks towards `Policy()`.
    """
    pauses = st.integers(1, 604_800) | st.floats(1, 604_800) | st.integers(1, 10_080).map(lambda n: 60 * n)
    return st.one_of(
        st.just(Policy()),
        st.builds(
            Policy,
            on=st.dictionaries(st.sampled_from(REPORT_KINDS), reactions()),
            exclusive=st.sampled_from(["sequence", "all"]),
            reenroll_after=st.integers(0, 3650),
            retry=st.builds(
                Retry,
                attempts=st.integers(1, 100),
                first=pauses,
                factor=st.integers(1, 100) | st.floats(1, 100),
            ),
            unsubscribe=st.builds(Unsubscribe, enabled=st.booleans(), locale=lines(max_size=35)),
        ),
    )


@cache
def templates() -> st.SearchStrategy[Template]:
    """The text behind a template id, sometimes with merge fields."""
    return st.builds(Template, lines(max_size=200).filter(is_well_formed), bodies())


def steps(
    *, delays: st.SearchStrategy[Delay] | None = None, kinds: st.SearchStrategy[str] | None = None
) -> st.SearchStrategy[Step]:
    """A step: a mail or a task, with or without a key and metadata, so long after the one before.

    `delays` are those between steps, and those of a task's `due_after` and `skip_after`; the default is any. `kinds`
    gives "automated_email" or "task" (default: both). Shrinks towards a mail at once.
    """
    spans = to_strategy(delays, any_delays(), "delays")
    chosen = to_strategy(kinds, st.sampled_from(["automated_email", "task"]), "kinds")
    contents = bodies().filter(lambda text: bool(text.strip()))
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "automated_email": st.builds(AutomatedEmail, identifiers(), is_reply=st.booleans()),
        "task": st.builds(Task, contents, due_after=spans, skip_after=st.none() | spans),
    }
    return st.builds(
        Step, chosen.flatmap(by_kind.__getitem__), spans, key=st.none() | lines(max_size=64), metadata=metadata()
    )


_DURATION_KINDS = (
    "min_between_emails", "max_between_emails", "min_between_steps", "max_between_steps", "min_duration",
    "max_duration", "first_touch_within",
)  # fmt: skip


def _durations() -> st.SearchStrategy[dict[str, Any]]:
    return any_delays().map(lambda delay: {delay.unit: delay.n})


def _spans() -> st.SearchStrategy[dict[str, str]]:
    return windows().map(lambda window: {"from": window.opens, "to": window.closes})


def _dates() -> st.SearchStrategy[str]:
    return st.dates(date(1970, 1, 1), date(9000, 12, 31)).map(str)


@cache
def _expectations() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(lambda kind, n: {kind: n}, st.sampled_from(_DURATION_KINDS), _durations()),
        st.builds(lambda n, days: {"max_emails": {"count": n, "days": days}}, st.integers(0, 99), st.integers(1, 99)),
        st.builds(
            lambda kind, days, span: {kind: {"days": days, **span}},
            st.sampled_from(["no_email_on", "no_task_on"]), weekday_sets(), _spans(),
        ),
        st.lists(_dates(), min_size=1, unique=True).map(lambda dates: {"no_email_on": {"dates": dates}}),
        _spans().map(lambda span: {"local_hours": span}),
        st.lists(st.sampled_from(REPORT_KINDS), min_size=1, unique=True).map(lambda kinds: {"stops_on": kinds}),
    )  # fmt: skip


@cache
def _assumptions() -> st.SearchStrategy[dict[str, Any]]:
    until = _dates().map(lambda until: {"until": until})
    enrolled = st.builds(lambda span, until: {**span, **until}, _spans(), st.just({}) | until)
    places = st.lists(st.sampled_from(["UTC", "Europe/Warsaw", "America/St_Johns"]), min_size=1, unique=True)
    return st.fixed_dictionaries(
        {}, optional={"enrolled": enrolled, "tasks_done_within": _durations(), "timezones": places}
    )


def sequences(
    *,
    min_steps: int = 1,
    max_steps: int = 5,
    steps: st.SearchStrategy[Step] | None = None,
    calendars: st.SearchStrategy[Calendar] | None = None,
    policies: st.SearchStrategy[Policy] | None = None,
) -> st.SearchStrategy[Sequence]:
    """A valid sequence, in all that it can be: `min_steps` to `max_steps` steps (1 to 200), texts, expectations.

    `steps`, `calendars` and `policies` replace the strategies of the same names; of steps with one key only the first
    is kept. Its template ids need not have a text. Shrinks towards one mail at once, on the default calendar.
    """
    least, most = to_bounds(min_steps, max_steps, ("min_steps", "max_steps"), (1, MOST_STEPS))
    listed = st.lists(
        to_strategy(steps, _STEPS, "steps"),
        min_size=least,
        max_size=most,
        unique_by=lambda step: step.key if step.key is not None else object(),
    )
    spoken = st.builds(
        _with_texts,
        lines(max_size=255),
        listed,
        calendar=to_strategy(calendars, any_calendars(), "calendars"),
        key=st.none() | lines(max_size=255),
        policy=to_strategy(policies, _POLICIES, "policies"),
        metadata=metadata(),
        templates=st.dictionaries(identifiers(), templates(), max_size=4),
        assume=_assumptions(),
        expect=st.lists(_expectations(), max_size=3),
    )
    return _silent_about_some(spoken)


def _with_texts(name: str, steps: list[Step], *, templates: dict[Identifier, Template], **more: Any) -> Sequence:
    """A sequence with those of the texts that it may have: none whose id only looks like that of a mail."""
    used = {step.action.template_id for step in steps if isinstance(step.action, AutomatedEmail)}
    texts = {id: text for id, text in templates.items() if id in used or respelled(id) not in used - templates.keys()}
    return Sequence(name, steps, templates=texts, **more)


@st.composite
def _silent_about_some(draw: st.DrawFn, spoken: st.SearchStrategy[Sequence]) -> Sequence:
    """A sequence that is silent about some findings: everywhere, at a step's key, or at a position."""
    sequence = draw(spoken)
    silence: list[dict[str, Any]] = []
    for _ in range(draw(_FEW)):
        entry: dict[str, Any] = {"finding": draw(_SILENCEABLE), "because": draw(lines(max_size=500))}
        keys = [step.key for step in sequence.steps if step.key is not None]
        step = draw(st.sampled_from([None, *range(len(sequence.steps)), *keys]))
        silence.append(entry if step is None else entry | {"step": step})
    return attrs.evolve(sequence, silence=tuple(silence)) if silence else sequence


# What an argument of the same name stands in front of.
_STEPS = steps()
_FEW, _SILENCEABLE = st.integers(0, 2), st.sampled_from(sorted(SILENCEABLE))
_POLICIES = policies()
