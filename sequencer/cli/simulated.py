"""What a simulation answers, as tables for people and as files to be left behind."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sequencer.cli.options import Refusal
from sequencer.cli.output import Output, Styled, Table, bad, dim, strong, warn
from sequencer.simulation.study import StudyResult

__all__ = ["leave", "show"]

_MOST_DAYS, _MOST_ACTORS = 35, 12
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHADES = " .:-=+*#%@"
_DAY_COLUMNS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
_STEP_COLUMNS = ("reached", "done", "skipped", "failed", "overdue", "deferred", "replied", "ended")
_ACTOR_COLUMNS = ("enrollments", "emails", "most_emails", "tasks", "most_tasks", "overdue", "deferred")
_COLUMNS = {"most_emails": "most a day", "most_tasks": "most a day", "tasks_completed": "done"}


def show(out: Output, answer: Mapping[str, Any]) -> None:
    """The answer for people."""
    if out.json:
        return
    names = ", ".join(each["name"] for each in answer["sequences"])
    out.say(f"{names}: {answer['enrollments']} people from {answer['start']}, seed {answer['seed']}", "bold")
    if answer["ended_at"] is not None:
        out.say(f"The last of it happens at {answer['ended_at']}; days are those of {answer['timezone']}.")
    _outcomes(out, answer)
    for sequence in answer["per_sequence"]:
        _steps(out, sequence)
    _days(out, answer["per_day"])
    _actors(out, answer["per_actor"])
    _hours(out, answer["sends"])
    if answer["compare"] is not None:
        _differences(out, answer["compare"])
    out.heading("Taken for granted")
    for each in answer["assumptions"]:
        out.line(strong(f"{each['name']}: "), each["says"], dim(" (by default)" if each["default"] else ""))


def _outcomes(out: Output, answer: Mapping[str, Any]) -> None:
    out.heading("How they end")
    spread = answer["intervals"]
    table = Table(["ends", ">people", ">share", *([">mean of the runs", ">90 % of them"] if spread else [])])
    names = dict.fromkeys([*answer["outcomes"], *(spread["outcomes"] if spread else ())])
    for name in names:
        count = answer["outcomes"].get(name, 0)
        cells: list[Any] = [Styled(name, "yellow") if name in ("blocked", "refused") else name, count]
        cells.append(f"{100 * count / answer['enrollments']:.1f} %" if answer["enrollments"] else "")
        if spread:
            cells += _interval(spread["outcomes"].get(name))
        table.add(*cells)
    out.table(table, empty="Nobody was enrolled.")


def _interval(found: Mapping[str, float] | None) -> list[str]:
    return ["", ""] if found is None else [f"{found['mean']:.1f}", f"{found['low']:g} to {found['high']:g}"]


def _steps(out: Output, sequence: Mapping[str, Any]) -> None:
    out.heading(f"{sequence['name']}, step by step")
    table = Table([">step", "what", *(f">{name}" for name in _STEP_COLUMNS), ">?half within"])
    for step in sequence["steps"]:
        hours = step["median_hours"]
        counts = [_alarming(name, step[name]) for name in _STEP_COLUMNS]
        table.add(step["position"], step["what"], *counts, "" if hours is None else _span(hours))
    out.table(table)
    time = sequence["time_to_finish"]
    if time["count"]:
        out.say(f"Half of those who come to the end are there within {_span(time['median_hours'])}, "
                f"90 % within {_span(time['p90_hours'])}.")  # fmt: skip
    for name, what in (("blocked", "Blocked"), ("refused", "Not enrolled")):
        if sequence[name]:
            out.say(f"{what}: " + ", ".join(f"{count} {reason}" for reason, count in sequence[name].items()), "yellow")


def _alarming(name: str, count: int) -> Any:
    if not count:
        return dim("0")
    return bad(count) if name == "failed" else warn(count) if name in ("overdue", "deferred") else count


def _span(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:g} h"


def _days(out: Output, days: list[Mapping[str, Any]]) -> None:
    rows: list[tuple[str, Mapping[str, Any]]]
    if len(days) > _MOST_DAYS:
        out.heading("Week by week")
        rows = _by_week(days)
    else:
        out.heading("Day by day")
        rows = [(f"{date.fromisoformat(each['date']):%a %Y-%m-%d}", each) for each in days]
    table = Table(["=from" if len(days) > _MOST_DAYS else "=day", *(f">{_COLUMNS.get(n, n)}" for n in _DAY_COLUMNS)])
    for name, counts in rows:
        table.add(name, *(_alarming(each, counts[each]) for each in _DAY_COLUMNS))
    out.table(table)


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
    out.heading("Mailboxes and desks")
    table = Table(["actor", *(f">{_COLUMNS.get(name, name)}" for name in _ACTOR_COLUMNS), ">days under a cap"])
    busiest = sorted(actors, key=lambda each: (-each["most_emails"], -each["emails"], str(each["actor_id"])))
    for each in busiest[:_MOST_ACTORS]:
        counts = [_alarming(name, each[name]) for name in _ACTOR_COLUMNS]
        table.add(str(each["actor_id"]), *counts, _alarming("deferred", len(each["cap_days"])))
    out.table(table)
    if len(actors) > _MOST_ACTORS:
        out.say(f"The busiest {_MOST_ACTORS} of {len(actors)}.", "dim")


def _hours(out: Output, sends: list[list[int]]) -> None:
    most = max(map(max, sends))
    if not most:
        return
    out.heading("When mails leave, on the recipients' clocks")
    out.say("     " + "".join(f"{hour:<6}" for hour in range(0, 24, 3)))
    for name, counts in zip(_DAYS, sends, strict=True):
        shades = (_SHADES[0 if not n else 1 + (len(_SHADES) - 2) * n // most] for n in counts)
        out.say(f"{name}  " + "".join(shade * 2 for shade in shades).rstrip())


def _differences(out: Output, compared: Mapping[str, Any]) -> None:
    out.heading(f"With {compared['with']} instead, over {compared['runs']} runs with the same people and luck")
    table = Table(["", ">this", ">the other", ">difference", ">90 % of the runs"])
    for section in ("outcomes", "totals"):
        for name, found in compared[section].items():
            if found["this"] or found["other"]:
                apart = f"{found['low']:+g} to {found['high']:+g}"
                certain = found["low"] > 0 or found["high"] < 0
                table.add(
                    f"{name} ({'end' if section == 'outcomes' else 'in all'})",
                    f"{found['this']:g}",
                    f"{found['other']:g}",
                    strong(f"{found['difference']:+g}") if certain else f"{found['difference']:+g}",
                    apart,
                )
    out.table(table)


# -- files ----------------------------------------------------------------------------------------------------


def leave(arguments: argparse.Namespace, out: Output, result: StudyResult, answer: Mapping[str, Any]) -> None:
    """The files that were asked for."""
    try:
        if arguments.html is not None:
            from sequencer.simulation.report import render

            Path(arguments.html).write_text(render(answer), encoding="utf-8")
            out.say(f"The report is in {arguments.html}.", "green")
        if arguments.trace is not None:
            with Path(arguments.trace).open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in result.trace_lines())
        if arguments.csv is not None:
            _write_tables(Path(arguments.csv), answer)
    except OSError as error:
        raise Refusal(f"{error.filename}: cannot be written: {error.strerror}", 1) from None


def _write_tables(folder: Path, answer: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = [
        {"sequence": each["key"], "outcome": name, "people": count}
        for each in answer["per_sequence"]
        for name, count in each["outcomes"].items()
    ]
    steps = [{"sequence": each["key"], **step} for each in answer["per_sequence"] for step in each["steps"]]
    actors = [{**each, "cap_days": " ".join(each["cap_days"])} for each in answer["per_actor"]]
    actor_days = [{"actor_id": each["actor_id"], **day} for each in answer["per_actor"] for day in each["per_day"]]
    for each in actors:
        del each["per_day"]
    sends = [
        {"weekday": name, "hour": hour, "emails": count}
        for name, counts in zip(_DAYS, answer["sends"], strict=True)
        for hour, count in enumerate(counts)
    ]
    tables = {
        "outcomes": outcomes,
        "days": answer["per_day"],
        "steps": steps,
        "actors": actors,
        "actor-days": actor_days,
        "sends": sends,
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    # A spreadsheet takes what begins like this for a formula, and a step's text may be anybody's.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
