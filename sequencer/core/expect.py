"""`Expect`: the vocabulary of `expect`, for sequences that are written in Python."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sequencer.core.delays import Delay
from sequencer.core.durations import delay_document
from sequencer.core.errors import InvalidInput
from sequencer.core.expectations import to_expectations
from sequencer.core.values import frozen, to_instance

__all__ = ["Expect"]

Expectation = Mapping[str, Any]


class Expect:
    """What must hold of every enrollment: `Sequence(..., expect=[Expect.max_duration(Weekdays(30))])`.

    Each returns the expectation as definition files say it, `{"max_duration": {"weekdays": 30}}`. Delays are `Hours`
    (elapsed time) or `Weekdays` (working days, at the same clock time); days are "mon" to "sun", dates local, and times
    those of the recipient's clock, as text like "09:00" or `datetime.time`. Each raises `InvalidInput` or
    `DefinitionError` for what makes no sense.
    """

    @staticmethod
    def min_between_emails(delay: Delay) -> Expectation:
        """Each mail leaves at least so long after the mail before it."""
        return _expected("min_between_emails", _duration(delay))

    @staticmethod
    def max_between_emails(delay: Delay) -> Expectation:
        """Each mail leaves at most so long after the mail before it."""
        return _expected("max_between_emails", _duration(delay))

    @staticmethod
    def min_between_steps(delay: Delay) -> Expectation:
        """Each step comes at least so long after the step before it is over."""
        return _expected("min_between_steps", _duration(delay))

    @staticmethod
    def max_between_steps(delay: Delay) -> Expectation:
        """Each step comes at most so long after the step before it is over."""
        return _expected("max_between_steps", _duration(delay))

    @staticmethod
    def min_duration(delay: Delay) -> Expectation:
        """The last step is over at least so long after the start."""
        return _expected("min_duration", _duration(delay))

    @staticmethod
    def max_duration(delay: Delay) -> Expectation:
        """The last step is over at most so long after the start."""
        return _expected("max_duration", _duration(delay))

    @staticmethod
    def first_touch_within(delay: Delay) -> Expectation:
        """The first step comes at most so long after the first open moment since the start (T5)."""
        return _expected("first_touch_within", _duration(delay))

    @staticmethod
    def max_emails(count: int, *, days: int) -> Expectation:
        """At most so many mails leave in any so many days, as the clock on the wall counts them."""
        return _expected("max_emails", {"count": count, "days": days})

    @staticmethod
    def no_email_on(
        *,
        days: Iterable[str] = (),
        dates: Iterable[date | str] = (),
        since: dt.time | str | None = None,
        until: dt.time | str | None = None,
    ) -> Expectation:
        """No mail leaves on these weekdays or dates (none: any day), from `since` on and before `until`."""
        return _expected("no_email_on", _never(days, dates, since, until))

    @staticmethod
    def no_task_on(
        *,
        days: Iterable[str] = (),
        dates: Iterable[date | str] = (),
        since: dt.time | str | None = None,
        until: dt.time | str | None = None,
    ) -> Expectation:
        """No task comes on these weekdays or dates (none: any day), from `since` on and before `until`."""
        return _expected("no_task_on", _never(days, dates, since, until))

    @staticmethod
    def local_hours(since: dt.time | str, until: dt.time | str) -> Expectation:
        """Mails leave from one time of the recipient's clock on, and before another."""
        return _expected("local_hours", {"from": since, "to": until})

    @staticmethod
    def ends_by(day: date | str) -> Expectation:
        """The last step is over on that local date at the latest; needs `assume={"enrolled": {"until": ...}}`."""
        return _expected("ends_by", day)

    @staticmethod
    def stops_on(*kinds: str) -> Expectation:
        """Each of these reports ("replied", "unsubscribed", ...) finishes the enrollment, whenever it comes (L8)."""
        return _expected("stops_on", list(kinds))


def _expected(kind: str, value: Any) -> Expectation:
    (found,) = to_expectations([{kind: value}])
    expectation: Expectation = frozen(found)
    return expectation


def _duration(delay: Any) -> dict[str, Any]:
    if not isinstance(delay, Delay):
        raise InvalidInput(f"needs Hours or Weekdays, got {delay!r}", path="delay", code="invalid_type")
    return delay_document(delay)


def _never(days: Any, dates: Any, since: Any, until: Any) -> dict[str, Any]:
    given = {"days": _list(days, "days"), "dates": _list(dates, "dates"), "from": since, "to": until}
    return {key: value for key, value in given.items() if value is not None and value != []}


def _list(value: Any, path: str) -> list[Any]:
    if isinstance(value, str):
        raise InvalidInput(f"needs a list, got {value!r}", path=path, code="invalid_type")
    return list(to_instance(Iterable, value, path))  # type: ignore[type-abstract]
