"""Sequences of every shape that is valid, for round trips."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from sequencer.core.calendar import Calendar, Window
from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.merge import problems_of
from sequencer.core.policy import REPORT_KINDS, Policy, Reaction, Retry, Unsubscribe
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.silence import SILENCEABLE

# Words that some reader of YAML takes for something else, and texts that need care in one notation or the other.
WORDS = r"""no yes on off y n Null ~ true FALSE 010 0x1F 0o7 1_000 9:30 1e5 .5 5. +1 -0 .inf .NaN NaN 2026-12-25 << = !
& * a:b a#b #a -a ?a {a} [a] 'a' "a" @a `a` %a |a >a a,b a\b é 日本"""
ODD = ["a: b", "a #b", "- a", "? a", " a", "a ", "a\u2028b", "a\x85b", "\ufeffa", "\x9fa", "\U0001f600"]
TRICKY = st.sampled_from([*WORDS.split(), *ODD])
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(i) for i in [*range(32), 127]])
BODIES = st.one_of(
    TRICKY,
    st.text(st.one_of(CHARACTERS, st.sampled_from("\n\r\t a")), max_size=60),
    st.lists(TRICKY | st.sampled_from(["", " ", "  b", "\t"]), max_size=5).map("\n".join),
)


def lines(longest: int):
    """One line of text that is not blank."""
    return (TRICKY | st.text(CHARACTERS, min_size=1, max_size=min(longest, 60))).filter(
        lambda text: bool(text.strip()) and len(text) <= longest
    )


def is_well_formed(text: str) -> bool:
    """Whether every brace in a text belongs to a merge field."""
    return not problems_of(text)


TEXTS = BODIES.filter(is_well_formed) | st.just("Hello {{ first_name }}, of {{company}}\n")
IDS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 9), st.integers(0, 9).map(str), lines(64))
HOURS = st.one_of(st.integers(0, 87_600), st.integers(0, 876_000_000).map(lambda n: n / 10_000)).map(Hours)
DELAYS = HOURS | st.integers(0, 2_610).map(Weekdays)
DAYS = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)
TIMES = st.tuples(st.integers(0, 23), st.integers(0, 59), st.sampled_from([0, 0, 30])).map(
    lambda t: "{:02}:{:02}:{:02}".format(*t)[: 8 if t[2] else 5]
)
SPANS = st.tuples(TIMES, TIMES | st.just("24:00")).filter(lambda pair: pair[0] < pair[1])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | BODIES,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TRICKY | lines(20), each, max_size=3),
    max_leaves=8,
)
METADATA = st.dictionaries(TRICKY | lines(20) | st.just("k" * 1500), JSON, max_size=3)


@st.composite
def calendars(draw):
    """Calendars, whose windows lie on send days."""
    send_days = draw(DAYS)
    windows = [
        Window(draw(st.lists(st.sampled_from(send_days), min_size=1, unique=True)), *draw(SPANS))
        for _ in range(draw(st.integers(0, 3)))
    ]
    return Calendar(
        draw(st.sampled_from(["UTC", "Europe/Warsaw", "America/St_Johns", "Etc/GMT+5"])),
        working_days=draw(DAYS),
        send_days=draw(st.sampled_from([None, send_days])) if not windows else send_days,
        holidays=draw(st.lists(st.dates(date(1970, 1, 1), date(9000, 12, 31)), max_size=4)),
        send_windows=windows,
    )


REACTIONS = st.one_of(
    st.sampled_from(["finish", "block", "note"]).map(Reaction),
    DELAYS.map(lambda delay: Reaction("block", duration=delay)),
)
POLICIES = st.builds(
    Policy,
    on=st.dictionaries(st.sampled_from(REPORT_KINDS), REACTIONS),
    exclusive=st.sampled_from(["sequence", "all"]),
    reenroll_after=st.integers(0, 3650),
    retry=st.builds(
        Retry,
        attempts=st.integers(1, 100),
        first=st.integers(1, 604_800) | st.floats(1, 604_800) | st.integers(1, 10_080).map(lambda n: 60 * n),
        factor=st.integers(1, 100) | st.floats(1, 100),
    ),
    unsubscribe=st.builds(Unsubscribe, enabled=st.booleans(), locale=lines(35)),
)
EMAILS = st.builds(AutomatedEmail, IDS, is_reply=st.booleans())
TASKS = st.builds(Task, TEXTS.filter(lambda text: bool(text.strip())), due_after=DELAYS, skip_after=st.none() | DELAYS)
STEPS = st.builds(Step, EMAILS | TASKS, DELAYS, metadata=METADATA)
DURATIONS = DELAYS.map(lambda delay: {delay.unit: delay.n})
SPAN = SPANS.map(lambda span: {"from": span[0], "to": span[1]})
DATES = st.dates(date(1970, 1, 1), date(9000, 12, 31)).map(str)
UNTIL = DATES.map(lambda until: {"until": until})
ENROLLED = st.builds(lambda span, until: {**span, **until}, SPAN, st.just({}) | UNTIL)
ZONES = st.lists(st.sampled_from(["UTC", "Europe/Warsaw", "America/St_Johns"]), min_size=1, unique=True)
ASSUMPTIONS = st.fixed_dictionaries(
    {}, optional={"enrolled": ENROLLED, "tasks_done_within": DURATIONS, "timezones": ZONES}
)
DURATION_KINDS = [
    "min_between_emails", "max_between_emails", "min_between_steps", "max_between_steps", "min_duration",
    "max_duration", "first_touch_within",
]  # fmt: skip
EXPECTATIONS = st.one_of(
    st.builds(lambda kind, n: {kind: n}, st.sampled_from(DURATION_KINDS), DURATIONS),
    st.builds(lambda n, days: {"max_emails": {"count": n, "days": days}}, st.integers(0, 99), st.integers(1, 99)),
    st.builds(
        lambda kind, days, span: {kind: {"days": days, **span}},
        st.sampled_from(["no_email_on", "no_task_on"]), DAYS, SPAN,
    ),
    st.lists(DATES, min_size=1, unique=True).map(lambda dates: {"no_email_on": {"dates": dates}}),
    SPAN.map(lambda span: {"local_hours": span}),
    st.lists(st.sampled_from(REPORT_KINDS), min_size=1, unique=True).map(lambda kinds: {"stops_on": kinds}),
)  # fmt: skip


@st.composite
def silences(draw, keys):
    """What a sequence whose steps have these keys is silent about: everywhere, at a key, or at a position."""
    steps = st.none() | st.integers(0, len(keys) - 1) | st.sampled_from(keys)
    entry = {"finding": draw(st.sampled_from(SILENCEABLE)), "because": draw(lines(500))}
    step = draw(steps)
    return entry if step is None else entry | {"step": step}


@st.composite
def sequences(draw):
    """Sequences in all that they can be."""
    keys = draw(st.lists(st.none() | lines(64), min_size=1, max_size=5, unique_by=lambda key: key or object()))
    steps = [draw(STEPS) for _ in keys]
    return Sequence(
        draw(lines(255)),
        tuple(
            Step(step.action, step.after, key=key, metadata=step.metadata)
            for step, key in zip(steps, keys, strict=True)
        ),
        calendar=draw(calendars()),
        key=draw(st.none() | lines(255)),
        policy=draw(POLICIES),
        metadata=draw(METADATA),
        templates=draw(st.dictionaries(IDS, st.builds(Template, lines(200).filter(is_well_formed), TEXTS), max_size=4)),
        assume=draw(ASSUMPTIONS),
        expect=draw(st.lists(EXPECTATIONS, max_size=3)),
        silence=draw(st.lists(silences(keys), max_size=2)),
    )
