"""What timelines show: held against every minute of the starts that are looked at, and at the edge of each line."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar, zone_named
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import from_microseconds, to_instant
from sequencer.core.pacing import Cap
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.timeline import plan
from sequencer.core.windows import Window
from sequencer.design import find
from sequencer.design.deciding.ground import MINUTE
from sequencer.design.findings.samples import stretches
from tests.design.designs import MORNINGS, OFFICE, SINCE, TEXTS, WEEK, call, mail, sequence

TIMED = ("mails_close", "mail_at_night", "mail_waits_for_days", "weekday_becomes_two", "longer_than_a_quarter")
ZONES = ["Europe/Warsaw", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
CASE = re.compile(r"who is enrolled on \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d)")
MOMENT = re.compile(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d)")

CLOCKS = st.sampled_from(["00:00", "06:00", "09:00", "11:00", "13:20", "17:00", "22:00"])
WINDOWS = st.builds(
    lambda days, clocks: Window(days, min(clocks), max(clocks)),
    st.lists(st.sampled_from(WEEK), min_size=1, max_size=4, unique=True),
    st.lists(CLOCKS, min_size=2, max_size=2, unique=True),
)
STEPS = st.builds(
    Step,
    st.sampled_from([AutomatedEmail(1), AutomatedEmail(2), Task("Call")]),
    st.integers(0, 4 * 40).map(lambda quarters: Hours(quarters / 4)) | st.sampled_from([0, 1, 2, 30]).map(Weekdays),
)


@st.composite
def designs(draw):
    """Designs whose every time is a whole minute, for people who are enrolled on one weekday."""
    calendar = Calendar(
        draw(st.sampled_from(ZONES)),
        holidays=draw(st.lists(st.dates(date(2026, 3, 2), date(2026, 4, 30)), max_size=2)),
        send_windows=draw(st.lists(WINDOWS, max_size=2)),
    )
    enrolled = {"days": [draw(st.sampled_from(WEEK))], "from": "14:00", "to": draw(st.sampled_from(["14:01", "17:00"]))}
    steps = draw(st.lists(STEPS, min_size=1, max_size=4))
    assume = {"enrolled": enrolled, "timezones": [calendar.timezone]}
    return Sequence("Design", steps, calendar=calendar, templates={1: TEXTS[1], 2: TEXTS[2]}, assume=assume)


def is_dark(local: datetime) -> bool:
    """Whether a clock shows an hour of the night."""
    return local.hour >= 22 or local.hour < 6


def naive(design: Sequence) -> set[tuple[str, int | None]]:
    """The codes, and the positions, that looking at one start after the other finds."""
    calendar, found = design.calendar, set()
    late: Counter[int] = Counter()
    quarters = 0
    for begins, ends in stretches(design, SINCE, 2):
        for at in range(begins, ends, MINUTE):
            start = from_microseconds(at)
            counts = (at - begins) % (15 * MINUTE) == 0
            quarters += counts
            before, last_mail, nights = start, None, []
            for step in plan(design, start, reasons=False):
                i, comes = step.position, step.estimated_execute_at
                meant, before = calendar.after(before, step.step.after), comes
                if (comes - start).total_days() > 92:
                    found.add(("longer_than_a_quarter", None))
                if not step.step.is_email:
                    continue
                if last_mail is not None and (comes - last_mail).total_hours() < 23:
                    found.add(("mails_close", i))
                last_mail = comes
                nights += [i] if is_dark(step.local) else []
                meant_local, day = calendar.local(meant), calendar.local(comes).date()
                between = (meant_local.date() + timedelta(n) for n in range(1, (day - meant_local.date()).days))
                if sum(calendar.is_working_day(each) for each in between) >= 3:
                    found.add(("mail_waits_for_days", i))
                closes = [w.closes for w in calendar.send_windows if f"{meant_local:%a}".lower() in w.days]
                is_over = (
                    closes and f"{meant_local:%H:%M}" >= max(closes) and meant_local.date() not in calendar.holidays
                )
                if counts and step.step.after.n and meant != comes and is_over:
                    late[i] += 1
            if nights and not is_dark(calendar.local(start)):
                found.add(("mail_at_night", nights[0]))
    return found | {("weekday_becomes_two", i) for i, n in late.items() if 4 * n >= 3 * quarters}


@settings(max_examples=60)
@given(designs())
def test_all_is_found_that_looking_minute_by_minute_finds(design):
    """Looking in pieces finds the same, at the same steps, as looking at each start for itself; no more, no less."""
    findings = [each for each in find(design, since=SINCE) if each.code in TIMED]
    told = {(each.code, None if each.code == "longer_than_a_quarter" else each.position) for each in findings}

    assert told == naive(design)
    for finding in findings:
        # The case that a message tells is that of the plan: of the start that it names, at the moment it ends with.
        start, *_, comes = [datetime.fromisoformat(each) for each in MOMENT.findall(finding.message)]
        assert CASE.match(finding.message)
        timeline = plan(design, to_instant(start.replace(tzinfo=zone_named(design.calendar.timezone))))
        moments = {step.local.replace(tzinfo=None) for step in timeline}
        meant = {
            design.calendar.local(design.calendar.after(base, step.step.after)).replace(tzinfo=None)
            for base, step in zip(
                [timeline.started_at, *(each.estimated_execute_at for each in timeline)], timeline, strict=False
            )
        }
        assert comes in moments | meant


def codes(design: Sequence, **asked) -> list[str]:
    """What is found, but advice, of who lives where the design does."""
    return [
        each.code for each in find(design, since=SINCE, timezones=[design.calendar.timezone], **asked) if each.fails
    ]


FROM_16 = {"enrolled": {"from": "16:00", "to": "16:01"}}
AT_9 = {"enrolled": {"from": "09:00", "to": "09:01"}}


@pytest.mark.parametrize(("hours", "found"), [(5.75, []), (6, ["mail_at_night"]), (13.75, ["mail_at_night"]), (14, [])])
def test_the_night_is_from_22_to_6(hours, found):
    """A mail at 21:45 is no mail at night, and neither is one at 06:00; at 22:00 and 05:45 it is."""
    design = sequence(mail(1, Hours(hours)), calendar=Calendar("UTC"), assume=FROM_16)

    assert codes(design) == found


def test_who_is_enrolled_at_night_has_asked_for_it():
    """The answer at once to who writes at night is no mail at night; a second one an hour later is."""
    assume = {"enrolled": {"from": "00:00", "to": "24:00"}}
    calendar = Calendar("UTC")

    assert codes(sequence(mail(1), calendar=calendar, assume=assume)) == []
    assert codes(sequence(mail(1, Hours(1)), calendar=calendar, assume=assume)) == ["mail_at_night"]


@pytest.mark.parametrize(("hours", "found"), [(22.9833, ["mails_close"]), (23, [])])
def test_23_hours_are_a_working_day(hours, found):
    """Two mails 22 hours and 59 minutes apart are too close; 23 hours are what a day has when the clocks go forward."""
    design = sequence(mail(1), mail(2, Hours(hours)), calendar=Calendar("UTC"), assume=AT_9)

    assert codes(design) == found


def test_a_weekend_between_two_mails_is_long_enough():
    """From Friday evening to Monday morning is more than a day, though hardly any working time."""
    friday = {"enrolled": {"days": ["fri"], "from": "16:45", "to": "17:00"}}

    assert codes(sequence(mail(1), mail(2, Hours(24)), assume=friday)) == []


def test_tasks_between_mails_are_done_when_they_are_due():
    """A task between two mails does not keep them apart, and the message says what it takes for granted."""
    (finding,) = find(sequence(mail(1), call(Hours(1)), mail(2, Hours(1))), since=SINCE)

    assert "2 hours later" in finding.message
    assert "if what is between them is done when it is due" in finding.message


def test_a_quarter_is_92_days():
    """Ninety-two days are a quarter, and a minute more is longer than one."""
    exact = sequence(mail(1), mail(2, Hours(92 * 24)), calendar=Calendar("UTC", working_days=[*WEEK, "sat", "sun"]))

    assert find(exact, since=SINCE, timezones=["UTC"]) == ()
    longer = sequence(*exact.steps, mail(3, Hours(0.25)), calendar=exact.calendar)
    assert [each.code for each in find(longer, since=SINCE, timezones=["UTC"])] == [
        "mails_close",
        "longer_than_a_quarter",
    ]


def test_three_of_four_starts_are_reliable():
    """What three quarters of all starts run into is how the design works; what fewer do is chance."""
    steps = [call(Hours(4)), mail(1, Weekdays(1))]

    def enrolled(begins: str, ends: str) -> Sequence:
        return sequence(*steps, calendar=MORNINGS, assume={"enrolled": {"from": begins, "to": ends}})

    # Past 11:00 is who is enrolled from 07:00 on: three quarters of an hour of four, five of seven.
    assert codes(enrolled("06:45", "07:45")) == ["weekday_becomes_two"]
    assert codes(enrolled("06:30", "08:15")) == []


@pytest.mark.parametrize(
    ("cap", "found"),
    [
        (Cap(emails=1, per=Hours(48)), ["cap_exceeded"]),
        (Cap(emails=2, per=Hours(48)), []),
        (Cap(emails=2, per=Hours(49)), ["cap_exceeded"]),
        (Cap(emails=3, per=Hours(500)), []),
        (Cap(gap=Hours(24)), []),
        (None, []),
    ],
)
def test_caps_count_in_windows_that_are_half_open(cap, found):
    """Three mails a day apart are too many for two in 49 hours, not in 48: what left exactly that long ago is gone."""
    design = sequence(mail(1), mail(2, Weekdays(1)), mail(3, Weekdays(1)), assume={"enrolled": {"days": ["mon"]}})

    assert codes(design, cap=cap) == found


def test_gaps_and_caps_that_block():
    """A cap with a gap is exceeded by two mails that are closer, and one that blocks says so."""
    design = sequence(mail(1), mail(2, Hours(23)), assume=AT_9, calendar=Calendar("UTC"))

    (waits,) = find(design, since=SINCE, timezones=["UTC"], cap=Cap(gap=Hours(24)))
    assert "at least 24 hours between two mails in the name of one sender, so the last of them waits" in waits.message
    (blocks,) = find(design, since=SINCE, timezones=["UTC"], cap=Cap(emails=1, exceeding="block"))
    assert blocks.message.endswith("so the enrollment is blocked there")


def test_a_window_at_night_is_a_finding_too():
    """Whatever leads into the night, it is one; what is so at home is not said once more of other zones."""
    calendar = Calendar("UTC", send_windows=[Window(WEEK, "02:00", "04:00")])

    (finding,) = find(sequence(mail(1), calendar=calendar), since=SINCE)

    assert finding.code == "mail_at_night"
    assert "since on Mon 2026-03-02 09:00 no mail may leave" in finding.message


def test_windows_that_only_late_starts_miss():
    """An hour after a window of the office hours has closed is where some starts lead, and no finding."""
    assert codes(sequence(call(Hours(2)), mail(1, Weekdays(1)), calendar=OFFICE)) == []
