"""What a simulation takes for granted, in sentences: everything that its scenario says, also by default.

Each field of a scenario has its part in one of the sentences, so that who reads an answer need not read the scenario.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sequencer.core.instants import to_iso
from sequencer.core.pacing import Cap
from sequencer.simulation.notation import write_elapsed
from sequencer.simulation.scenario import (
    REACTIONS,
    Arrivals,
    Desk,
    Leave,
    Mails,
    Outage,
    Reaction,
    Scenario,
    StepName,
    TaskHabits,
    Tasks,
)
from sequencer.simulation.spans import Span

__all__ = ["Assumption", "assumptions"]

_DOES = {
    "replied": "are replied to",
    "meeting_booked": "lead to a meeting",
    "unsubscribed": "make somebody opt out",
    "bounced": "bounce",
    "converted": "lead to a conversion",
    "out_of_office": "are answered by an out-of-office note",
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ELAPSED = {"hours": "hour", "minutes": "minute", "seconds": "second"}
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@attrs.frozen
class Assumption:
    """One thing that is taken for granted: its name, what is so in a sentence, and whether it is so by default."""

    name: str
    says: str
    default: bool


def assumptions(scenario: Scenario, *, leads: int) -> list[Assumption]:
    """What a simulation of so many leads takes for granted in this scenario, in the order of its file.

    Names are unique, and the same for every scenario.
    """
    said, usual = list(_sentences(scenario, leads)), dict(_sentences(Scenario(), leads))
    return [Assumption(name, says, default=says == usual[name]) for name, says in said]


def _sentences(scenario: Scenario, leads: int) -> Iterator[tuple[str, str]]:
    mails, tasks, worker, caps = scenario.mails, scenario.tasks, scenario.worker, scenario.caps
    yield "scenario", f"the scenario is called {scenario.name}"
    yield "actors", _actors(scenario, leads)
    yield "timezones", _timezones(scenario.timezones)
    yield "arrive", _arrive(scenario.arrivals)
    yield "tasks", f"tasks are done, from when they are on the desk: {_when(tasks.take)}"
    yield (
        "never",
        f"{_percent(tasks.never)} of tasks are never done" if tasks.never else "every task is done in the end",
    )
    yield "desk", _desk(tasks.desk)
    yield "leave", _joined("nobody is on leave", [_leave(each) for each in tasks.leave])
    yield "tasks_of_steps", _joined("tasks are alike in all steps", _task_steps(tasks))
    for kind in REACTIONS:
        yield kind, _reaction(kind, mails.reactions[kind])
    yield "mails_of_steps", _joined("mails are answered alike in all steps", _mail_steps(mails))
    yield "refused", f"{_of(mails.refused, 'mails')} are refused for good by the recipient's server"
    yield "deferred", f"{_of(mails.deferred, 'attempts')} to hand a mail over are refused for now"
    yield (
        "seasons",
        _joined(
            "good answers (replies, meetings, conversions) are as likely on every date",
            [
                f"from {each.first} to {each.last} good answers are {each.times:.10g} times as likely"
                for each in mails.seasons
            ],
        ),
    )
    yield (
        "outages",
        _joined("the mailer never fails as a whole", [_outage("the mailer is out", each) for each in mails.outages]),
    )
    yield (
        "downtime",
        _joined("the worker always runs", [_outage("the worker is down", each) for each in worker.downtime]),
    )
    yield "catch_up", _catch_up(scenario)
    yield "caps", f"each actor sends {_cap(caps.default)}"
    yield (
        "caps_of_actors",
        _joined(
            "the cap is the same for all actors",
            [f"actor {name!r} sends {_cap(each)}" for name, each in sorted(caps.actors.items(), key=_in_order)],
        ),
    )
    yield "blocked", _blocked(scenario)


def _joined(none: str, several: list[str]) -> str:
    return "; ".join(several) or none


def _in_order(pair: tuple[Any, Any]) -> tuple[bool, Any]:
    return isinstance(pair[0], str), pair[0]


def _percent(share: float) -> str:
    return f"{share * 100:.10g} %" if share else "none"


def _of(share: float, what: str) -> str:
    return f"{_percent(share)} of {what}" if share else f"no {what}"


def _when(span: Span) -> str:
    """How long after something: words that follow a colon."""
    if len(span.points) > 2 or span.points[-1][0] not in (0, 1) or span.points[0][0] != 0:
        return str(span)
    return f"after {span}" if span.points[-1][1] else "at once"


def _number(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


# -- who ------------------------------------------------------------------------------------------------------


def _actors(scenario: Scenario, leads: int) -> str:
    rule = scenario.actors
    says = f"leads that name no actor belong to {_number(rule.among(leads), 'actor')}"
    return says if rule.leads_each is None else f"{says}, one for each {_number(rule.leads_each, 'lead')}"


def _timezones(weights: Mapping[str, float]) -> str:
    if not weights:
        return "leads that name no time zone live in the sequence's"
    whole = sum(weights.values())
    several = ", ".join(f"{each / whole * 100:.4g} % live in {name}" for name, each in weights.items())
    return f"of leads that name no time zone, {several}"


def _arrive(rule: Arrivals) -> str:
    days = "on the first day" if rule.over_days == 1 else f"within {rule.over_days} days"
    return f"synthetic leads are enrolled {days}, on {_hours(rule)} of the sequence's zone"


def _hours(rule: Arrivals | Desk) -> str:
    return f"{_days(rule.days)} from {rule.opens} to {rule.closes}"


def _days(days: tuple[str, ...]) -> str:
    first, last = _WEEK.index(days[0]), _WEEK.index(days[-1])
    if len(days) > 2 and last - first == len(days) - 1:
        return f"{days[0]} to {days[-1]}"
    return ", ".join(days)


# -- tasks ----------------------------------------------------------------------------------------------------


def _desk(desk: Desk) -> str:
    zone = "the sequence's zone" if desk.timezone is None else desk.timezone
    return f"people sit at the desk on {_hours(desk)}, {zone}"


def _leave(leave: Leave) -> str:
    who = "everybody" if leave.actor is None else f"actor {leave.actor!r}"
    when = f"on {leave.first}" if leave.first == leave.last else f"from {leave.first} to {leave.last}"
    return f"{who} is on leave {when}"


def _step(name: StepName) -> str:
    return f"step {name!r}"


def _task_steps(tasks: Tasks) -> list[str]:
    return [f"{_step(name)}: {_habits(each)}" for name, each in sorted(tasks.steps.items(), key=_in_order)]


def _habits(habits: TaskHabits) -> str:
    parts = [] if habits.take is None else [f"tasks are done {_when(habits.take)}"]
    if habits.never is not None:
        parts.append(f"{_of(habits.never, 'tasks')} are never done")
    return ", ".join(parts) or "as the others"


# -- mails ----------------------------------------------------------------------------------------------------


def _reaction(kind: str, reaction: Reaction) -> str:
    if not any(reaction.chance):
        return f"no mails {_DOES[kind]}"
    away = ""
    if kind == "out_of_office":
        away = ", nobody says until when" if reaction.away is None else f", away for {reaction.away}"
    return f"{_chances(reaction.chance)} {_DOES[kind]}: {_when(reaction.after)}{away}"


def _chances(chances: tuple[float, ...]) -> str:
    if len(chances) == 1:
        return _of(chances[0], "mails")
    *earlier, last = (_percent(each) for each in chances)
    parts = [f"{each} of {_ordinal(i)}{' mails' if i == 0 else ''}" for i, each in enumerate(earlier)]
    return f"{', '.join(parts)}, {last} of later ones"


def _ordinal(i: int) -> str:
    return _ORDINALS[i] if i < len(_ORDINALS) else f"no. {i + 1}"


def _mail_steps(mails: Mails) -> list[str]:
    return [
        f"{_step(name)}: " + (" and ".join(_reaction(kind, each) for kind, each in given.items()) or "as the others")
        for name, given in sorted(mails.steps.items(), key=_in_order)
    ]


def _outage(what: str, outage: Outage) -> str:
    return f"{what} from {to_iso(outage.begins)} to {to_iso(outage.ends)}"


# -- what runs the engine -------------------------------------------------------------------------------------


def _elapsed(span: Any) -> str:
    ((unit, n),) = write_elapsed(span).items()
    return f"{n:.10g} {_ELAPSED[unit]}{'' if n == 1 else 's'}"


def _catch_up(scenario: Scenario) -> str:
    rule = scenario.worker.catch_up
    if rule is None:
        return "what is overdue after downtime is not spread"
    seed = f", with the seed {rule.seed}" if rule.seed else ""
    return f"what is overdue by more than {_elapsed(rule.after)} is spread over {_elapsed(rule.over)}{seed}"


def _cap(cap: Cap | None) -> str:
    if cap is None:
        return "any number of mails"
    pauses = [f"{_elapsed(cap.gap)} apart"] if cap.gap else []
    if cap.jitter:
        pauses.append(f"up to {_elapsed(cap.jitter)} later by chance")
    exceeding = "what exceeds it waits" if cap.exceeding == "wait" else "what exceeds it is blocked"
    return ", ".join([f"at most {_number(cap.emails, 'mail')} in {_elapsed(cap.per)}", *pauses, exceeding])


def _blocked(scenario: Scenario) -> str:
    rule = scenario.blocked
    if rule.then == "leave":
        return "an enrollment that a failure has blocked is left as it is"
    often = f", {_number(rule.tries, 'time')} at the most" if rule.then == "retry" else ""
    verb = f"resumed to try again{often}" if rule.then == "retry" else "resumed without the step"
    return f"an enrollment that a failure has blocked is {verb}: {_when(rule.after)}"
