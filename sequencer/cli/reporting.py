"""`signal` and `suppress`: what happened outside, told by hand or by a script."""

from __future__ import annotations

import argparse
from typing import Any

import attrs

from sequencer.cli.moments import clock_time, to_moment, to_return
from sequencer.cli.options import (
    Commands,
    add_command,
    identifier,
    positive,
    resource_option,
    to_id,
    typed_resource,
    zone_option,
)
from sequencer.cli.output import Output, Table, dim
from sequencer.cli.places import opened
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_iso
from sequencer.core.signals import OUTSIDE, Answer, Report

__all__ = ["register"]

KINDS: dict[str, type] = {**OUTSIDE, **{each.kind: each for each in Answer.__args__}}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "signal",
        _signal,
        "report what happened outside: a reply, a bounce, an opt-out, a port's late answer",
        example=(
            "sequencer signal replied --db crm.db --key m-1 --email ada@example.com\n"
            "sequencer signal out_of_office --db crm.db --key m-2 --enrollment 17 --until 2026-04-13\n"
            "sequencer signal email_sent --db crm.db --key m-3 --effect-key 5f2c-17-0-0 --message-id '<a@b>'"
        ),
        more=(
            "The sequence's policy says what a report does. Each report has a key of its own: the same key again\n"
            "changes nothing. What happened to a person names whom: by enrollment, resource, address, or the\n"
            "mailer's ids. A port's answer names its step: by effect key, provider id or task."
        ),
    )
    parser.add_argument("kind", metavar="KIND", choices=list(KINDS), help=f"one of {', '.join(KINDS)}")
    parser.add_argument("--key", required=True, help="the report's own key, so that it counts once")
    parser.add_argument("--at", metavar="WHEN", help="when it happened (default: now)")
    zone_option(parser, "the zone of moments without an offset (default: the enrollment's if one is named, else UTC)")
    whom = parser.add_argument_group("whom it concerns")
    whom.add_argument("--enrollment", metavar="ID", help="an enrollment")
    resource_option(whom, "--resource", "a lead or contact, as lead 42 or lead/42")
    whom.add_argument("--email", metavar="ADDRESS", help="an address")
    whom.add_argument("--message-id", metavar="ID", help="the id of a mail")
    whom.add_argument("--provider-id", metavar="ID", help="the mailer's own id of a mail")
    whom.add_argument("--effect-key", metavar="KEY", help="the key under which a mail or task was handed over")
    whom.add_argument("--task", metavar="ID", dest="task_id", help="a task")
    more = parser.add_argument_group("more about it")
    more.add_argument("--until", metavar="WHEN", help="out_of_office: a date, or a moment")
    more.add_argument("--attempt", metavar="N", type=positive(1_000_000), help="answers: of which attempt")
    more.add_argument("--detail", metavar="TEXT", help="failures: in the port's words")
    more.add_argument("--reason", metavar="REASON", help="failures: like delivery_failed, quota_reached")
    more.add_argument("--permanent", action="store_true", default=None, help="failures: trying again will not help")
    more.add_argument("--temporary", dest="permanent", action="store_false", help="failures: trying again may help")
    more.add_argument("--recipient-fault", action="store_true", default=None, help="email_failed: a bad address")

    parser = add_command(
        commands,
        "suppress",
        _suppress,
        "send no more mail to an address; without one, list those that are suppressed",
        example="sequencer suppress ada@example.com --db crm.db\nsequencer suppress --db crm.db",
    )
    parser.add_argument("address", metavar="ADDRESS", nargs="?", help="the address")
    parser.add_argument("--lift", action="store_true", help="allow mail to it again")


def _signal(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        zone = arguments.timezone
        if zone is None and arguments.enrollment is not None:
            zone = engine.get(to_id(arguments.enrollment)).timezone
        handled = engine.handle(_report(arguments, zone or "UTC"))
    out.document({"changed": list(handled.changed), "repeated": handled.repeated})
    if handled.repeated:
        out.say("this key was handled before; nothing changed", "yellow")
    elif handled.changed:
        out.say(f"changed: enrollment {', '.join(map(str, handled.changed))}", "green")
    else:
        out.say("noted; it changed no enrollment", "yellow")
    if arguments.kind == "unsubscribed" and not handled.repeated:
        # Also where nobody is ongoing: an opt-out is about the address, and holds for what is enrolled later.
        out.say("`sequencer suppress` lists the addresses that get no more mail", "dim")
    return 0


def _report(arguments: argparse.Namespace, zone: str) -> Report:
    """The report that was typed. What its kind knows nothing of is refused: a report that says less helps nobody."""
    kind = KINDS[arguments.kind]
    given: dict[str, Any] = {
        "key": arguments.key,
        "at": arguments.at and to_moment(arguments.at, zone, "--at"),
        "enrollment_id": arguments.enrollment and to_id(arguments.enrollment),
        "resource": typed_resource(arguments.resource, "--resource"),
        "email": arguments.email,
        "message_id": arguments.message_id,
        "provider_id": arguments.provider_id,
        "effect_key": arguments.effect_key,
        "task_id": None if arguments.task_id is None else identifier(arguments.task_id, "--task"),
        "until": arguments.until and to_return(arguments.until, zone, "--until"),
        "attempt": arguments.attempt,
        "detail": arguments.detail,
        "reason": arguments.reason,
        "permanent": arguments.permanent,
        "recipient_fault": arguments.recipient_fault,
    }
    given = {name: value for name, value in given.items() if value is not None}
    known = {field.name for field in attrs.fields(kind)}
    strange = sorted(_OPTIONS.get(name, f"--{name.replace('_', '-')}") for name in given.keys() - known)
    if strange:
        raise InvalidInput(f"says nothing about {arguments.kind}", path=", ".join(strange), code="unknown_key")
    report: Report = kind(**given)
    return report


_OPTIONS = {"enrollment_id": "--enrollment", "task_id": "--task"}


def _suppress(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.address is None and arguments.lift:
        raise InvalidInput("needs the address that may be mailed again", path="--lift")
    with opened(arguments) as engine:
        if arguments.address is None:
            found = engine.suppressed()
            fields = [(each.address, to_iso(each.suppressed_at), each.reason) for each in found]
            out.document(
                {"suppressed": [dict(zip(("address", "suppressed_at", "reason"), f, strict=True)) for f in fields]}
            )
            table = Table(["address", "=since (UTC)", "reason"])
            for each in found:
                table.add(each.address or dim("(erased)"), clock_time(each.suppressed_at, "UTC"), each.reason)
            out.table(table, empty="No address is suppressed.")
            return 0
        lift = arguments.lift
        changed = engine.unsuppress(arguments.address) if lift else engine.suppress(arguments.address)
    out.document({"address": arguments.address, "suppressed": not lift, "changed": changed})
    done = "may be mailed again" if lift else "gets no more mail"
    already = "was not suppressed; nothing changed" if lift else "was suppressed already; nothing changed"
    out.say(f"{arguments.address} {done if changed else already}", "green" if changed else "yellow")
    return 0
