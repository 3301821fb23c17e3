"""Verdicts beside a model: what is proved is broken by no start, and what is refuted is by the simplest."""

from __future__ import annotations

import datetime as dt
import random
from datetime import timedelta

import attrs
import pendulum
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Calendar,
    DefinitionError,
    Hours,
    InvalidInput,
    Policy,
    Sequence,
    Step,
    Task,
    Weekdays,
    Window,
    plan,
)
from sequencer.core.expectations import to_expectations
from sequencer.core.instants import to_instant
from sequencer.design import Counterexample, Verdict, broken, check, decide
from sequencer.design.deciding.scope import PROFILES, to_scope
from sequencer.design.deciding.searching import decide_all
from tests.design.naive import keeps
from tests.design.replaying import report
from tests.design.strategies import designs, expectations, lagging

SINCE = dt.date(2026, 11, 26)
OFFICE = Window(["mon", "tue", "wed", "thu", "fri"], "09:00", "17:00")


def refuting(verdict: Verdict) -> Counterexample:
    """The counterexample of a verdict that has one."""
    assert verdict.counterexample is not None
    return verdict.counterexample


def starts_of(since: dt.date, days: int, zone: str, every: timedelta):
    """Every so often a start, on the clock of a zone, through some days."""
    at = to_instant(dt.datetime(since.year, since.month, since.day, tzinfo=dt.UTC) - timedelta(hours=16))
    end = at.add(days=days, hours=32)
    while at < end:
        local = at.in_timezone(zone)
        if since <= local.date() < since + timedelta(days=days):
            yield at
        at = at + every


def roundness(at, zone: str) -> int:
    """How round a clock time is: 0 on the hour, and more the less it is."""
    local = at.in_timezone(zone)
    minutes = local.minute + (local.second or local.microsecond) / 60
    return next((i for i, size in enumerate((60, 30, 15, 5, 1)) if minutes % size == 0), 5)


@settings(max_examples=80)
@given(st.data())
def test_a_verdict_is_what_every_start_says(data):
    """A verdict on two weeks of one zone is what `plan`, asked at every quarter of an hour, comes to."""
    sequence, moment = data.draw(designs(most=3))
    zone = sequence.calendar.timezone
    since = moment.in_timezone(zone).date() - timedelta(days=data.draw(st.integers(0, 12)))
    assume(since.year > 1970)
    near = [str(since + timedelta(days=n)) for n in range(0, 20, 3)]
    (expect,) = to_expectations([data.draw(expectations(near))])
    scope = attrs.evolve(to_scope(sequence, since=since, timezones=[zone]), weeks=2)

    (verdict,) = decide_all(sequence, [expect], scope)

    breaking = [
        start
        for start in starts_of(since, 14, zone, timedelta(minutes=15))
        if not keeps(sequence, plan(sequence, start, reasons=False), expect)
    ]
    assert verdict.refuted >= bool(breaking)
    found = verdict.counterexample
    if found is None:
        assert (verdict.verdict, breaking) == ("proved", [])
        return
    assert not keeps(sequence, found.timeline, expect)
    assert found.timeline.steps == plan(sequence, found.start).steps
    assert broken(sequence, expect, found.start) == found.sentence
    simpler = min(((roundness(at, zone), at) for at in breaking), default=(9, found.start))
    assert (roundness(found.start, zone), found.start) <= simpler


@settings(max_examples=15)
@given(st.data())
def test_a_year_is_what_its_hours_say(data):
    """A verdict on a year, most of whose weeks are taken for alike, is refuted wherever some hour of it refutes."""
    sequence, moment = data.draw(designs(zone="Europe/Warsaw", most=3))
    assume(moment.year > 1971)
    (expect,) = to_expectations([data.draw(expectations([str(moment.date())]))])
    since = moment.in_timezone("Europe/Warsaw").date() - timedelta(days=data.draw(st.integers(0, 300)))
    scope = to_scope(sequence, since=since, timezones=["Europe/Warsaw"])

    (verdict,) = decide_all(sequence, [expect], scope)

    if not verdict.refuted:
        for start in starts_of(since, 7 * scope.weeks, "Europe/Warsaw", timedelta(hours=3, minutes=45)):
            assert keeps(sequence, plan(sequence, start, reasons=False), expect), start


ALIKE = ["Europe/Berlin", "Europe/Warsaw", "Europe/London", "America/New_York", "America/Chicago", "Asia/Kolkata",
         "UTC", "Australia/Sydney", "Africa/Cairo", "Asia/Tokyo"]  # fmt: skip


@settings(max_examples=10)
@given(st.data())
def test_zones_that_are_alike_have_the_same_verdict(data):
    """The verdict on many zones is refuted if, and only if, that on one of them alone is."""
    sequence, moment = data.draw(designs(zone="Europe/Berlin", most=2))
    assume(moment.year > 1971)
    if data.draw(st.booleans()):
        # On the definition's clock, so that it matters how far from it a zone's is.
        sequence = attrs.evolve(sequence, assume={"enrolled": {"days": ["mon", "fri"], "from": "09:00", "to": "12:30"}})
    (expect,) = to_expectations([data.draw(expectations([str(moment.date())]))])
    since = moment.date() - timedelta(days=data.draw(st.integers(0, 20)))
    scope = attrs.evolve(to_scope(sequence, since=since, timezones=ALIKE), weeks=4)

    (together,) = decide_all(sequence, [expect], scope)
    apart = [decide_all(sequence, [expect], attrs.evolve(scope, timezones=(zone,)))[0] for zone in scope.timezones]

    assert together.refuted == any(verdict.refuted for verdict in apart)
    if together.refuted:
        first = next(verdict for verdict in apart if verdict.refuted)
        assert refuting(together).timezone == refuting(first).timezone
        assert refuting(together).start == refuting(first).start
    else:
        assert together.cases == sum(verdict.cases for verdict in apart)


# -- what may be assumed --------------------------------------------------------------------------------------


def two_mails(after, **more):
    """Two mails, so long apart."""
    steps = [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), after)]
    return Sequence("Two", steps, **{"calendar": Calendar("Europe/Warsaw"), **more})


def test_who_is_enrolled_in_office_hours_is_mailed_then():
    """`assume.enrolled` is on the definition's clock: it holds at home, and not for people elsewhere."""
    enrolled = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}
    hours = {"local_hours": {"from": "08:00", "to": "18:00"}}
    at_home = two_mails(Weekdays(1), assume={"enrolled": enrolled, "timezones": ["Europe/Warsaw"]})
    anywhere = two_mails(Weekdays(1), assume={"enrolled": enrolled})

    assert decide(at_home, hours, since=SINCE).verdict == "proved"
    assert decide(two_mails(Weekdays(1)), hours, since=SINCE).refuted
    found = refuting(decide(anywhere, hours, since=SINCE))
    assert found.timezone == "UTC"
    assert (found.start.in_timezone("Europe/Warsaw").hour, found.timeline[0].local.hour) == (9, 8 - 1)


def test_nobody_is_enrolled_after_the_last_date():
    """`ends_by` holds for those who are enrolled in time, and is refuted by the last of them where it does not."""
    campaign = {"since": "2026-12-01", "until": "2026-12-11"}
    steps = [Step(AutomatedEmail(1)), Step(Task("Call"), Weekdays(4))]

    def verdict(last: str):
        sequence = Sequence("s", steps, assume={"enrolled": campaign}, expect=[{"ends_by": last}])
        return check(sequence, since=SINCE).verdicts[0]

    # In Sydney it is Saturday when the last are enrolled on Friday, on the definition's clock.
    assert verdict("2026-12-18").verdict == "proved"
    late = refuting(verdict("2026-12-17"))
    assert (late.timezone, late.start.date()) == ("Australia/Sydney", dt.date(2026, 12, 11))
    assert late.timeline[-1].local.date() == dt.date(2026, 12, 18)


def test_an_end_needs_a_last_date_of_enrolling():
    """That everybody who is ever enrolled ends by a date is refused, since it cannot be."""
    with pytest.raises(DefinitionError, match=r"assume\.enrolled\.until"):
        Sequence("s", [Step(AutomatedEmail(1))], expect=[{"ends_by": "2026-12-24"}])


def test_tasks_take_as_long_as_is_assumed():
    """A task that is done late moves the mail after it: where one may be, an expectation is refuted by it alone."""
    steps = [Step(AutomatedEmail(1)), Step(Task("Call"), Weekdays(1)), Step(AutomatedEmail(2), Weekdays(1))]
    calendar = Calendar("Europe/Warsaw", send_windows=[OFFICE])
    expect = {"max_between_emails": {"weekdays": 4}}

    def verdict(n: int):
        return decide(
            Sequence("s", steps, calendar=calendar, assume={"tasks_done_within": {"weekdays": n}}), expect, since=SINCE
        )

    assert verdict(0).verdict == "not refuted"
    assert verdict(1).verdict == "not refuted"
    found = refuting(verdict(4))
    assert list(found.done) == [1]
    assert found.done[1] == calendar.after(found.timeline[1].estimated_execute_at, Weekdays(4))
    assert not keeps(Sequence("s", steps, calendar=calendar), found.timeline, expect)


def test_what_lies_between_is_drawn():
    """A case that only a task done neither at once nor as late as may be refutes is found, and kept short."""
    steps = [Step(Task("Call")), Step(AutomatedEmail(1), Hours(0))]
    sequence = Sequence("s", steps, calendar=Calendar("UTC"), assume={
        "tasks_done_within": {"weekdays": 5}, "timezones": ["UTC"],
        "enrolled": {"days": ["mon"], "from": "09:00", "to": "10:00"},
    })  # fmt: skip

    verdict = decide(sequence, {"no_email_on": {"days": ["wed"]}}, since=SINCE)

    found = refuting(verdict)
    assert found.timeline[1].local.day_of_week == pendulum.WEDNESDAY
    assert found.start.in_timezone("UTC").format("ddd HH:mm") == "Mon 09:00"
    assert broken(sequence, verdict.expect, found.start, done=found.done) == found.sentence


def test_tasks_that_come_later_change_nothing():
    """An expectation about what comes before the first task is proved, however long tasks may take."""
    steps = [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Weekdays(1)), Step(Task("Call"), Weekdays(1))]
    sequence = Sequence("s", steps, assume={"tasks_done_within": {"weekdays": 5}})

    assert decide(sequence, {"min_between_emails": {"hours": 20}}, since=SINCE).verdict == "proved"
    assert decide(sequence, {"max_duration": {"weekdays": 20}}, since=SINCE).verdict == "not refuted"


def test_a_verdict_says_what_it_takes_for_granted():
    """Whatever waits for a task is proved with tasks done in time, and says so; a case that refutes needs nothing."""
    steps = [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Hours(30)), Step(Task("Call"), Weekdays(1))]
    early, whole, reports = {"min_between_emails": {"hours": 30}}, {"max_duration": {"weekdays": 9}}, ["replied"]
    enrolled = {"days": ["mon", "fri"], "from": "09:00", "to": "17:00"}
    among = "people enrolled on mon, fri from 09:00 to 17:00"
    for assumed, done, people in (
        ({}, "tasks done when due", ()),
        ({"tasks_done_within": {"hours": 0}}, "tasks done when due", ()),
        ({"tasks_done_within": {"weekdays": 2}, "enrolled": enrolled}, "tasks done within 2 working days", (among,)),
    ):
        verdicts = check(
            Sequence("s", steps, assume=assumed, expect=[early, whole, {"stops_on": reports}]), since=SINCE
        ).verdicts
        assert not any(verdict.refuted for verdict in verdicts)
        assert [verdict.assuming for verdict in verdicts] == [people, (*people, done), ()]
        assert str(verdicts[1]).endswith(f", with {' and '.join((*people, done))}")
        assert verdicts[1].to_dict()["assuming"] == [*people, done]
    refuted = decide(Sequence("s", steps), {"max_duration": {"hours": 1}}, since=SINCE)
    assert (refuted.refuted, refuted.assuming, refuted.to_dict()["assuming"]) == (True, (), [])


@settings(max_examples=25)
@given(st.data())
def test_what_takes_no_task_for_granted_holds_however_late_they_are(data):
    """Where a verdict of proved says nothing of tasks, none that is done much later than it is due breaks it."""
    sequence, moment = data.draw(designs(zone="Europe/Warsaw"))
    (expect,) = to_expectations([data.draw(expectations([str(moment.date())]))])
    scope = attrs.evolve(to_scope(sequence, since=moment.date(), timezones=["Europe/Warsaw"]), weeks=1)
    (verdict,) = decide_all(sequence, [expect], scope)

    if verdict.verdict == "proved" and not verdict.assuming:
        for start in starts_of(moment.date(), 7, "Europe/Warsaw", timedelta(hours=19, minutes=40)):
            done: dict = {}
            for position, step in enumerate(sequence.steps):
                if not step.is_email:
                    planned = plan(sequence, start, reasons=False, done=done)[position].estimated_execute_at
                    done[position] = planned + timedelta(hours=61 * (position + 1))
            assert keeps(sequence, plan(sequence, start, reasons=False, done=done), expect), (start, done)
    assert not (verdict.refuted and verdict.assuming)


def test_nobody_waits_longer_than_until_a_task_is_skipped():
    """L4: where a task is skipped sooner than it may be done, what follows comes no later than that."""
    steps = [Step(Task("Call", skip_after=Weekdays(2))), Step(AutomatedEmail(1), Weekdays(1))]
    assumed = {"tasks_done_within": {"weekdays": 10}, "enrolled": {"days": ["mon"]}, "timezones": ["UTC"]}
    sequence = Sequence("s", steps, assume=assumed)

    assert not decide(sequence, {"max_duration": {"weekdays": 4}}, since=SINCE).refuted
    found = refuting(decide(sequence, {"max_duration": {"weekdays": 2}}, since=SINCE))
    assert found.done[0] == sequence.calendar.after(found.timeline[0].estimated_execute_at, Weekdays(2))


def test_t8_an_earlier_start_may_be_over_weeks_later():
    """T8: a week is not taken for an ordinary one where only its last start is over before an odd date comes."""
    sequence = lagging()

    found = refuting(decide(sequence, {"no_email_on": {"dates": ["2027-04-17"]}}, since=dt.date(2026, 12, 6)))

    assert found.start == pendulum.datetime(2027, 2, 1, 13)
    assert plan(sequence, pendulum.datetime(2027, 2, 7))[-1].local.date() == dt.date(2027, 3, 14)


@pytest.mark.parametrize(
    "enrolled",
    [{"until": "2026-01-01"}, {"since": "2026-12-08", "until": "2026-12-08", "days": ["mon"]}],
    ids=["ended", "no such day"],
)
def test_where_nobody_is_enrolled_everything_holds(enrolled):
    """Where what is assumed leaves no start, all is proved, in no cases, and it is said why."""
    steps = [Step(Task("Call")), Step(AutomatedEmail(1), Weekdays(1))]
    expect = [{"max_duration": {"hours": 0}}, {"no_task_on": {"from": "00:00"}}, {"stops_on": ["opened"]}]
    sequence = Sequence("s", steps, assume={"enrolled": enrolled, "tasks_done_within": {"weekdays": 1}}, expect=expect)

    for verdict in check(sequence, since=SINCE).verdicts:
        assert (verdict.verdict, verdict.cases) == ("proved", 0)
        assert "nobody is enrolled" in str(verdict)


def test_who_is_enrolled_in_one_second_is_a_case():
    """Stretches of starts that are shorter than a minute are drawn from and counted, too."""
    enrolled = {"days": ["mon"], "from": "09:00:00", "to": "09:00:01", "until": "2026-12-10"}
    steps = [Step(Task("Call")), Step(AutomatedEmail(1), Hours(1))]
    assumed = {"enrolled": enrolled, "tasks_done_within": {"hours": 5}, "timezones": ["UTC"]}
    verdict = decide(Sequence("s", steps, assume=assumed), {"max_duration": {"hours": 6}}, since=SINCE)

    assert verdict.verdict == "not refuted"
    assert verdict.cases >= 2 * 2
    assert str(verdict.scope) == "every start from 2026-11-26 to 2026-12-10 in UTC"


# -- reports that stop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "refuted"),
    [({}, False), ({"replied": "note"}, True), ({"replied": "block"}, True), ({"unsubscribed": "note"}, True)],
    ids=str,
)
def test_reports_must_finish(on, refuted):
    """`stops_on` holds if each of the reports finishes the enrollment; else one that does not is named."""
    verdict = decide(
        two_mails(Weekdays(1), policy=Policy(on=on)), {"stops_on": ["replied", "unsubscribed"]}, since=SINCE
    )

    assert verdict.refuted == refuted
    if refuted:
        assert refuting(verdict).reported == next(iter(on))


@pytest.mark.parametrize(
    ("steps", "before", "said"),
    [
        (
            [Step(AutomatedEmail(1)), Step(Task("Call"), Hours(1))],
            1,
            "before step 1 (task: Call), the enrollment goes on, with",
        ),
        ([Step(AutomatedEmail(1)), Step(AutomatedEmail(2))], 0, "the enrollment goes on, until it would leave on"),
    ],
    ids=["a task", "mails only"],
)
def test_l8_who_has_opted_out_gets_no_mail_whatever_the_policy(steps, before, said):
    """L8: where an opt-out does not finish, the case names the next task; of mails it says that they do not leave."""
    sequence = Sequence("s", steps, policy=Policy(on={"unsubscribed": "note"}))

    case = refuting(decide(sequence, {"stops_on": ["unsubscribed"]}, since=SINCE))

    assert case.before_step == case.to_dict()["before_step"] == before
    assert said in case.sentence
    after, end = report(sequence, case)
    assert not after.is_finished
    assert end.finished_reason == ("completed" if before else "unsubscribed")


# -- the range ------------------------------------------------------------------------------------------------


def test_thorough_is_every_zone_and_two_years():
    """The thorough profile looks at every zone that there is; quick at some, the definition's own among them."""
    sequence = two_mails(Hours(24))

    quick, thorough = (
        decide(sequence, {"min_between_emails": {"hours": 24}}, since=SINCE, profile=each) for each in PROFILES
    )

    assert (quick.verdict, thorough.verdict) == ("proved", "proved")
    assert len(quick.scope.timezones) == 5
    assert len(thorough.scope.timezones) > 400
    assert "Europe/Warsaw" in quick.scope.timezones
    weeks = [each.scope.weeks for each in (quick, thorough)]
    assert weeks == [53, 105]
    assert thorough.cases > 400 * 105 * 7 * 1440 > quick.cases > 5 * 53 * 7 * 1400


@pytest.mark.parametrize(
    ("options", "why"),
    [({"profile": "slow"}, "quick or thorough"), ({"timezones": ["Mars/Olympus"]}, "no time zone"),
     ({"since": "soon"}, "needs a date"), ({"timezones": []}, "at least one"),
     ({"since": dt.date(9999, 12, 31)}, "1970 to 9000"), ({"since": dt.date(1, 1, 1)}, "1970 to 9000"),
     ({"since": dt.date(9000, 6, 1)}, "1970 to 9000")],
    ids=["profile", "zone", "date", "no zone", "too late", "too early", "ends too late"],
)  # fmt: skip
def test_a_range_that_is_none_is_refused(options, why):
    """An unknown profile or zone, and a date that is none, are refused."""
    with pytest.raises(InvalidInput, match=why):
        decide(two_mails(Hours(24)), {"min_duration": {"hours": 1}}, **options)


def test_what_holds_whenever_tasks_are_done_is_proved():
    """Where only what follows a task matters, an expectation is proved for whatever tasks may take."""
    steps = [
        Step(Task("Call")),
        Step(AutomatedEmail(1), Hours(30)),
        Step(AutomatedEmail(2), Weekdays(1)),
        Step(Task("Go")),
    ]
    calendar = Calendar("Europe/Warsaw", send_windows=[OFFICE])
    sequence = Sequence("s", steps, calendar=calendar, assume={"tasks_done_within": {"weekdays": 5}})

    assert decide(sequence, {"local_hours": {"from": "09:00", "to": "17:00"}}, since=SINCE).verdict == "proved"
    assert decide(sequence, {"min_between_emails": {"hours": 23}}, since=SINCE).verdict == "proved"
    assert decide(sequence, {"max_between_steps": {"weekdays": 3}}, since=SINCE).verdict == "proved"
    assert decide(sequence, {"max_duration": {"weekdays": 30}}, since=SINCE).verdict == "not refuted"
    assert decide(sequence, {"min_between_steps": {"hours": 1}}, since=SINCE).refuted


@settings(max_examples=25)
@given(st.data())
def test_what_is_proved_with_late_tasks_no_late_task_refutes(data):
    """A verdict of proved holds also where tasks are done at odd moments between."""
    sequence, moment = data.draw(designs(zone="Europe/Warsaw", most=4))
    assume(moment.year > 1971)
    sequence = attrs.evolve(sequence, assume={"tasks_done_within": {"weekdays": 2}})
    (expect,) = to_expectations([data.draw(expectations([str(moment.date())]))])
    since = moment.date() - timedelta(days=data.draw(st.integers(0, 12)))
    scope = attrs.evolve(to_scope(sequence, since=since, timezones=["Europe/Warsaw"]), weeks=2)

    shares = random.Random(data.draw(st.integers(0, 1000)))
    (verdict,) = decide_all(sequence, [expect], scope)

    if verdict.verdict == "proved":
        for start in list(starts_of(since, 14, "Europe/Warsaw", timedelta(hours=5, minutes=40))):
            done: dict = {}
            for position, step in enumerate(sequence.steps):
                if not step.is_email:
                    planned = plan(sequence, start, reasons=False, done=done)[position].estimated_execute_at
                    limit = sequence.calendar.after(planned, Weekdays(2))
                    share = shares.choice([0, 0.1, 0.5, 0.77, 1])
                    done[position] = planned + timedelta(seconds=int(share * (limit - planned).total_seconds()))
            assert keeps(sequence, plan(sequence, start, reasons=False, done=done), expect), (start, done)
    elif verdict.refuted:
        assert not keeps(sequence, refuting(verdict).timeline, expect)


def test_what_is_silenced_changes_no_verdict():
    """A definition that is silent about one of its steps is decided as any other, also by what follows a task."""
    steps = [Step(Task("Call"), key="call"), Step(AutomatedEmail(1), Hours(30)), Step(AutomatedEmail(2), Weekdays(1))]
    silence = [{"finding": "task_waits_for_ever", "step": "call", "because": "somebody looks every day"}]
    calendar = Calendar("Europe/Warsaw", send_windows=[OFFICE])
    sequence = Sequence("s", steps, calendar=calendar, assume={"tasks_done_within": {"weekdays": 5}}, silence=silence)

    assert decide(sequence, {"local_hours": {"from": "09:00", "to": "17:00"}}, since=SINCE).verdict == "proved"


# -- what a sweep must not take for alike -----------------------------------------------------------------------


def test_an_ordinary_week_after_the_date_is_unlike_one_before_it():
    """What must end by a date is refuted by whoever is enrolled weeks after it, in a week like all others."""
    assumed = {"enrolled": {"days": ["mon"], "until": "2027-03-31"}, "timezones": ["UTC"]}
    sequence = Sequence("s", [Step(AutomatedEmail(1))], calendar=Calendar("UTC"), assume=assumed)

    late = refuting(decide(sequence, {"ends_by": "2027-01-05"}, since=dt.date(2026, 11, 30)))

    assert late.start == pendulum.datetime(2027, 1, 11, tz="UTC")
    assert decide(sequence, {"ends_by": "2027-03-29"}, since=dt.date(2026, 11, 30)).verdict == "proved"


def test_a_task_may_be_done_on_the_day_before_the_first():
    """Where it is still the day before for those who are enrolled first, tasks are done on that day, too."""
    every = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    enrolled = {"from": "07:00", "to": "12:00", "days": ["thu", "fri"]}
    assumed = {"enrolled": enrolled, "tasks_done_within": {"hours": 12}, "timezones": ["America/Los_Angeles"]}
    steps = [Step(Task("Call")), Step(AutomatedEmail(1))]
    sequence = Sequence("s", steps, calendar=Calendar("Australia/Sydney", working_days=every), assume=assumed)
    expect = {"no_email_on": {"dates": ["2026-11-25"], "from": "20:30", "to": "20:40"}}
    start = pendulum.datetime(2026, 11, 26, 7, tz="Australia/Sydney")
    done = {0: start.add(hours=8, minutes=35)}

    assert broken(sequence, expect, to_instant(start), timezone="America/Los_Angeles", done=done) is not None
    assert decide(sequence, expect, since=SINCE).verdict != "proved"


def test_zones_that_differ_only_after_a_long_holiday_are_told_apart():
    """A block of holidays pushes some people far ahead, into a clock change that one zone has and its neighbour not."""
    every = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    first, gap, last = dt.date(2026, 12, 1), dt.date(2026, 12, 21), dt.date(2027, 3, 13)
    holidays = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    holidays.remove(gap)
    steps = [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Hours(2)), Step(AutomatedEmail(3), Hours(4))]
    assumed = {
        "enrolled": {"from": "22:00", "to": "24:00", "until": "2026-12-11"},
        "timezones": ["America/Phoenix", "America/Denver"],
    }
    calendar = Calendar("America/Phoenix", working_days=every, holidays=holidays)
    sequence = Sequence("s", steps, calendar=calendar, assume=assumed)
    expect = {"no_email_on": {"from": "06:00", "to": "07:00"}}

    alone = decide(sequence, expect, since=dt.date(2026, 12, 5), timezones=["America/Denver"])
    assert alone.refuted
    assert decide(sequence, expect, since=dt.date(2026, 12, 5)).refuted
