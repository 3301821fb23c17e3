"""The calendar of a sequence as a document and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from sequencer.core.calendar import Calendar, zone_named
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date
from sequencer.core.problems import MISSING, Problems, child, item, shown
from sequencer.core.windows import Window

__all__ = ["HolidaysOf", "calendar_document", "read_calendar"]

HolidaysOf = Callable[[str], Iterable[date]]
"""From a country's code, perhaps with a subdivision (`US-CA`), to its holidays; raises `InvalidInput`."""

_CALENDAR_KEYS = ("working_days", "send_days", "holidays", "send_windows")


def read_calendar(
    problems: Problems, document: Mapping[str, Any], timezone: str, holidays_of: HolidaysOf | None
) -> Calendar:
    """The calendar that a sequence's document describes, in `timezone` if it names none, or `MISSING`."""
    named = document.get("timezone", timezone)
    zone = problems.attempt("timezone", _zone_name, named)
    path = "calendar"
    given = problems.mapping(document.get(path, {}), path, _CALENDAR_KEYS)
    rules: dict[str, Any] = {}
    for key in ("working_days", "send_days"):
        if given is not MISSING and key in given:
            place = child(path, key)
            days = problems.listing(given[key], place)
            rules[key] = days if days is MISSING else problems.attempt(place, _weekdays, days)
    if given is not MISSING and "holidays" in given:
        rules["holidays"] = _read_holidays(problems, given["holidays"], child(path, "holidays"), holidays_of)
    windows: list[Window] = []
    if given is not MISSING and "send_windows" in given:
        # Each is also tried on the days alone, so that every window that is on no send day is named.
        days = {key: rules[key] for key in ("working_days", "send_days") if rules.get(key, MISSING) is not MISSING}
        unsettled = any(rules.get(key) is MISSING for key in ("working_days", "send_days"))
        place = child(path, "send_windows")
        listed = problems.listing(given["send_windows"], place)
        for i, each in enumerate([] if listed is MISSING else listed):
            window = _read_window(problems, each, item(place, i))
            if window is MISSING:
                continue
            windows.append(window)
            if not unsettled:
                problems.attempt(
                    child(item(place, i), "days"), lambda w=window: Calendar("UTC", send_windows=[w], **days)
                )
    if zone is MISSING or given is MISSING or any(each is MISSING for each in rules.values()):
        calendar: Calendar = MISSING
        return calendar
    if problems.found:
        return Calendar(zone)
    return problems.attempt(path, lambda: Calendar(zone, send_windows=windows, **rules))


def _zone_name(value: object) -> str:
    if not isinstance(value, str):
        message = f"needs an IANA zone name like Europe/Warsaw, got {shown(value)}"
        raise InvalidInput(message, path="timezone", code="unknown_timezone")
    zone_named(value)
    return value


def _weekdays(days: list[Any]) -> tuple[str, ...]:
    # Hashable or not, whatever is no weekday is refused one by one, before the calendar looks at them as a set.
    for day in days:
        if not isinstance(day, str):
            raise InvalidInput(
                f"{shown(day)} is no weekday; use mon, tue, wed, thu, fri, sat, sun", code="invalid_weekday"
            )
    return Calendar("UTC", working_days=days).working_days


def _read_holidays(problems: Problems, value: object, path: str, holidays_of: HolidaysOf | None) -> list[date]:
    given = problems.mapping(value, path, ("dates", "country"))
    days: list[date] = []
    if given is MISSING:
        return days
    if "dates" in given:
        listed = problems.listing(given["dates"], child(path, "dates"))
        for i, each in enumerate([] if listed is MISSING else listed):
            days.append(problems.attempt(item(child(path, "dates"), i), to_date, each))
    if "country" in given:
        place = child(path, "country")
        country = given["country"]
        if not isinstance(country, str):
            problems.add("invalid_type", f"needs a country's code like PL or US-CA, got {shown(country)}", place)
        elif holidays_of is None:
            problems.add("unknown_country", "cannot be looked up here: list the dates instead", place)
        else:
            found = problems.attempt(place, holidays_of, country)
            days.extend([] if found is MISSING else found)
    return days


def _read_window(problems: Problems, value: object, path: str) -> Window:
    keys = ("days", "opens", "closes")
    given = problems.mapping(value, path, keys, required=keys)
    sound: dict[str, Any] = {"days": ["mon"], "opens": "00:00", "closes": "24:00"}
    before = len(problems.found)
    if given is not MISSING and "days" in given:
        days = problems.listing(given["days"], child(path, "days"))
        if days is not MISSING and problems.attempt(child(path, "days"), _window_days, days) is not MISSING:
            sound["days"] = days
    for key in ("opens", "closes"):
        if given is not MISSING and key in given:
            tried = problems.attempt(child(path, key), lambda k=key: Window(**{**sound, k: given[k]}))
            sound[key] = sound[key] if tried is MISSING else given[key]
    if given is MISSING or len(given) != len(keys) or len(problems.found) > before:
        window: Window = MISSING
        return window
    return Window(**sound)


def _window_days(days: list[Any]) -> tuple[str, ...]:
    return Window(_weekdays(days) if days else (), "00:00", "24:00").days


def calendar_document(calendar: Calendar) -> dict[str, Any]:
    """The rules of a calendar as a document; its zone is the sequence's to say."""
    return {
        "working_days": list(calendar.working_days),
        "send_days": list(calendar.send_days),
        "holidays": {"dates": [day.isoformat() for day in calendar.holidays]},
        "send_windows": [
            {"days": list(window.days), "opens": window.opens, "closes": window.closes}
            for window in calendar.send_windows
        ],
    }
