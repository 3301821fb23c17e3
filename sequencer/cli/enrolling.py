"""`enroll`: a definition and a file of leads become enrollments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from sequencer.cli.addressees import Lacking, lacking, misspelt
from sequencer.cli.files import read_definition
from sequencer.cli.moments import odd_clock
from sequencer.cli.options import Commands, add_command, identifier
from sequencer.cli.output import Output, Table, bad
from sequencer.cli.places import opened
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import (
    AlreadyEnrolled,
    DefinitionError,
    InvalidInput,
    KeyReused,
    Problem,
    SequencerError,
    Suppressed,
)
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.core.values import Identifier
from sequencer.definitions import Lead, read_leads
from sequencer.engine.clock import SystemClock
from sequencer.engine.engine import Engine
from sequencer.engine.results import Row

__all__ = ["register"]

_BATCH = 1000
_MOST_SHOWN = 5
_CODES: dict[type, str] = {AlreadyEnrolled: "already_enrolled", Suppressed: "suppressed", KeyReused: "key_reused"}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "enroll",
        _enroll,
        "enroll the leads of a CSV file into a sequence",
        example="sequencer enroll inbound-follow-up.yaml --leads leads.csv --db crm.db",
        more=(
            "Columns: resource_type and resource_id; if you like email, timezone, actor_id, account, start_at,\n"
            "enrolled_at, idempotency_key; every other column is a merge field. A file with a mistake in it is\n"
            "refused whole (exit status 2). Who is enrolled already, or has opted out, is refused row by row (1).\n"
            "\n"
            "Where leads lack an address, or a field that the texts ask for, or a column looks like another spelling\n"
            "of one that nobody has, nobody is enrolled (1). --anyway enrolls them all the same: where the worker\n"
            "looks people up elsewhere, or `sequencer update` will mend them before their step is due.\n"
            "\n"
            "Everybody starts now, or at start_at if that lies ahead. enrolled_at in the past is history and moves\n"
            "nothing; where it lies ahead and there is no start_at, it is when the lead starts. A date in them is\n"
            "its beginning."
        ),
    )
    parser.add_argument("file", metavar="FILE", help="a definition, YAML or JSON")
    parser.add_argument("--leads", metavar="CSV", required=True, help="whom to enroll")
    parser.add_argument(
        "--anyway", action="store_true", help="enroll also if leads lack an address or a field that texts ask for"
    )
    parser.add_argument("--actor", metavar="ID", help="in whose name, where a row has no actor_id")


_Refusals = list[tuple[Lead, str, str, int | None]]
"""Leads that were not enrolled, each with a code, a message, and the enrollment that is in its way."""


@attrs.frozen
class _Given:
    """A lead, and the row that it is for the engine."""

    lead: Lead
    row: Row


@attrs.define
class _Enrolled:
    """What has become of the leads so far."""

    made: list[tuple[Lead, Enrollment]] = attrs.Factory(list)
    repeated: list[tuple[Lead, Enrollment]] = attrs.Factory(list)
    refused: list[tuple[Lead, SequencerError]] = attrs.Factory(list)


def _enroll(arguments: argparse.Namespace, out: Output) -> int:
    sequence = read_definition(arguments.file)
    leads = read_leads(arguments.leads, timezone=sequence.calendar.timezone)
    actor_id = None if arguments.actor is None else identifier(arguments.actor, "--actor")
    now = SystemClock().now()
    given = _given(arguments.leads, sequence, leads, actor_id, now)
    for note in (*_odd_types(leads), *_odd_starts(leads, sequence.calendar.timezone, now)):
        out.aside(f"{arguments.leads}:{note}")
    unfit = lacking(sequence, leads)
    odd = misspelt(sequence, leads, but=() if actor_id is None else ("actor_id",))
    if unfit or odd:
        _tell(arguments.leads, leads, unfit, odd, out)
        if not arguments.anyway:
            return _refuse(arguments.leads, sequence, leads, unfit, out)
    enrolled = _Enrolled()
    with opened(arguments, create=True) as engine, out.progress("enrolling", len(given)) as progress:
        now = engine.clock.now()
        for account, batch in _batches(given):
            bound = engine if account is None else engine.account(account)
            _enroll_batch(bound, sequence, batch, now, enrolled)
            progress.advance(len(batch))
    _answer(out, sequence, leads, enrolled, now)
    return 1 if enrolled.refused else 0


def _tell(file: str, leads: list[Lead], unfit: list[Lacking], odd: dict[str, str], out: Output) -> None:
    """Who could not be mailed, and which columns are probably called otherwise."""
    for column, name in odd.items():
        out.aside(f"{file}:1: {column} is a merge field that no text asks for, and nobody has {name}; did you mean it?")
    for each in unfit[:_MOST_SHOWN]:
        out.aside(f"{file}:{each.lead.line}: {each}")
    if unfit:
        more = f" ({len(unfit) - _MOST_SHOWN} more are not shown)" if len(unfit) > _MOST_SHOWN else ""
        out.aside(f"{len(unfit)} of {len(leads)} leads lack what their mails and tasks need{more}")


def _odd_types(leads: list[Lead]) -> Iterator[str]:
    """Where a type is spelt in two ways: whoever is under both is two people."""
    first: dict[str, Lead] = {}
    said: set[str] = set()
    for lead in leads:
        other = first.setdefault(lead.resource_type.casefold(), lead)
        if other.resource_type != lead.resource_type and lead.resource_type not in said:
            said.add(lead.resource_type)
            yield (
                f"{lead.line}: {lead.resource_type} is another type than {other.resource_type} in line {other.line}, "
                "and whoever is under both is two people; did you mean one?"
            )


def _odd_starts(leads: list[Lead], timezone: str, now: datetime) -> Iterator[str]:
    """Where the clocks skip the local time at which somebody is to start, or show it twice: the first few."""
    found = 0
    for lead in leads:
        name = "start_at" if lead.start_at is not None else "enrolled_at"
        start = lead.start_at or lead.enrolled_at
        note = odd_clock(lead.typed[name], lead.timezone or timezone, start) if start and start > now else None
        found += note is not None
        if note is not None and found <= _MOST_SHOWN:
            yield f"{lead.line}: {name}: {note}"
    if found > _MOST_SHOWN:
        yield f" {found - _MOST_SHOWN} more start at such times"


def _refuse(file: str, sequence: Sequence, leads: list[Lead], unfit: list[Lacking], out: Output) -> int:
    """Nobody is enrolled; the answer as data names everybody for whom."""
    missing: _Refusals = [(each.lead, "missing_merge_data", str(each), None) for each in unfit]
    out.document(_document(sequence, leads, [], [], missing))
    out.aside(f"sequencer enroll: nobody was enrolled: mend {file}, or see --anyway in sequencer enroll --help")
    return 1


def _given(
    file: str, sequence: Sequence, leads: list[Lead], actor_id: Identifier | None, now: datetime
) -> list[_Given]:
    """The rows, every one of them valid; else nothing is stored at all (law S6)."""
    given: list[_Given] = []
    problems: list[Problem] = []
    for lead in leads:
        try:
            resource = Resource(lead.resource_type, lead.resource_id, lead.email, lead.fields, lead.timezone)
            row = Row(
                resource,
                actor_id if lead.actor_id is None else lead.actor_id,
                None,
                lead.start_at or lead.enrolled_at,
                lead.idempotency_key,
            )
            if row.start_at is not None and row.start_at > now:
                # Only a start that lies ahead can lead a timeline out of the years that there are (T11).
                plan(sequence, row.start_at, timezone=lead.timezone, reasons=False)
        except InvalidInput as error:
            problems.append(Problem(error.code, error.message, error.path, file, lead.line, 1))
            continue
        given.append(_Given(lead, row))
    if problems:
        raise DefinitionError(problems)
    return given


def _batches(given: list[_Given]) -> Iterator[tuple[Identifier | None, list[_Given]]]:
    accounts: dict[tuple[type, Identifier | None], list[_Given]] = {}
    for each in given:
        # 7 and "7" are two accounts.
        accounts.setdefault((type(each.lead.account), each.lead.account), []).append(each)
    for (_, account), mine in accounts.items():
        for start in range(0, len(mine), _BATCH):
            yield account, mine[start : start + _BATCH]


def _enroll_batch(engine: Engine, sequence: Sequence, batch: list[_Given], now: datetime, enrolled: _Enrolled) -> None:
    result = engine.enroll_many(sequence, [each.row for each in batch])
    refused = {each.row for each in result.refused}
    enrolled.refused += [(batch[each.row].lead, each.error) for each in result.refused]
    remaining = (each.lead for i, each in enumerate(batch) if i not in refused)
    for lead, enrollment in zip(remaining, result.enrolled, strict=True):
        # An enrollment from before was made by the same idempotency key.
        (enrolled.repeated if enrollment.created_at < now else enrolled.made).append((lead, enrollment))


def _document(
    sequence: Sequence,
    leads: list[Lead],
    made: list[tuple[Lead, Enrollment]],
    repeated: list[tuple[Lead, Enrollment]],
    refused: _Refusals,
) -> dict[str, Any]:
    """The answer as data."""

    def of(lead: Lead, **more: Any) -> dict[str, Any]:
        return {"line": lead.line, "resource_type": lead.resource_type, "resource_id": lead.resource_id, **more}

    return {
        "sequence": sequence.key,
        "rows": len(leads),
        "enrolled": [of(lead, id=each.id) for lead, each in made],
        "repeated": [of(lead, id=each.id) for lead, each in repeated],
        "refused": [
            of(lead, code=code, message=message, existing_id=existing_id)
            for lead, code, message, existing_id in refused
        ],
    }


def _rows(leads: list[Lead]) -> str:
    """How many rows, and where the first of them are."""
    if len(leads) == 1:
        return f"1 row (line {leads[0].line})"
    more = "" if len(leads) <= _MOST_SHOWN else f" and {len(leads) - _MOST_SHOWN} more"
    return f"{len(leads)} rows (lines {', '.join(str(each.line) for each in leads[:_MOST_SHOWN])}{more})"


def _answer(out: Output, sequence: Sequence, leads: list[Lead], enrolled: _Enrolled, now: datetime) -> None:
    refused = [
        (lead, _CODES.get(type(error), "refused"), str(error), getattr(error, "existing_id", None))
        for lead, error in enrolled.refused
    ]
    out.document(_document(sequence, leads, enrolled.made, enrolled.repeated, refused))
    out.say(f"enrolled {len(enrolled.made)} of {len(leads)} in {sequence.name}", "green")
    if enrolled.repeated:
        out.say(f"{len(enrolled.repeated)} were enrolled before under the same idempotency key", "yellow")
    history = [lead for lead in leads if lead.enrolled_at is not None and lead.enrolled_at <= now]
    if history:
        out.say(f"enrolled_at lies in the past in {_rows(history)}: history, nobody starts there", "dim")
    begun = [lead for lead in leads if lead.start_at is not None and lead.start_at <= now]
    if begun:
        out.say(f"start_at lies in the past in {_rows(begun)}, and is taken as now", "dim")
    ahead = [lead for lead in leads if lead.enrolled_at is not None and lead.enrolled_at > now and not lead.start_at]
    if ahead:
        out.say(f"enrolled_at lies ahead in {_rows(ahead)}, and is taken as the start", "dim")
    if enrolled.refused:
        out.say(f"refused {len(enrolled.refused)}:", "bold red")
        table = Table([">line", "resource", "why"])
        for lead, error in enrolled.refused:
            table.add(lead.line, f"{lead.resource_type} {lead.resource_id}", bad(error))
        out.table(table)
