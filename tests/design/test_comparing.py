"""Two designs beside each other: each shift is what `plan` says of each start; verdicts are told where they turn."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from datetime import timedelta
from statistics import median_low
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Calendar,
    Hours,
    InvalidInput,
    Sequence,
    Step,
    Task,
    Template,
    Weekdays,
    Window,
    plan,
)
from sequencer.core.instants import to_instant
from sequencer.core.matching import matches
from sequencer.design import Moves, StepShift, compare
from sequencer.design.comparing.moves import Example
from sequencer.design.comparing.shifting import shifted
from sequencer.design.deciding.scope import to_scope
from sequencer.testing.strategies import hours, weekdays, zones
from tests.design.strategies import designs, lagging

SINCE = dt.date(2026, 11, 26)
WEEK = ("mon", "tue", "wed", "thu", "fri")
OFFICE = Window(WEEK, "09:00", "17:00")
HELLO, CALL = Step(AutomatedEmail(1), key="hello"), Step(Task("Call"), Weekdays(2), key="call")
LAST = Step(AutomatedEmail(2), Weekdays(1), key="last")
BEFORE = Sequence("Inbound", [HELLO, CALL, LAST], calendar=Calendar("Europe/Warsaw"))


def timed(step: Step, after: Hours | Weekdays) -> Step:
    """A step after another delay."""
    return attrs.evolve(step, after=after)


# -- shifts beside a model ------------------------------------------------------------------------------------


def starts(sequence: Sequence, since: dt.date, weeks: int) -> Iterator[dt.datetime]:
    """Every whole minute of some weeks at which a design takes somebody to be enrolled."""
    enrolled = sequence.assume["enrolled"]
    opens, closes = (dt.time.fromisoformat(enrolled[key]) for key in ("from", "to"))
    zone = ZoneInfo(sequence.calendar.timezone)
    for day in range(7 * weeks):
        date = since + timedelta(days=day)
        local = dt.datetime.combine(date, opens)
        found = set()
        while local.time() < closes and local.date() == date:
            for fold in (0, 1):
                at = local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)
                if at.astimezone(zone).replace(tzinfo=None) == local and at.second == 0:
                    found.add(at)
            local += timedelta(minutes=1)
        yield from sorted(found)


def naive(old: Sequence, new: Sequence, at: dt.datetime) -> list[timedelta]:
    """How far each step that both have, and the end, moves for a start."""
    before, after = (plan(each, to_instant(at), reasons=False) for each in (old, new))
    was = matches(old.steps, new.steps)
    pairs = [(before[was[i]].estimated_execute_at, after[i].estimated_execute_at) for i in sorted(was)]
    return [timedelta(seconds=(b - a).total_seconds()) for a, b in [*pairs, (before[-1].over_at, after[-1].over_at)]]


@st.composite
def edits(draw, *, zone: bool = False):
    """A design in which people are enrolled in one hour of the day, and it with something edited; and a date.

    With `zone`, it may also be on another clock, and then people are enrolled at any time.
    """
    old, moment = draw(designs(most=3))
    hour = draw(st.integers(0, 23))
    enrolled = {"from": f"{hour:02}:{draw(st.sampled_from([0, 30])):02}", "to": f"{hour:02}:45"}
    old = attrs.evolve(old, assume={"enrolled": enrolled})
    steps = [timed(step, draw(st.just(step.after) | hours(max_value=48) | weekdays(max_value=4))) for step in old.steps]
    steps = draw(st.permutations(steps)) if draw(st.booleans()) else steps
    windows = draw(st.sampled_from([old.calendar.send_windows, ()]))
    working = draw(st.sampled_from([old.calendar.working_days, WEEK]))
    local = moment.in_timezone(old.calendar.timezone).date()
    more = [local + timedelta(days=n) for n in draw(st.lists(st.integers(0, 20), max_size=2))]
    holidays = draw(st.sampled_from([old.calendar.holidays, [*old.calendar.holidays, *more]]))
    calendar = attrs.evolve(old.calendar, send_windows=windows, working_days=working, holidays=holidays)
    new = attrs.evolve(old, steps=steps, calendar=calendar)
    if zone and draw(st.booleans()):
        new = attrs.evolve(new, calendar=calendar.in_zone(draw(zones())), assume={})
    return old, new, local - timedelta(days=draw(st.integers(0, 14)))


def laid_beside(old: Sequence, new: Sequence, since: dt.date, weeks: int) -> Moves:
    """The moves over some weeks."""
    scopes = [attrs.evolve(to_scope(each, since=since), weeks=weeks) for each in (old, new)]
    return shifted(old, new, *scopes)


@settings(max_examples=20)
@given(edits(zone=True))
def test_t6_shifts_are_what_plans_say_of_each_start(edit):
    """T6: how many starts move a step, how far least, typically and most, is what both plans of each minute come to."""
    old, new, since = edit
    assume(since.year > 1970)
    moves = laid_beside(old, new, since, 3)
    told: dict[int, dict[Any, list[timedelta]]] = {}
    for at in starts(old, since, 3):
        week = (at.astimezone(ZoneInfo(new.calendar.timezone)).date() - since).days // 7
        if 0 <= week < 3:
            told.setdefault(week, {})[at] = naive(old, new, at)
    chosen = None if moves.week is None else (moves.week - since).days // 7
    within = {at: each for week in told if chosen in {None, week} for at, each in told[week].items()}
    beyond = {at: each for week in told if chosen not in {None, week} for at, each in told[week].items()}

    assert moves.starts == len(within)
    for i, shift in enumerate((*moves.steps, moves.end)):
        for direction, found, elsewhere in (
            (-1, shift.earlier, shift.earlier_elsewhere),
            (1, shift.later, shift.later_elsewhere),
        ):
            ours = {at: direction * each[i] for at, each in within.items() if direction * each[i] > timedelta(0)}
            theirs = {at: direction * each[i] for at, each in beyond.items()}
            most = max(ours.values(), default=timedelta(0))
            assert (found is None) == (not ours)
            if found is not None:
                assert (found.starts, found.least, found.most) == (len(ours), min(ours.values()), most)
                assert found.typical == median_low(ours.values())
                assert ours[found.example.start] == direction * found.example.shift == most
            further = max(theirs.values(), default=timedelta(0))
            assert (elsewhere is None) == (further <= most)
            if elsewhere is not None:
                assert theirs[elsewhere.start] == direction * elsewhere.shift == further


@settings(max_examples=20)
@given(edits())
def test_the_way_back_moves_as_far_the_other_way(edit):
    """What is later one way is as much earlier the other way, for as many starts, with the same examples."""
    old, new, since = edit
    assume(since.year > 1970)
    old, new = (
        attrs.evolve(each, steps=[attrs.evolve(step, key=f"{at} {step.is_email}") for at, step in numbered])
        for each in (old, new)
        for numbered in [list(enumerate(each.steps))]
    )
    there, back = laid_beside(old, new, since, 3), laid_beside(new, old, since, 3)

    assert (there.week, there.starts) == (back.week, back.starts)
    for one, other in zip((*there.steps, there.end), (*back.steps, back.end), strict=True):
        for ours, theirs in ((one.earlier, other.later), (one.later, other.earlier)):
            assert (ours is None) == (theirs is None)
            if ours is not None and theirs is not None:
                assert (ours.starts, ours.least, ours.typical, ours.most, ours.example.start) == (
                    theirs.starts, theirs.least, theirs.typical, theirs.most, theirs.example.start,
                )  # fmt: skip
        assert _swapped(one.earlier_elsewhere) == other.later_elsewhere
        assert _swapped(one.later_elsewhere) == other.earlier_elsewhere


def _swapped(case: Example | None) -> Example | None:
    return None if case is None else Example(case.start, case.after, case.before)


@settings(max_examples=15)
@given(designs(most=3))
def test_a_design_is_no_other_than_itself(design):
    """A design compared with itself has nothing to tell: no change, no move, no verdict."""
    sequence, moment = design
    comparison = compare(sequence, sequence, since=moment.date(), timezones=[sequence.calendar.timezone])

    assert (comparison.same, comparison.new_version, comparison.same_sequence) == (True, False, True)
    assert (comparison.changes, comparison.verdicts, comparison.broken) == ((), (), ())
    assert comparison.moves.stay
    assert str(comparison) == "Nothing has changed."


# -- shifts, seen ---------------------------------------------------------------------------------------------


def moved(new: Sequence, old: Sequence = BEFORE) -> Moves:
    return compare(old, new, since=SINCE, timezones=["Europe/Warsaw"]).moves


def test_a_longer_delay_is_told_as_people_say_it():
    """A mail that comes a working day later is later for every start: by a day, or by three over a weekend."""
    moves = moved(attrs.evolve(BEFORE, steps=[HELLO, CALL, timed(LAST, Weekdays(2))]))

    assert (moves.week, moves.starts) == (SINCE, 7 * 1440)
    assert [each.stays for each in moves.steps] == [True, True, False]
    assert str(moves).splitlines() == [
        (
            "Timelines, over the 10,080 starts of the week from 2026-11-26 on, on the clock of Europe/Warsaw, with "
            "tasks done when due:"
        ),
        "  step 2 last (mail 2), and with it the end",
        "    later for every start, by 1 day to 3 days, typically by 1 day",
        "      started Tue 2026-12-01 00:00 CET: Mon 2026-12-07 00:00 CET instead of Fri 2026-12-04 00:00 CET",
        "    in other weeks later by up to 3 days 1 hour",
        "      started Tue 2027-10-26 00:00 CEST: Mon 2027-11-01 00:00 CET instead of Fri 2027-10-29 00:00 CEST",
        "  steps 0 and 1 never moved",
    ]


def test_a_holiday_moves_other_weeks():
    """A holiday that is added leaves an ordinary week as it is; how far it moves what comes near it is said."""
    moves = moved(attrs.evolve(BEFORE, calendar=Calendar("Europe/Warsaw", holidays=["2026-12-24"])))

    (first, *_) = moves.steps
    assert (first.share, first.earlier, first.later, first.earlier_elsewhere) == (0.0, None, None, None)
    assert first.later_elsewhere is not None
    assert first.later_elsewhere.shift == timedelta(days=1)
    assert str(first.later_elsewhere.start.in_timezone("Europe/Warsaw").date()) == "2026-12-24"


def test_t8_a_holiday_moves_who_is_over_weeks_later():
    """T8: a week is not taken for an ordinary one where only its last start is over before a holiday."""
    since = dt.date(2026, 12, 6)
    old, new = lagging(), lagging(holidays=[dt.date(2027, 4, 17)])

    last = shifted(old, new, *(to_scope(each, since=since) for each in (old, new))).steps[-1]

    assert (last.earlier, last.later, last.earlier_elsewhere) == (None, None, None)
    assert last.later_elsewhere is not None
    assert last.later_elsewhere.before == plan(old, last.later_elsewhere.start)[-1].estimated_execute_at
    assert last.later_elsewhere.after == plan(new, last.later_elsewhere.start)[-1].estimated_execute_at


def test_part_of_the_starts_moves():
    """A window that closes an hour earlier moves the starts of that hour, and those whose mails come to lie in it."""
    wide, narrow = (
        attrs.evolve(BEFORE, steps=[HELLO], calendar=Calendar("UTC", send_windows=[Window(WEEK, "09:00", closes)]))
        for closes in ("17:00", "16:00")
    )
    (shift,) = moved(narrow, wide).steps

    assert shift.later is not None
    assert (shift.later.starts, shift.share) == (5 * 60, 5 * 60 / (7 * 1440))
    assert (shift.later.least, shift.later.most) == (timedelta(hours=16, minutes=1), timedelta(days=2, hours=17))
    assert shift.lines("UTC")[0] == (
        "later for 3 % of starts, by 16 hours 1 minute to 2 days 17 hours, typically by 16 hours 38 minutes"
    )


def test_clocks_of_two_zones():
    """Another zone moves what its clock says, in both directions, and both zones are named."""
    moves = moved(attrs.evolve(BEFORE, steps=[HELLO], calendar=Calendar("America/New_York")),
                  attrs.evolve(BEFORE, steps=[HELLO]))  # fmt: skip

    (shift,) = moves.steps
    assert shift.earlier is not None
    assert shift.later is not None
    assert (shift.earlier.most, shift.later.most) == (timedelta(days=2), timedelta(days=1))
    assert "on the clock of America/New_York (before: Europe/Warsaw)" in str(moves)


def test_where_no_week_is_ordinary_all_are_counted():
    """With a holiday in every week there is no ordinary one, so the whole year is told."""
    holidays = [SINCE + timedelta(days=7 * week) for week in range(70)]
    old = attrs.evolve(BEFORE, calendar=Calendar("UTC", holidays=holidays))
    moves = moved(attrs.evolve(old, steps=[HELLO, CALL, timed(LAST, Weekdays(2))]), old)

    assert (moves.week, moves.starts) == (None, 53 * 7 * 1440)
    assert "over the 534,240 starts from 2026-11-26 on, " in str(moves)
    assert moves.end.later is not None
    assert moves.end.later_elsewhere is None


def test_designs_without_a_common_start():
    """Who enrolls in the morning now and enrolled in the evening has no start to compare, and that is said."""
    old, new = (
        attrs.evolve(BEFORE, assume={"enrolled": {"from": since, "to": to}})
        for since, to in (("18:00", "19:00"), ("09:00", "10:00"))
    )
    moves = moved(new, old)

    assert (moves.starts, moves.end.share, moves.stay) == (0, 0.0, True)
    assert str(moves).startswith("No start is one for both definitions")


def test_only_common_starts_count():
    """Where both assume when people are enrolled, the starts are those that both have."""
    old, new = (
        attrs.evolve(BEFORE, assume={"enrolled": {"days": days, "from": since, "to": to}})
        for days, since, to in ((["mon", "tue"], "08:00", "12:00"), (["tue", "wed"], "11:00", "18:00"))
    )

    assert moved(new, old).starts == 60


def test_steps_that_only_one_has_do_not_move():
    """Moves are of steps that both definitions have, by the positions in both."""
    moves = moved(attrs.evolve(BEFORE, steps=[CALL, Step(AutomatedEmail(9), key="new"), LAST]))

    def places(each: StepShift) -> tuple[int | None, int | None]:
        return each.position_before, each.position_after

    assert [places(each) for each in moves.steps] == [(1, 0), (2, 2)]
    assert (places(moves.end), moves.end.name) == ((None, None), "the end")


# -- verdicts -------------------------------------------------------------------------------------------------

SLOW, FAST = {"max_duration": {"weekdays": 4}}, {"max_duration": {"weekdays": 5}}
GAP = {"min_between_emails": {"hours": 24}}
LONGER = [HELLO, CALL, timed(LAST, Weekdays(2))]
NOW, WAS = "max_duration: {weekdays: 5} is proved, with tasks done when due", "max_duration: {weekdays: 4}"


@pytest.mark.parametrize(
    ("before", "after", "steps", "sentences", "broken", "unchanged"),
    [
        ([SLOW, GAP], [SLOW, GAP], BEFORE.steps, [], 0, 2),
        ([SLOW, GAP], [GAP, SLOW], LONGER, ["max_duration: {weekdays: 4} is refuted now; it was proved"], 1, 1),
        ([SLOW], [FAST], LONGER, [f"{NOW}; it was {WAS}, which was proved"], 0, 0),
        ([FAST], [SLOW], LONGER,
         ["max_duration: {weekdays: 4} is refuted; it was max_duration: {weekdays: 5}, which was proved"], 0, 0),
        ([], [SLOW], LONGER, ["max_duration: {weekdays: 4} is new, and refuted"], 0, 0),
        ([SLOW], [], LONGER, ["max_duration: {weekdays: 4} is gone; it was proved"], 0, 0),
        ([SLOW, SLOW], [SLOW], BEFORE.steps, ["max_duration: {weekdays: 4} is gone; it was proved"], 0, 1),
    ],
)  # fmt: skip
def test_verdicts_that_turn_are_told(before, after, steps, sentences, broken, unchanged):
    """A verdict that turned, and an expectation that came, went or has another value, is told; the rest is counted."""
    old = attrs.evolve(BEFORE, expect=before)
    comparison = compare(old, attrs.evolve(BEFORE, expect=after, steps=steps), since=SINCE, timezones=["Europe/Warsaw"])

    assert [each.sentence for each in comparison.verdicts] == sentences
    assert (len(comparison.broken), comparison.unchanged) == (broken, unchanged)
    for each in comparison.broken:
        assert each.after is not None
        assert each.after.counterexample is not None
        assert str(each.after.counterexample) in str(comparison)


def test_what_is_mended_is_told_the_other_way():
    """A design that is compared the other way round mends what it broke, and that breaks nothing."""
    old, new = (attrs.evolve(BEFORE, expect=[SLOW], steps=steps) for steps in (LONGER, BEFORE.steps))
    comparison = compare(old, new, since=SINCE, timezones=["Europe/Warsaw"])

    assert [each.sentence for each in comparison.verdicts] == [
        "max_duration: {weekdays: 4} is proved now, with tasks done when due; it was refuted"
    ]
    assert not comparison.broken


# -- the whole ------------------------------------------------------------------------------------------------


def test_the_document():
    """The answer for programs is plain JSON; what is in it stays."""
    old = attrs.evolve(BEFORE, expect=[SLOW])
    comparison = compare(old, attrs.evolve(old, steps=LONGER), since=SINCE, timezones=["UTC"])
    document = comparison.to_dict("a.yaml", "b.yaml")

    assert json.loads(json.dumps(document)) == document
    assert list(document) == [
        "same", "same_sequence", "new_version", "changes", "moves", "verdicts", "unchanged_verdicts", "searched",
    ]  # fmt: skip
    (change,) = document["changes"]
    assert list(change) == ["kind", "consequence", "old_path", "new_path", "before", "after", "sentence"]
    moves = document["moves"]
    assert list(moves) == [
        "timezone_before", "timezone_after", "since", "until", "week", "starts", "steps", "end",
    ]  # fmt: skip
    assert list(moves["end"]) == [
        "position_before", "position_after", "key", "action_type", "starts", "share", "earlier", "later",
        "earlier_elsewhere", "later_elsewhere",
    ]  # fmt: skip
    assert {name: value for name, value in moves["end"]["later"].items() if name != "example"} == {
        "starts": 10080, "least": 86400, "typical": 86400, "most": 259200,
    }  # fmt: skip
    assert moves["end"]["later"]["example"] == {
        "start": "2026-11-30T23:00:00Z", "before": "2026-12-03T23:00:00Z", "after": "2026-12-06T23:00:00Z",
        "shift": 259200,
    }  # fmt: skip
    (verdict,) = document["verdicts"]
    assert list(verdict) == ["before", "after", "broken", "sentence"]
    assert "sequencer plan b.yaml" in verdict["after"]["counterexample"]["command"]
    assert document["searched"] == {
        "profile": "quick", "since": "2026-11-26", "until": "2027-12-01", "timezones": ["UTC"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "meaning"),
    [
        ({}, "Nothing has changed."),
        ({"expect": [SLOW]}, "It is no new version: only what a check looks at has changed."),
        ({"templates": {1: Template("Hello", "...")}},
         ("It is no new version: only texts have changed. The texts of mails are looked up when they leave: who is "
          "enrolled gets the new ones, too.")),
        ({"metadata": {"a": 1}},
         "It is a new version with the same times: who is enrolled stays in the old one until moved."),
        ({"steps": LONGER},
         ("It is a new version, in which steps may come at other times: who is enrolled stays in the old one until "
          "moved.")),
        ({"key": "other"}, "It is another sequence: who is enrolled stays in the old one, and nobody can be moved."),
    ],
)  # fmt: skip
def test_l1_what_the_changes_come_to(parts, meaning):
    """L1: it is told whether a new version comes of it, and what that means for who is enrolled."""
    comparison = compare(BEFORE, attrs.evolve(BEFORE, **parts), since=SINCE, timezones=["UTC"])

    assert comparison.meaning == meaning
    assert meaning in str(comparison)


def test_what_is_refused():
    """An unknown profile or zone is refused as `check` refuses it."""
    with pytest.raises(InvalidInput, match="quick or thorough"):
        compare(BEFORE, BEFORE, profile="hasty")
    with pytest.raises(InvalidInput, match="no time zone"):
        compare(BEFORE, BEFORE, timezones=["Mars/Olympus"])
