"""What a definition may take for granted (`assume`) and must hold of it (`expect`): the closed vocabulary.

Both are kept as plain data, in one spelling: durations as `{"hours": 24}`, times as `"09:00"`, days in the order of the
week. Here it is only settled what may be said; whether it is true is found out by checking the design.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from sequencer.core.calendar import zone_named
from sequencer.core.durations import delay_document, read_delay
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.instants import to_date
from sequencer.core.policy import REPORT_KINDS
from sequencer.core.problems import MISSING, EnoughProblems, Problems, child, item, nearest, shown
from sequencer.core.windows import Window

__all__ = [
    "ASSUMPTIONS",
    "EXPECTATIONS",
    "read_assumptions",
    "read_expectations",
    "to_assumptions",
    "to_expectations",
]

_MOST_COUNT = 10_000
_MOST_DAYS = 3_650

_T = TypeVar("_T")


def _duration(problems: Problems, value: object, path: str) -> Any:
    delay = read_delay(problems, value, path)
    return delay if delay is MISSING else delay_document(delay)


def _days(problems: Problems, value: object, path: str) -> Any:
    if not isinstance(value, (list, tuple)):
        problems.add("invalid_type", f"needs a list of weekdays like [mon, tue], got {shown(value)}", path)
        return MISSING
    return problems.attempt(path, lambda: list(Window(value, "00:00", "24:00").days))


def _span(problems: Problems, given: dict[str, Any], path: str) -> dict[str, Any]:
    """The keys days, from and to of a mapping that has been checked for others, each in its one spelling."""
    span: dict[str, Any] = {}
    if "days" in given:
        span["days"] = _days(problems, given["days"], child(path, "days"))
    week = ("mon",)
    if "from" in given:
        span["from"] = problems.attempt(child(path, "from"), lambda: Window(week, given["from"], "24:00").opens)
    if "to" in given:
        span["to"] = problems.attempt(child(path, "to"), lambda: Window(week, "00:00", given["to"]).closes)
    start, end = span.get("from", MISSING), span.get("to", MISSING)
    # In this spelling, the order of the texts is the order of the times.
    if start is not MISSING and end is not MISSING and start >= end:
        message = f"must be later than from ({start}), got {end}; a span that crosses midnight is two"
        problems.add("empty_window", message, child(path, "to"))
    return span


def _date(problems: Problems, value: object, path: str) -> Any:
    found = problems.attempt(path, to_date, value)
    return found if found is MISSING else found.isoformat()


def _listed(
    problems: Problems, value: object, path: str, what: str, read: Callable[[Problems, object, str], Any]
) -> Any:
    """A list of at least one value, each read and there once, in order."""
    if not isinstance(value, (list, tuple)):
        problems.add("invalid_type", f"needs a list of {what}, got {shown(value)}", path)
        return MISSING
    if not value:
        problems.add("invalid_value", f"needs at least one; leave the key out to say nothing about {what}", path)
        return MISSING
    found = [read(problems, each, item(path, i)) for i, each in enumerate(value)]
    if any(each is MISSING for each in found):
        return MISSING
    for i, each in enumerate(found):
        if each in found[:i]:
            problems.add("duplicate_value", f"names {each} a second time", item(path, i))
    return sorted(found)


def _enrolled(problems: Problems, value: object, path: str) -> Any:
    given = problems.mapping(value, path, ("days", "from", "to", "since", "until"))
    if given is MISSING:
        return MISSING
    span = _span(problems, given, path)
    for key in ("since", "until"):
        if key in given:
            span[key] = _date(problems, given[key], child(path, key))
    since, until = span.get("since", MISSING), span.get("until", MISSING)
    if since is not MISSING and until is not MISSING and since > until:
        problems.add("empty_span", f"must not be before since ({since}), got {until}", child(path, "until"))
    return span


def _zone(problems: Problems, value: object, path: str) -> Any:
    if not isinstance(value, str):  # which is looked up by what it is, and a mapping cannot be
        problems.add("unknown_timezone", f"needs an IANA zone name like Europe/Warsaw, got {shown(value)}", path)
        return MISSING
    found = problems.attempt(path, lambda: zone_named(value))
    return found if found is MISSING else value


def _timezones(problems: Problems, value: object, path: str) -> Any:
    return _listed(problems, value, path, "IANA zone names like Europe/Warsaw", _zone)


def _never_on(problems: Problems, value: object, path: str) -> Any:
    keys = ("days", "dates", "from", "to")
    given = problems.mapping(value, path, keys)
    if given is MISSING:
        return MISSING
    span = _span(problems, given, path)
    if "dates" in given:
        span["dates"] = _listed(problems, given["dates"], child(path, "dates"), "dates like 2026-12-25", _date)
    if not given:
        problems.add("missing", f"needs at least one of {', '.join(keys)}", path)
    return span


def _local_hours(problems: Problems, value: object, path: str) -> Any:
    given = problems.mapping(value, path, ("from", "to"), required=("from", "to"))
    return given if given is MISSING else _span(problems, given, path)


def _kind(problems: Problems, value: object, path: str) -> Any:
    return problems.among(value, path, REPORT_KINDS)


def _stops_on(problems: Problems, value: object, path: str) -> Any:
    found = _listed(problems, value, path, f"kinds of reports like {REPORT_KINDS[0]}", _kind)
    return found if found is MISSING else sorted(found, key=REPORT_KINDS.index)


def _whole(value: Any, most: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"needs a whole number, got {shown(value)}", code="invalid_type")
    if not least <= value <= most:
        raise InvalidInput(f"must be from {least} to {most}, got {shown(value)}", code="out_of_range")
    return value


def _max_emails(problems: Problems, value: object, path: str) -> Any:
    given = problems.mapping(value, path, ("count", "days"), required=("count", "days"))
    if given is MISSING:
        return MISSING
    limits = {"count": (_MOST_COUNT, 0), "days": (_MOST_DAYS, 1)}
    return {key: problems.attempt(child(path, key), _whole, given[key], *limits[key]) for key in limits if key in given}


_Read = Callable[[Problems, object, str], Any]

ASSUMPTIONS: dict[str, _Read] = {"enrolled": _enrolled, "tasks_done_within": _duration, "timezones": _timezones}
EXPECTATIONS: dict[str, _Read] = {
    "min_between_emails": _duration,
    "max_between_emails": _duration,
    "min_between_steps": _duration,
    "max_between_steps": _duration,
    "min_duration": _duration,
    "max_duration": _duration,
    "first_touch_within": _duration,
    "max_emails": _max_emails,
    "no_email_on": _never_on,
    "no_task_on": _never_on,
    "local_hours": _local_hours,
    "ends_by": _date,
    "stops_on": _stops_on,
}


def read_assumptions(problems: Problems, value: object, path: str) -> dict[str, Any]:
    """The `assume` mapping in its one spelling; what is wrong with it is noted."""
    given = problems.mapping(value, path, ASSUMPTIONS)
    if given is MISSING:
        return {}
    return {key: ASSUMPTIONS[key](problems, each, child(path, key)) for key, each in given.items()}


def read_expectations(problems: Problems, value: object, path: str) -> list[dict[str, Any]]:
    """The `expect` list, of mappings with one kind each, in its one spelling; what is wrong with it is noted."""
    given = problems.listing(value, path)
    expectations: list[dict[str, Any]] = []
    for i, each in enumerate([] if given is MISSING else given):
        place = item(path, i)
        known = problems.mapping(each, place, EXPECTATIONS)
        if known is MISSING:
            continue
        if len(each) != 1:
            kinds = nearest("", EXPECTATIONS)
            problems.add("invalid_value", f"needs exactly one kind of expectation; {kinds}", place)
        expectations.append(
            {kind: EXPECTATIONS[kind](problems, what, child(place, kind)) for kind, what in known.items()}
        )
    return expectations


def to_assumptions(value: object) -> dict[str, Any]:
    """The `assume` mapping in its one spelling. Raises `DefinitionError` with all that is wrong with it."""
    return _settled(read_assumptions, value, "assume")


def to_expectations(value: object) -> list[dict[str, Any]]:
    """The `expect` list in its one spelling. Raises `DefinitionError` with all that is wrong with it."""
    return _settled(read_expectations, value, "expect")


def _settled(read: Callable[[Problems, object, str], _T], value: object, path: str) -> _T:
    problems = Problems()
    settled: _T = MISSING
    with contextlib.suppress(EnoughProblems):
        settled = read(problems, value, path)
    if problems.found:
        raise DefinitionError(problems.found)
    return settled
