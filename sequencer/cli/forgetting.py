"""`erase` and `purge`: forgetting, a person or what is old."""

from __future__ import annotations

import argparse

from sequencer.cli.elsewhere import ELSEWHERE, is_elsewhere
from sequencer.cli.moments import to_moment
from sequencer.cli.options import Commands, add_command, identifier, named, positive, resource_arguments, zone_option
from sequencer.cli.output import Output
from sequencer.cli.places import opened
from sequencer.core.enrollment import Resource
from sequencer.core.instants import to_iso
from sequencer.core.values import respelled

__all__ = ["register"]

_BATCH = 500


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "erase",
        _erase,
        "forget what is personal of a lead or contact",
        example="sequencer erase lead 42 --db crm.db",
        more=(
            "Ongoing enrollments end as resource_deleted. Addresses, merge fields and texts go; histories and counts\n"
            "stay, and of suppressed addresses a keyed hash. It cannot be undone."
        ),
    )
    resource_arguments(parser)

    parser = add_command(
        commands,
        "purge",
        _purge,
        "delete enrollments that finished long ago, with their histories",
        example="sequencer purge --db crm.db --finished-before 2025-01-01",
        more="It cannot be undone.",
    )
    parser.add_argument("--finished-before", metavar="WHEN", required=True, help="delete what finished before")
    zone_option(parser, "the zone of WHEN if it names no offset (default: UTC)")
    parser.add_argument("--limit", metavar="N", type=positive(2**31), help="at most so many (default: all)")


def _erase(arguments: argparse.Namespace, out: Output) -> int:
    resource = Resource(arguments.type, identifier(arguments.id, "ID"))
    with opened(arguments) as engine:
        erased = engine.erase(resource)
        other = respelled(resource.id)
        elsewhere = not erased and is_elsewhere(engine, arguments)
        others = () if other is None else engine.enrollments(Resource(resource.type, other), limit=1)
    out.document({"resource_type": resource.type, "resource_id": resource.id, "enrollments": erased})
    name = named(resource.type, resource.id)
    if erased:
        out.say(f"forgot what was personal of {name}, in {erased} {'enrollment' if erased == 1 else 'enrollments'}")
    else:
        out.say(f"nothing is stored about {name}", "yellow")
        if elsewhere:
            out.say(ELSEWHERE, "dim")
    for each in others:
        # They look alike wherever ids are shown without quotes, and who has to forget the one may mean the other.
        stranger = each.resource
        what = "is text" if isinstance(stranger.id, str) else "is a number"
        out.say(f"{named(stranger.type, stranger.id)}, whose id {what}, is another, and was left as it is", "yellow")
    return 0


def _purge(arguments: argparse.Namespace, out: Output) -> int:
    before = to_moment(arguments.finished_before, arguments.timezone or "UTC", "--finished-before")
    purged = 0
    with opened(arguments) as engine, out.progress("deleting", arguments.limit) as progress:
        while arguments.limit is None or purged < arguments.limit:
            # In batches, so that a worker beside it need not wait for all of them.
            batch = _BATCH if arguments.limit is None else min(_BATCH, arguments.limit - purged)
            deleted = engine.purge(finished_before=before, limit=batch)
            purged += deleted
            progress.advance(deleted)
            if deleted < batch:
                break
    out.document({"finished_before": to_iso(before), "purged": purged})
    out.say(f"deleted {purged} {'enrollment' if purged == 1 else 'enrollments'} that finished before {to_iso(before)}")
    return 0
