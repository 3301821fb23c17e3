"""Answers as a simulation gives them, made up: small, very long, with very many senders, and with another design.

They add up as real ones do, so that a page of theirs looks as a page will look. Written as pages by
`python -m tests.simulation.report.samples FOLDER`.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sequencer.simulation.report import write

__all__ = ["SAMPLES", "compared", "long", "many", "small"]

_DAY_COUNTS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
_MAIL, _TASK = "automated_email", "task"
_INBOUND = [
    (_MAIL, "mail 1", 0), (_TASK, "Call {{ name }}", 1), (_MAIL, "mail 2", 2), (_TASK, "Connect on LinkedIn", 4),
    (_MAIL, "mail 3", 6), (_TASK, "Call again, and leave a voice message", 8), (_MAIL, "mail 4: the last word", 11),
]  # fmt: skip
_OUTBOUND = [(_MAIL, f"mail {each + 1}", each * 4) for each in range(6)]
_RENEWAL = [(_TASK, "Look at the account", 0), (_MAIL, "mail 1", 1), (_TASK, "Call", 3), (_MAIL, "mail 2", 7)]


def _steps(plan: list[tuple[str, str, int]], people: int, chance: random.Random) -> list[dict[str, Any]]:
    steps, reached = [], people
    for position, (kind, what, days) in enumerate(plan):
        mail = kind == _MAIL
        failed = chance.randint(0, max(1, reached // 400)) if mail else 0
        replied = int(reached * chance.uniform(0.015, 0.05)) if mail else 0
        done = reached - failed
        ended = replied + failed
        if position == len(plan) - 1:
            ended = reached
        key = None if position % 3 else f"step-{position}"
        steps.append({
            "position": position, "key": key, "action_type": kind, "what": what,
            "reached": reached, "done": done, "skipped": 0, "failed": failed,
            "overdue": 0 if mail else int(reached * chance.uniform(0.02, 0.2)),
            "deferred": int(reached * chance.uniform(0, 0.3)) if mail else 0,
            "replied": replied, "ended": ended, "median_hours": days * 24 + chance.randint(0, 40) / 4,
        })  # fmt: skip
        reached -= ended
    return steps


def _sequence(
    key: str, name: str, plan: list[tuple[str, str, int]], people: int, chance: random.Random
) -> dict[str, Any]:
    refused = people // 40
    steps = _steps(plan, people - refused, chance)
    replied, left = sum(each["replied"] for each in steps), people - refused
    outcomes = {
        "replied": replied * 8 // 10,
        "meeting_booked": replied - replied * 8 // 10,
        "unsubscribed": left // 60,
        "bounced": left // 45,
        "blocked": left // 90,
        "ongoing": left // 25,
        "refused": refused,
    }
    outcomes = {"completed": people - sum(outcomes.values()), **outcomes}
    last = plan[-1][2] * 24.0
    return {
        "key": key, "name": name, "enrollments": people, "outcomes": {each: n for each, n in outcomes.items() if n},
        "people": _people(outcomes, steps[-1]["replied"]),
        "blocked": {"delivery_failed": outcomes["blocked"]} if outcomes["blocked"] else {},
        "refused": {"already_enrolled": refused} if refused else {},
        "time_to_finish": {"count": outcomes["completed"], "median_hours": last + 9.25, "p90_hours": last * 1.3 + 60},
        "steps": steps,
    }  # fmt: skip


def _people(outcomes: Mapping[str, int], after: int) -> dict[str, int]:
    """Who answers, so many of them after the end."""
    return {
        "replied": outcomes["replied"] + after, "replied_after_end": after,
        "meeting_booked": outcomes["meeting_booked"], "completed_unanswered": outcomes["completed"] - after,
    }  # fmt: skip


def _actor(actor_id: int | str, days: list[date], weight: float, cap: int, chance: random.Random) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    capped = []
    for at, each in enumerate(days):
        if each.weekday() >= 5:
            continue
        season = 0.35 + 0.65 * min(1, at / 8) * max(0.25, 1 - at / (len(days) * 1.15))
        emails = min(cap, int(weight * season * chance.uniform(0.7, 1.4)))
        if emails == cap:
            capped.append(each.isoformat())
        tasks = int(weight * season * chance.uniform(0.1, 0.35))
        done = int(tasks * chance.uniform(0.6, 1))
        late = chance.randint(0, 3) if tasks > 4 else 0
        waits = int(emails * 0.15) if emails == cap else 0
        if emails or tasks:
            counts = {"emails": emails, "tasks": tasks, "tasks_completed": done, "overdue": late, "deferred": waits}
            rows.append({"date": each.isoformat(), **counts})
    sums = {
        each: sum(row[each] for row in rows) for each in ("emails", "tasks", "tasks_completed", "overdue", "deferred")
    }
    return {
        "actor_id": actor_id, "enrollments": max(1, sums["emails"] // 4), **sums,
        "most_emails": max((row["emails"] for row in rows), default=0),
        "most_tasks": max((row["tasks"] for row in rows), default=0), "cap_days": capped, "per_day": rows,
    }  # fmt: skip


def _answer(
    plans: list[tuple[str, str, list[Any]]], people: int, start: date, length: int, actors: int, cap: int
) -> dict[str, Any]:
    chance = random.Random(length * 1000 + actors)
    days = [start + timedelta(days=each) for each in range(length)]
    sequences = [_sequence(*each, people // len(plans), chance) for each in plans]
    per_actor = [
        _actor(at if at % 9 else f"team-{at}@example.com", days, cap * chance.betavariate(4, 3.2), cap, chance)
        for at in range(1, actors + 1)
    ]
    by_day = {each.isoformat(): dict.fromkeys(_DAY_COUNTS, 0) for each in days}
    for actor in per_actor:
        for row in actor["per_day"]:
            for key, count in row.items():
                if key != "date":
                    by_day[row["date"]][key] += count
    for row in by_day.values():
        row["replied"] = int(row["emails"] * chance.uniform(0.01, 0.04))
        row["enrolled"] = row["emails"] // 4
        row["finished"] = row["emails"] // 5
    per_day: list[dict[str, Any]] = [{"date": each, **row} for each, row in by_day.items()]
    steps = [step for each in sequences for step in each["steps"]]
    for key in ("overdue", "deferred"):
        known, wanted = sum(step[key] for step in steps) or 1, sum(row[key] for row in per_day)
        for step in steps:
            step[key] = step[key] * wanted // known
    outcomes: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for each in sequences:
        outcomes.update(each["outcomes"])
        answered.update(each["people"])
    emails = sum(row["emails"] for row in per_day)
    shape = [0, 0, 0, 0, 0, 0, 0, 0, 6, 22, 17, 11, 6, 9, 12, 8, 5, 3, 1, 0, 0, 0, 0, 0]
    week = [1.25, 1.1, 1, 0.95, 0.7, 0, 0.02]
    sends = [[int(emails * of_day * of_hour / 500) for of_hour in shape] for of_day in week]
    totals = {key: sum(row[key] for row in per_day) for key in _DAY_COUNTS}
    totals |= {key: sum(step[key] for each in sequences for step in each["steps"]) for key in ("failed", "skipped")}
    return {
        "enrollments": sum(outcomes.values()), "seed": 7, "runs": 1, "scenario": "Spring",
        "start": datetime(start.year, start.month, start.day, 7).isoformat() + "Z",
        "ended_at": (datetime(start.year, start.month, start.day, 15) + timedelta(days=length - 1)).isoformat() + "Z",
        "until": None, "timezone": "Europe/Warsaw",
        "sequences": [{"key": key, "name": name, "steps_total": len(plan)} for key, name, plan in plans],
        "outcomes": dict(outcomes.most_common()), "people": dict(answered), "totals": totals, "per_day": per_day,
        "per_sequence": sequences, "per_actor": per_actor, "sends": sends, "assumptions": _ASSUMPTIONS,
        "intervals": None, "compare": None,
    }  # fmt: skip


_ASSUMPTIONS = [
    {"name": name, "says": says, "default": default}
    for name, says, default in (
        ("tasks", "tasks are done, from when they are on the desk: half within 4 hours, 90 % within a day", True),
        ("never", "2 % of tasks are never done", False),
        ("replied", "3 % of first mails, 2 % of second, 1 % of later ones are replied to, half within 5 hours", True),
        ("bounced", "1.5 % of first mails bounce", True),
        ("caps", "a sender has 80 mails in 24 hours; what is more waits", False),
        ("blocked", "what is blocked stays blocked", True),
    )
]


def mapped(value: Any, change: Callable[[float, random.Random], Any], chance: random.Random, key: str = "") -> Any:
    """The sections again, with each number changed; what only says what a row is about stays."""
    if isinstance(value, Mapping):
        return {
            name: each if name in {"date", "key", "name", "what", "action_type", "position", "actor_id", "account"}
            else mapped(each, change, chance, name)
            for name, each in value.items()
        }  # fmt: skip
    if key == "cap_days":
        return change(len(value), chance)
    if isinstance(value, list):
        return [mapped(each, change, chance) for each in value]
    return None if value is None else change(value, chance)


_SECTIONS = ("outcomes", "people", "totals", "per_day", "per_sequence", "per_actor", "sends")


def spread(value: float, chance: random.Random) -> dict[str, float]:
    apart = value * chance.uniform(0.05, 0.3) + (1 if value else 0)
    return {
        "mean": round(value * chance.uniform(0.95, 1.05), 4),
        "low": round(max(0, value - apart), 4),
        "high": round(value + apart, 4),
    }


def beside(value: float, chance: random.Random) -> dict[str, float]:
    apart = value * chance.gauss(0.05, 0.12)
    wide = value * chance.uniform(0.02, 0.16) + (1 if value else 0)
    return {
        "this": round(value, 4), "other": round(value + apart, 4), "difference": round(apart, 4),
        "low": round(apart - wide, 4), "high": round(apart + wide, 4),
    }  # fmt: skip


def small() -> dict[str, Any]:
    """One sequence, a month, three senders."""
    return _answer([("inbound", "Inbound follow-up", _INBOUND)], 1204, date(2026, 3, 23), 31, 3, 60)


def long() -> dict[str, Any]:
    """Three sequences, 500 days, 40 senders."""
    plans = [
        ("inbound", "Inbound follow-up", _INBOUND),
        ("cold", "Cold outbound", _OUTBOUND),
        ("renewal", "Renewal", _RENEWAL),
    ]
    return _answer(plans, 180_000, date(2026, 1, 12), 500, 40, 80)


def many() -> dict[str, Any]:
    """One sequence, ten weeks, 400 senders."""
    return _answer([("cold", "Cold outbound", _OUTBOUND)], 96_000, date(2026, 10, 26), 70, 400, 50)


def compared() -> dict[str, Any]:
    """Twenty runs with their intervals, beside another design."""
    plans = [("inbound", "Inbound follow-up", _INBOUND), ("cold", "Cold outbound", _OUTBOUND)]
    answer = _answer(plans, 4800, date(2026, 3, 23), 45, 6, 80)
    sections = {key: answer[key] for key in _SECTIONS}
    answer["runs"] = 20
    answer["intervals"] = mapped(sections, spread, random.Random(1))
    answer["compare"] = {"with": "shorter.yaml", "runs": 20, **mapped(sections, beside, random.Random(2))}
    return answer


SAMPLES: dict[str, Callable[[], dict[str, Any]]] = {"small": small, "long": long, "many": many, "compared": compared}


def main(folder: str) -> None:
    """Write each sample as a page."""
    for name, made in SAMPLES.items():
        write(made(), Path(folder) / f"{name}.html")


if __name__ == "__main__":
    main(sys.argv[1])
