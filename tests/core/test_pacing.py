"""Caps and catch-up as arithmetic: what may leave now, and when the rest may, beside a naive oracle (laws E5, E7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.pacing import Cap, CatchUp, DueMail, admitted, in_order, planned
from sequencer.core.windows import Window

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NOW = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
MINUTE = timedelta(minutes=1)
OPEN = Calendar("UTC", working_days=WEEK)
DAY = Calendar("UTC", working_days=WEEK, send_windows=[Window(WEEK, "09:10", "09:40"), Window(WEEK, "10:00", "23:00")])


def at(minute):
    return NOW + minute * MINUTE


# Everything happens on whole minutes, so that the oracle can try each of them.
CAPS = st.builds(
    lambda emails, per, gap, exceeding: Cap(emails=emails, per=per * MINUTE, gap=gap * MINUTE, exceeding=exceeding),
    st.integers(1, 4),
    st.integers(1, 30),
    st.sampled_from([0, 0, 1, 4]),
    st.sampled_from(["wait", "wait", "block"]),
)
MAILS = st.lists(st.tuples(st.booleans(), st.integers(-9, 0), st.sampled_from([OPEN, DAY])), max_size=8)
PAST, FUTURE = st.lists(st.integers(-40, 0), max_size=8), st.lists(st.integers(1, 60), max_size=8)


def fits(cap, times, moment):
    """Whether one more mail at a moment keeps every window and every gap, by trying them all."""
    with_it = sorted([*times, moment])
    full = any(
        sum(each <= other < each + cap.per for other in with_it) > cap.emails
        for each in with_it
        if each <= moment < each + cap.per
    )
    near = any(abs(each - moment) < cap.gap for each in times)
    return not full and not near, full


def mails_of(cap, given_mails):
    return in_order(
        DueMail(id, calendar, follow_up, at(estimate), cap.wait_before("k"))
        for id, (follow_up, estimate, calendar) in enumerate(given_mails)
    )


def trimmed(cap, minutes):
    """Past instants that keep the cap, as whatever left under it does."""
    kept: list[Any] = []
    for moment in map(at, sorted(minutes)):
        if fits(cap, kept, moment)[0]:
            kept.append(moment)
    return kept


@given(CAPS, MAILS, PAST, st.integers(0, 2), st.integers(0, 2))
def test_e5_as_many_leave_as_may(cap, given_mails, past, out, reserved):
    """What is admitted keeps the cap, in order, and one more would not (E5)."""
    mails, left = mails_of(cap, given_mails), trimmed(cap, past)
    going = admitted(cap, mails, NOW, left, out, reserved)
    before = [*left, *[NOW] * out]

    for n in range(going):
        assert fits(cap, [*before, *[NOW] * n], NOW)[0]
    if going < len(mails):
        kept = 0 if mails[going].follow_up else reserved
        assert not fits(cap, [*before, *[NOW] * (going + kept)], NOW)[0]


@given(CAPS, MAILS, PAST, FUTURE, FUTURE)
def test_e5_what_exceeds_is_planned_for_the_first_room(cap, given_mails, past, follow_ups, first_mails):
    """Each mail that waits gets the first open minute that keeps every window and gap, as trying each finds (E5)."""
    mails, taken = mails_of(cap, given_mails), trimmed(cap, past)
    follow_ups, first_mails = [at(each) for each in follow_ups], [at(each) for each in first_mails]
    places = planned(cap, mails, at(1), taken, follow_ups, first_mails)

    for_follow_ups, for_all = [*taken, *follow_ups], [*taken, *follow_ups, *first_mails]
    reached: dict[Any, Any] = {}
    for mail, place in zip(mails, places, strict=True):
        times = for_follow_ups if mail.follow_up else for_all
        moment, full = reached.get((mail.calendar, mail.follow_up), at(1)), False
        while not (fits(cap, times, moment)[0] and mail.calendar.is_open(moment)):
            full = full or fits(cap, times, moment)[1]
            moment += MINUTE
        assert place.at == moment
        assert place.full or not full or mail.calendar is DAY or cap.gap
        if place.full and cap.exceeding == "block":
            continue
        reached[mail.calendar, mail.follow_up] = moment
        for_all.append(moment)
        if mail.follow_up:
            for_follow_ups.append(moment)


@given(CAPS, MAILS)
def test_e5_order(cap, given_mails):
    """Follow-ups go before first mails, then the earlier estimate, then the lower id (E5)."""
    turns = [(not mail.follow_up, mail.estimate, mail.id) for mail in mails_of(cap, given_mails)]

    assert turns == sorted(turns)


def test_e5_a_window_is_half_open():
    """A mail that left exactly one window ago makes room, one that left a microsecond later does not (E5)."""
    cap, mail = Cap(emails=1), DueMail(1, OPEN, False, NOW)
    day = timedelta(hours=24)

    assert admitted(cap, [mail], NOW, [NOW - day], 0) == 1
    assert admitted(cap, [mail], NOW, [NOW - day + timedelta(microseconds=1)], 0) == 0


def test_e5_what_holds_its_place_needs_no_other():
    """A mail that may have left before is repeated in a full window, first of all, and takes nobody's place (E5)."""
    cap = Cap(emails=2)
    again, other = DueMail(2, OPEN, False, NOW, held=True), DueMail(1, OPEN, True, NOW)

    assert in_order([other, again]) == [again, other]
    assert admitted(cap, [again, other], NOW, [NOW, NOW], 0) == 1
    assert admitted(cap, [again, other], NOW, [NOW], 0) == 2


@given(st.text(max_size=20), st.integers(0, 3600), st.integers(0, 3600))
def test_e5_jitter_is_seeded(key, gap, jitter):
    """The gap before a mail is its cap's and up to the jitter more, the same whenever it is asked (E5)."""
    cap = Cap(gap=gap, jitter=jitter)
    wait = cap.wait_before(key)

    assert timedelta(seconds=gap) <= wait <= timedelta(seconds=gap + jitter)
    assert wait == Cap(gap=timedelta(seconds=gap), jitter=timedelta(seconds=jitter)).wait_before(key)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"emails": 0}, "cap.emails"),
        ({"emails": True}, "cap.emails"),
        ({"emails": 2.0}, "cap.emails"),
        ({"per": 24}, "cap.per"),
        ({"per": Hours(0)}, "cap.per"),
        ({"per": timedelta(days=32)}, "cap.per"),
        ({"gap": -1}, "cap.gap"),
        ({"gap": "60"}, "cap.gap"),
        ({"gap": True}, "cap.gap"),
        ({"gap": float("nan")}, "cap.gap"),
        ({"jitter": timedelta(days=2)}, "cap.jitter"),
        ({"exceeding": "drop"}, "cap.exceeding"),
    ],
)
def test_e5_caps_are_checked_at_the_door(wrong, path):
    """A cap that means nothing is refused by name, with what would do."""
    with pytest.raises(InvalidInput, match=rf"^{path}: (must|needs) ") as caught:
        Cap(**wrong)
    assert caught.value.path == path


@pytest.mark.parametrize("wrong", [{"after": Hours(0)}, {"over": 4}, {"over": Hours(169)}, {"seed": "a"}])
def test_e7_catch_up_is_checked_at_the_door(wrong):
    """A catch-up that means nothing is refused by name."""
    with pytest.raises(InvalidInput, match=rf"^catch_up.{next(iter(wrong))}: "):
        CatchUp(**wrong)


CALENDARS = st.builds(
    lambda zone, windows, days: Calendar(
        zone, working_days=days, send_windows=[Window(days, f"{a:02d}:00", f"{a + b:02d}:00") for a, b in windows]
    ),
    st.sampled_from(["UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"]),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)), max_size=3),
    st.sampled_from([WEEK, WEEK[:5], ["sat", "sun"]]),
)
MOMENTS = st.integers(0, 60 * 24 * 400).map(at)


@given(CALENDARS, MOMENTS, st.integers(0, 60 * 30), st.booleans())
def test_e7_open_time_is_what_the_calendar_is_open_for(calendar, moment, minutes, email):
    """So long after a moment, counting open minutes only, is where walking each minute arrives (E7)."""
    found = calendar.after_open(moment, timedelta(minutes=minutes), email=email)

    local = calendar.local(moment)
    quiet = {calendar.local(moment + timedelta(days=d)).utcoffset() for d in range(-1, 40)} == {local.utcoffset()}
    assume(quiet)
    walked = moment = calendar.next_open(moment, email=email)
    for _ in range(minutes):
        walked = calendar.next_open(walked + MINUTE, email=email)
    assert found == walked


@given(CALENDARS, MOMENTS, st.integers(0, 60 * 30), st.integers(0, 600), st.booleans())
def test_e7_open_time_never_goes_back(calendar, moment, minutes, more, email):
    """On every night of the year it is open there, not before the moment, and later for a longer span (E7)."""
    found = calendar.after_open(moment, timedelta(minutes=minutes), email=email)

    assert found >= moment
    assert calendar.is_open(found, email=email)
    assert calendar.after_open(moment, timedelta(minutes=minutes + more), email=email) >= found


@given(st.integers(), st.text(max_size=9), CALENDARS, MOMENTS, st.booleans())
def test_e7_a_turn_depends_on_seed_and_step_alone(seed, key, calendar, moment, email):
    """The same seed gives the same step the same turn, within the hours over which it is spread (E7)."""
    assume(-(2**63) <= seed < 2**63)
    turn = CatchUp(seed=seed).until(key, moment, calendar, email=email)

    assert turn == CatchUp(seed=seed, over=timedelta(hours=4)).until(key, moment, calendar, email=email)
    assert moment <= turn <= calendar.after_open(moment, timedelta(hours=4), email=email)
