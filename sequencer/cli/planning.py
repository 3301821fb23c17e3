"""`plan`: what a definition would do, before anybody is enrolled."""

from __future__ import annotations

import argparse
import csv
import io

import attrs
from pendulum import DateTime

from sequencer.cli.files import read_definition
from sequencer.cli.moments import clock_time, odd_clock, to_moment
from sequencer.cli.options import Commands, Refusal, add_command, zone_option
from sequencer.cli.output import Output, Table, dim, strong
from sequencer.core.calendar import Calendar
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_iso, to_local_iso, to_zone
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.core.timeline import PlannedStep, Timeline, plan
from sequencer.engine.clock import SystemClock

__all__ = ["register", "what"]


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "plan",
        _plan,
        "when each step of a sequence would happen",
        example=(
            "sequencer plan inbound-follow-up.yaml --start 2026-03-27T16:30 --timezone Europe/Berlin --why\n"
            "sequencer plan inbound-follow-up.yaml --start 2026-03-27T15:30:00Z --json\n"
            "sequencer plan inbound-follow-up.yaml --start 2026-03-27T16:30 --ics > plan.ics"
        ),
        more="Day 1 is the day of the start; working days are counted from there, too.",
        db=False,
    )
    parser.add_argument("file", metavar="FILE", help="a definition, YAML or JSON")
    parser.add_argument(
        "--start", metavar="WHEN", help="ISO 8601; without an offset it is local time in the zone (default: now)"
    )
    zone_option(parser, "on the clock of this zone (default: the definition's)")
    parser.add_argument(
        "--done",
        metavar="STEP=WHEN",
        action="append",
        default=[],
        help="when the task of a step is done (default: when planned); repeatable",
    )
    parser.add_argument("--why", action="store_true", help="give the reasons behind each moment")
    parser.add_argument("--csv", action="store_true", help="answer with comma-separated values")
    parser.add_argument("--ics", action="store_true", help="answer with iCalendar, one event a step")


def what(step: Step) -> str:
    """What a step does, in a few words."""
    action = step.action
    if isinstance(action, Task):
        return action.task_content
    return f"mail {action.template_id}" + (", as a reply" if action.is_reply else "")


def _plan(arguments: argparse.Namespace, out: Output) -> int:
    answers = [f"--{name}" for name in ("json", "csv", "ics") if getattr(arguments, name)]
    if len(answers) > 1:
        raise Refusal(f"{' and '.join(answers)} are different answers; ask for one of them")
    sequence = read_definition(arguments.file)
    calendar = sequence.calendar if arguments.timezone is None else sequence.calendar.in_zone(arguments.timezone)
    note = None
    if arguments.start is None:
        start = SystemClock().now().replace(microsecond=0)
    else:
        start = to_moment(arguments.start, calendar.timezone, "--start")
        note = odd_clock(arguments.start, calendar.timezone, start)
    done = _done(arguments.done, calendar.timezone)
    try:
        timeline = plan(sequence, start, timezone=calendar.timezone, done=done)
    except InvalidInput as error:
        if not error.path.startswith("done"):
            raise
        raise Refusal(f"--done: {error.message}") from None
    if note is not None:
        out.aside(f"sequencer plan: --start: {note}")
        first, *others = timeline
        timeline = attrs.evolve(timeline, steps=(attrs.evolve(first, reasons=(note, *first.reasons)), *others))
    if arguments.json:
        document = timeline.to_dict()
        for planned, step in zip(timeline, document["steps"], strict=True):
            step["day"], step["working_day"] = day_numbers(calendar, timeline, planned)
        out.document(document)
    elif arguments.ics:
        from sequencer.cli.appointments import calendar_of_plan, refuse_without_extra

        refuse_without_extra()
        out.raw(calendar_of_plan(sequence, timeline))
    elif arguments.csv:
        out.stdout.write(_csv(calendar, timeline, why=arguments.why))
    else:
        _show(out, sequence, calendar, timeline, why=arguments.why)
    return 0


def _done(given: list[str], timezone: str) -> dict[int, DateTime]:
    done: dict[int, DateTime] = {}
    for text in given:
        step, equals, when = text.partition("=")
        if not equals or not step.isdecimal() or not step.isascii():
            raise Refusal(f"--done: needs a step and a moment, like 2=2026-03-27T16:30, got {text!r}")
        if int(step) in done:
            raise Refusal(f"--done: says twice when step {int(step)} is done")
        done[int(step)] = to_moment(when, timezone, "--done")
    return done


def day_numbers(calendar: Calendar, timeline: Timeline, planned: PlannedStep) -> tuple[int, int]:
    """Which day and which working day a step is on, counted from the day of the start as 1."""
    first, day = calendar.local(timeline.started_at).date(), calendar.local(planned.estimated_execute_at).date()
    working = calendar.working_days_between(timeline.started_at, planned.estimated_execute_at)
    return (day - first).days + 1, working + calendar.is_working_day(first)


def _show(out: Output, sequence: Sequence, calendar: Calendar, timeline: Timeline, *, why: bool) -> None:
    zone = calendar.timezone
    out.say(f"{sequence.name}, started {clock_time(timeline.started_at, zone)} in {zone}", "bold")
    out.say()
    table = Table([">step", "what", "?after", ">day", ">working day", "=local time", "=UTC"])
    for planned in timeline:
        day, working_day = day_numbers(calendar, timeline, planned)
        at = planned.estimated_execute_at
        table.add(
            planned.position,
            what(planned.step) + (f" (done {clock_time(planned.done_at, zone)})" if planned.done_at else ""),
            str(planned.step.after),
            day,
            working_day,
            strong(f"{clock_time(at, zone)} {to_zone(at, zone):%Z}"),
            dim(clock_time(at, "UTC").partition(" ")[2]),
        )
    out.table(table)
    if why:
        for planned in timeline:
            out.say()
            out.say(f"Step {planned.position}: {what(planned.step)}", "bold")
            for reason in planned.reasons:
                out.say(f"  - {reason}")


def _csv(calendar: Calendar, timeline: Timeline, *, why: bool) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["position", "action_type", "what", "delay_from_previous_step", "delay_from_previous_step_unit"]
    writer.writerow([*header, "day", "working_day", "local", "estimated_execute_at", *(["reasons"] if why else [])])
    for planned in timeline:
        step, at = planned.step, planned.estimated_execute_at
        writer.writerow(
            [
                planned.position,
                step.action.action_type,
                what(step),
                step.after.n,
                step.after.unit,
                *day_numbers(calendar, timeline, planned),
                to_local_iso(at, calendar.timezone),
                to_iso(at),
                *(["; ".join(planned.reasons)] if why else []),
            ]
        )
    return text.getvalue()
