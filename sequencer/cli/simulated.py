"""What a simulation answers, as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from sequencer.cli.moments import clock_time
from sequencer.cli.output import Output, Styled, Table, bad, dim, strong, warn
from sequencer.simulation.answering import PEOPLE

__all__ = ["DAYS", "show"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MOST_DAYS, _MOST_ACTORS, _LONGEST_TEXT = 35, 12, 60
_SHADES = " .:-=+*#%@"
_DAY_COLUMNS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
_STEP_COLUMNS = ("reached", "done", "skipped", "failed", "overdue", "deferred", "replied", "ended")
_ACTOR_COLUMNS = ("enrollments", "emails", "most_emails", "tasks", "most_tasks", "overdue", "deferred")
_COLUMNS = {
    "most_emails": "most a day",
    "most_tasks": "most a day",
    "tasks_completed": "tasks done",
    "replied": "replies",
}
_ENDS = {"replied": "ended by a reply", "meeting_booked": "ended by a meeting", "converted": "ended by converting"}
_TOTALS = {"replied": "replies", "meeting_booked": "meetings", "converted": "conversions"}
# What is worth a column only where there is something in it.
_RARE = ("skipped", "failed", "overdue", "deferred")
# What a code means to whoever has to do something about it.
_HINTS = {
    "missing_merge_data": "the lead lacks an address, or a merge field that a text asks for, or brings a line break "
    "into a subject",
    "bounced": "the address does not exist",
    "delivery_failed": "the mail was refused, also when tried again",
    "already_enrolled": "somebody with this id or address is in a sequence already",
    "suppressed": "has opted out",
    "repeated": "the row's idempotency_key was there before",
    "out_of_office": "away for an unknown time",
}


def show(out: Output, answer: Mapping[str, Any]) -> None:
    """The answer for people."""
    if out.json:
        return
    names, zone = ", ".join(each["name"] for each in answer["sequences"]), answer["timezone"]
    scenario = "" if answer["scenario"] == "default" else f", {answer['scenario']}"
    runs = "" if answer["runs"] == 1 else f", the first of {answer['runs']} runs"
    out.say(f"{names}: {_people(answer['enrollments'])}{scenario}, seed {answer['seed']}{runs}", "bold")
    begins = f"From {_clock(answer['start'], zone)}"
    if answer["until"] is not None:
        out.say(f"{begins} until {_clock(answer['until'], zone)} in {zone}; what goes on then is ongoing.")
    elif answer["ended_at"] is not None:
        out.say(f"{begins} until nothing more happens: {_clock(answer['ended_at'], zone)} in {zone}.")
    _outcomes(out, answer)
    for sequence in answer["per_sequence"]:
        _steps(out, sequence)
    _days(out, answer["per_day"])
    _actors(out, answer["per_actor"])
    _hours(out, answer["sends"])
    if answer["compare"] is not None:
        _differences(out, answer["compare"])
    for title, default in (("Taken for granted, as the scenario says", False), ("Taken for granted by default", True)):
        said = [each for each in answer["assumptions"] if each["default"] is default and each["name"] != "scenario"]
        if said:
            out.heading(title)
        for each in said:
            out.say(f"- {each['says']}", "dim" if default else "")


def _people(number: int) -> str:
    return f"{number} enrollment" if number == 1 else f"{number} enrollments"


def _clock(moment: str, timezone: str) -> str:
    return clock_time(datetime.fromisoformat(moment), timezone)


def _outcomes(out: Output, answer: Mapping[str, Any]) -> None:
    out.heading("How they end")
    spread = answer["intervals"]
    table = Table(["=ends", ">people", ">share", *([">mean of the runs", ">90 % of them"] if spread else [])])
    for name, count, cells in _counted(answer, "outcomes"):
        text = _ENDS.get(name, name)
        table.add(Styled(text, "yellow") if name in ("blocked", "refused") else text, count, *cells)
    out.table(table, empty="Nobody was enrolled.")
    if not answer["enrollments"]:
        return
    out.say()
    table = Table(["=answers", ">people", ">share", *([">mean of the runs", ">90 % of them"] if spread else [])])
    for name, count, cells in _counted(answer, "people"):
        table.add(PEOPLE[name], count, *cells)
    out.table(table)
    out.say(
        "Who answers the last mail has run to the end by then, and stays completed; `replies` are all of them.", "dim"
    )


def _counted(answer: Mapping[str, Any], section: str) -> Iterator[tuple[str, int, list[str]]]:
    """What is counted in a section, with its share of all and where it lies over the runs."""
    spread, people = answer["intervals"], answer["enrollments"]
    for name in _in_order(section, [*answer[section], *(spread[section] if spread else ())]):
        count = answer[section].get(name, 0)
        cells = [f"{100 * count / people:.1f} %" if people else ""]
        yield name, count, cells + (_interval(spread[section].get(name)) if spread else [])


def _in_order(section: str, names: Iterable[str]) -> list[str]:
    """Each name once; of the answers those of a kind beside each other, whatever happened first."""
    found = dict.fromkeys(names)
    return [name for name in PEOPLE if name in found] if section == "people" else list(found)


def _interval(found: Mapping[str, float] | None) -> list[str]:
    return ["", ""] if found is None else [f"{found['mean']:.1f}", f"{found['low']:g} to {found['high']:g}"]


def _steps(out: Output, sequence: Mapping[str, Any]) -> None:
    out.heading(f"{sequence['name']}, step by step")
    columns = _worth(sequence["steps"], _STEP_COLUMNS)
    table = Table([">step", "what", *_headers(columns), ">?half within"])
    for step in sequence["steps"]:
        counts = [_alarming(name, step[name]) for name in columns]
        table.add(step["position"], _what(step), *counts, _span(step["median_hours"]))
    out.table(table)
    time = sequence["time_to_finish"]
    if time["count"]:
        out.say(f"Half of those who come to the end are there within {_span(time['median_hours'])}, "
                f"90 % within {_span(time['p90_hours'])}.")  # fmt: skip
    for name, what in (("blocked", "Blocked"), ("refused", "Not enrolled")):
        for reason, count in sequence[name].items():
            hint = f" ({_HINTS[reason]})" if reason in _HINTS else ""
            out.say(f"{what}: {count} {reason}{hint}", "yellow")


def _what(step: Mapping[str, Any]) -> str:
    """By its key, where it has one, and by what it does; a long text is cut, so that a row stays a row."""
    what: str = step["what"]
    if len(what) > _LONGEST_TEXT:
        what = f"{what[: _LONGEST_TEXT - 3].rstrip()}..."
    return what if step["key"] is None else f"{step['key']} ({what})"


def _worth(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> list[str]:
    """The columns without those in which there would be nothing."""
    several = list(rows)
    return [name for name in columns if name not in _RARE or any(row[name] for row in several)]


def _headers(columns: Iterable[str]) -> list[str]:
    """Numbers; where a terminal is narrow, the rare ones are what is left out."""
    return [f"{'?' if name in _RARE else ''}>{_COLUMNS.get(name, name)}" for name in columns]


def _alarming(name: str, count: int) -> Any:
    if not count:
        return dim("0")
    return bad(count) if name == "failed" else warn(count) if name in ("overdue", "deferred") else count


def _span(hours: float | None) -> str:
    """A time, exact to the quarter of an hour in which it was counted."""
    if hours is None:
        return ""
    if hours < 0.25:
        return "minutes"
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:g} h"


def _days(out: Output, days: list[Mapping[str, Any]]) -> None:
    weekly, columns = len(days) > _MOST_DAYS, _worth(days, _DAY_COLUMNS)
    out.heading("Week by week" if weekly else "Day by day")
    rows = _by_week(days) if weekly else [(f"{date.fromisoformat(each['date']):%a %Y-%m-%d}", each) for each in days]
    table = Table(["=from" if weekly else "=day", *_headers(columns)])
    quiet = 0
    for name, counts in rows:
        if any(counts[each] for each in _DAY_COLUMNS):
            table.add(name, *(_alarming(each, counts[each]) for each in columns))
        else:
            quiet += 1
    out.table(table)
    if quiet:
        many = f"{quiet} {'week' if weekly else 'day'}{'' if quiet == 1 else 's'}"
        out.say(f"Left out: {many} on which nothing happens.", "dim")


def _by_week(days: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    weeks: dict[str, dict[str, int]] = {}
    for each in days:
        day = date.fromisoformat(each["date"])
        monday = f"Mon {date.fromordinal(day.toordinal() - day.weekday())}"
        counts = weeks.setdefault(monday, dict.fromkeys(_DAY_COLUMNS, 0))
        for name in _DAY_COLUMNS:
            counts[name] += each[name]
    return list(weeks.items())


def _actors(out: Output, actors: list[Mapping[str, Any]]) -> None:
    if not actors:
        return
    out.heading("Mailboxes and desks")
    columns = _worth(actors, _ACTOR_COLUMNS)
    account = any("account" in each for each in actors)
    capped = any(each["cap_days"] for each in actors)
    headers = [*(["=account"] if account else []), "=actor", *_headers(columns), *([">days under a cap"] * capped)]
    table = Table(headers)
    busiest = sorted(actors, key=lambda each: (-each["most_emails"], -each["emails"], str(each["actor_id"])))
    for each in busiest[:_MOST_ACTORS]:
        named = [str(each.get("account", ""))] if account else []
        counts = [_alarming(name, each[name]) for name in columns]
        who = dim("nobody") if each["actor_id"] is None else str(each["actor_id"])
        table.add(*named, who, *counts, *([_alarming("deferred", len(each["cap_days"]))] if capped else []))
    out.table(table)
    if len(actors) > _MOST_ACTORS:
        out.say(f"The busiest {_MOST_ACTORS} of {len(actors)}.", "dim")


def _hours(out: Output, sends: list[list[int]]) -> None:
    most = max(map(max, sends))
    if not most:
        return
    out.heading("When mails leave, on the recipients' clocks")
    out.say(("     " + "".join(f"{hour:<6}" for hour in range(0, 24, 3))).rstrip())
    for name, counts in zip(DAYS, sends, strict=True):
        shades = (_SHADES[0 if not n else 1 + (len(_SHADES) - 2) * n // most] for n in counts)
        out.say((f"{name}  " + "".join(shade * 2 for shade in shades)).rstrip())
    out.say(f"{_SHADES[1]} is a mail or a few, {_SHADES[-1]} up to {most} in the hour.", "dim")


def _differences(out: Output, compared: Mapping[str, Any]) -> None:
    runs = compared["runs"]
    over = "in one run" if runs == 1 else f"in {runs} runs, mean"
    out.heading(f"With {compared['with']} instead: the same people, the same luck, {over}")
    named: tuple[tuple[str, str, Mapping[str, str]], ...] = (
        ("outcomes", "=ends", _ENDS), ("people", "=answers", PEOPLE), ("totals", "=in all", _TOTALS),
    )  # fmt: skip
    for section, title, names in named:
        table = Table([title, ">this", ">the other", ">difference", ">?90 % of the runs"])
        for name in _in_order(section, compared[section]):
            found = compared[section][name]
            if found["this"] or found["other"]:
                certain = found["low"] > 0 or found["high"] < 0
                difference = f"{found['difference']:+g}" if found["difference"] else "0"
                table.add(
                    names.get(name, name),
                    f"{found['this']:g}",
                    f"{found['other']:g}",
                    strong(difference) if certain else difference,
                    f"{found['low']:+g} to {found['high']:+g}",
                )
        out.table(table)
        out.say()
    if runs > 1:
        out.say("A difference is certain where all of the last column is on one side of 0.", "dim")
