"""Caps, pacing and catch-up: how many mails may leave in an actor's name, and when what exceeds it may (laws E5, E7).

The arithmetic is two questions, asked for one actor at a time:

- `admitted`: which of the mails that are due may leave now;
- `planned`: when the others may, if everything goes as known now.

Both count instants. A window is half open: a mail that left exactly one `per` ago is no longer in it. What is out,
handed over and not answered, may leave at any moment, so it counts as of now. A plan is only a plan: when its time has
come, everything is asked anew, so nothing that is planned can make a cap inexact.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right, insort
from collections.abc import Iterable
from collections.abc import Sequence as Several
from datetime import timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import between, later_by
from sequencer.core.statuses import StepStatus
from sequencer.core.values import to_whole

__all__ = ["LONGEST_WINDOW", "Cap", "CatchUp", "DueMail", "Place", "admitted", "in_order", "is_follow_up", "planned"]

LONGEST_WINDOW = timedelta(days=31)
"""The longest window of a cap: what left before is counted nowhere, and can be forgotten."""
_LONGEST_GAP = timedelta(hours=24)
_MOST_EMAILS = 1_000_000
_NONE = timedelta(0)


def _to_span(value: Any, path: str, *, least: timedelta, most: timedelta, seconds: bool = False) -> timedelta:
    if isinstance(value, Hours):
        span = value.timedelta
    elif isinstance(value, timedelta):
        span = value
    elif seconds and isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9:
        span = timedelta(seconds=value)
    else:
        wanted = "seconds, a timedelta or Hours" if seconds else "Hours or a timedelta"
        raise InvalidInput(f"needs {wanted}, got {value!r}", path=path, code="invalid_type")
    if not least <= span <= most:
        raise InvalidInput(
            f"must be from {_span_text(least)} to {_span_text(most)}, got {_span_text(span)}",
            path=path,
            code="out_of_range",
        )
    return span


def _to_emails(value: Any) -> int:
    return to_whole(value, "cap.emails", least=1, most=_MOST_EMAILS)


def _to_per(value: Any) -> timedelta:
    return _to_span(value, "cap.per", least=timedelta(seconds=1), most=LONGEST_WINDOW)


def _to_gap(value: Any) -> timedelta:
    return _to_span(value, "cap.gap", least=_NONE, most=_LONGEST_GAP, seconds=True)


def _to_jitter(value: Any) -> timedelta:
    return _to_span(value, "cap.jitter", least=_NONE, most=_LONGEST_GAP, seconds=True)


def _to_after(value: Any) -> timedelta:
    return _to_span(value, "catch_up.after", least=timedelta(minutes=1), most=LONGEST_WINDOW)


def _to_over(value: Any) -> timedelta:
    return _to_span(value, "catch_up.over", least=timedelta(seconds=1), most=timedelta(days=7))


def _share(text: str) -> float:
    """A number from 0 to below 1 that a text always has: chance that can be repeated."""
    return zlib.crc32(text.encode()) / 2**32


def _span_text(span: timedelta) -> str:
    for name, unit in (("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= unit and not span % unit:
            return f"{span // unit} {name}{'' if span == unit else 's'}"
    return f"{span.total_seconds():g} second{'' if span == timedelta(seconds=1) else 's'}"


@attrs.frozen(kw_only=True)
class Cap:
    """How many mails may leave in the name of one actor, and how fast (E5).

    At most `emails` (1 to 1 000 000) in any span of `per` (`Hours` or a timedelta, up to 31 days), measured where they
    leave. Between two of them at least `gap`, and up to `jitter` more, which depends on the mail alone (seconds, a
    timedelta or `Hours`, up to 24 hours; default none). What exceeds waits until there is room (`exceeding="wait"`), or
    its enrollment is blocked with `quota_reached` until somebody resumes it (`"block"`); a gap is always waited out.
    """

    emails: int = attrs.field(default=300, converter=_to_emails)
    per: timedelta = attrs.field(default=timedelta(hours=24), converter=_to_per)
    gap: timedelta = attrs.field(default=_NONE, converter=_to_gap)
    jitter: timedelta = attrs.field(default=_NONE, converter=_to_jitter)
    exceeding: str = "wait"

    def __attrs_post_init__(self) -> None:
        if self.exceeding not in ("wait", "block"):
            raise InvalidInput(
                f"must be wait or block, got {self.exceeding!r}", path="cap.exceeding", code="invalid_value"
            )

    def wait_before(self, key: str) -> timedelta:
        """How long after the actor's mail before it the mail with this key may leave, at the earliest."""
        return self.gap + self.jitter * _share(f"{key}-gap") if self.jitter else self.gap

    def why(self, *, full: bool, actor: Any) -> str:
        """What this cap says, for a reason: of the window where that is `full`, else of the gap."""
        if full or not (self.gap or self.jitter):
            mails = "1 mail" if self.emails == 1 else f"{self.emails} mails"
            return f"at most {mails} in {_span_text(self.per)} in the name of {actor}"
        return f"at least {_span_text(self.gap)} between two mails in the name of {actor}"


@attrs.frozen(kw_only=True)
class CatchUp:
    """How what is overdue after downtime is spread (E7).

    What a worker comes to more than `after` later than its estimate is put off to a moment within `over` from then:
    both are hours in which its calendar is open, so that nothing is late for having waited for an opening, and there is
    no crowd at the next one. Which moment depends on `seed` and on the step alone. Both are `Hours` or a timedelta:
    `after` a minute or more, `over` a week or less.
    """

    after: timedelta = attrs.field(default=timedelta(hours=1), converter=_to_after)
    over: timedelta = attrs.field(default=timedelta(hours=4), converter=_to_over)
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        to_whole(self.seed, "catch_up.seed", least=-(2**63), most=2**63 - 1)

    def until(self, key: str, now: DateTime, calendar: Calendar, *, email: bool) -> DateTime:
        """To when the hand-over with this key is put off."""
        return calendar.after_open(now, self.over * _share(f"{self.seed}-{key}"), email=email)

    def why(self) -> str:
        """What this says, for a reason."""
        return f"over {_span_text(self.over)} in which the calendar is open"


def is_follow_up(enrollment: Enrollment, step: EnrollmentStep) -> bool:
    """Whether a mail was accepted before it in the same enrollment: those go before first mails."""
    before = enrollment.steps[: step.position]
    return any(each.status is StepStatus.COMPLETED and each.step.is_email for each in before)


@attrs.frozen
class DueMail:
    """A mail that is due: of which enrollment, and what its turn depends on.

    `wait` is how long after the actor's mail before it that it may leave. `held` says that it holds its place in the
    window already: an earlier attempt may have left, and a mail counts once.
    """

    id: int
    calendar: Calendar
    follow_up: bool
    estimate: DateTime
    wait: timedelta = _NONE
    held: bool = False


@attrs.frozen
class Place:
    """When a mail may leave; `full` says that the window, and not the gap alone, made it wait."""

    at: DateTime
    full: bool


def in_order(mails: Iterable[DueMail]) -> list[DueMail]:
    """The order of turns: what holds its place already, follow-ups, first mails; then by estimate, then by id."""
    return sorted(mails, key=lambda mail: (not mail.held, not mail.follow_up, mail.estimate, mail.id))


def admitted(
    cap: Cap, mails: Several[DueMail], now: DateTime, left: Several[DateTime], out: int, reserved: int = 0
) -> int:
    """How many of these mails, from the first in their order, may leave now.

    `left` has the instants at which mails of the actor left, or may have; `out` counts those that are handed over and
    not answered. `reserved` places are kept for follow-ups that are due, but not among these.
    """
    counted = out + sum(1 for at in left if between(at, now) < cap.per)
    last = max(left, default=None)
    if out:
        last = now if last is None else max(last, now)
    for turn, mail in enumerate(mails):
        kept = 0 if mail.follow_up else reserved
        has_place = counted <= cap.emails if mail.held else counted + kept < cap.emails
        if not has_place or (mail.wait and last is not None and between(last, now) < mail.wait):
            return turn
        counted += not mail.held
        last = now if last is None else max(last, now)
    return len(mails)


def planned(
    cap: Cap,
    mails: Several[DueMail],
    start: DateTime,
    taken: Iterable[DateTime],
    follow_ups: Iterable[DateTime] = (),
    first_mails: Iterable[DateTime] = (),
) -> list[Place]:
    """When these mails, which have to wait, may leave: each in its order at the first moment, from `start`, with room.

    `taken` are instants that count for all; `follow_ups` and `first_mails` those of mails that are expected later.
    Follow-ups do not wait for first mails. Mails with the same calendar keep their order. With `exceeding="block"`,
    what finds the window full takes no place.
    """
    taken = list(taken)
    for_follow_ups = _Places(cap, [*taken, *follow_ups])
    for_first_mails = _Places(cap, [*for_follow_ups.times, *first_mails])
    # Places are only taken, never given back, so what finds none up to a moment need not be asked again up to there.
    reached: dict[tuple[int, bool], DateTime] = {}
    found = []
    for mail in mails:
        places = for_follow_ups if mail.follow_up else for_first_mails
        way = (id(mail.calendar), mail.follow_up)
        place = places.first(mail, reached.get(way, start))
        found.append(place)
        if place.full and cap.exceeding == "block":
            continue
        reached[way] = place.at
        for_first_mails.take(place.at)
        if mail.follow_up:
            for_follow_ups.take(place.at)
    return found


class _Places:
    """Instants at which mails of an actor left or are expected to, in order, and where there is room between them."""

    def __init__(self, cap: Cap, times: Iterable[DateTime]) -> None:
        self.times = sorted(times)
        self._cap = cap

    def take(self, at: DateTime) -> None:
        insort(self.times, at)

    def first(self, mail: DueMail, at: DateTime) -> Place:
        """The first moment, not before `at`, at which this mail may leave: with room, and its calendar open."""
        times, gap, full = self.times, self._cap.gap, False
        while True:
            before = bisect_right(times, at)
            freed = self._freed(at, before)
            if freed is not None:
                at, full = freed, True
            elif mail.wait and before and between(times[before - 1], at) < mail.wait:
                at = later_by(times[before - 1], mail.wait)
            elif gap and before < len(times) and between(at, times[before]) < gap:
                at = later_by(times[before], mail.wait)
            else:
                opens = mail.calendar.next_open(at, email=True)
                if opens == at:
                    return Place(at, full)
                at = opens

    def _freed(self, at: DateTime, before: int) -> DateTime | None:
        """Where one more mail at this moment would be too many, the moment at which it is not for those around it."""
        times, emails, per = self.times, self._cap.emails, self._cap.per
        # Of any `emails` neighbours that it would stand among or beside, with it they must not fit into one window.
        for first in range(min(before, len(times) - emails), max(0, before - emails) - 1, -1):
            earliest, latest = times[first], times[first + emails - 1]
            if between(min(at, earliest), max(at, latest)) < per:
                return later_by(earliest, per)
        return None
