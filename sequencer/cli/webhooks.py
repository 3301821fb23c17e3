"""`webhook add`, `list`, `remove`, `dead`, `resend`: where events are sent; and the sending, beside the worker."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sequencer.cli.moments import clock_time
from sequencer.cli.options import Commands, Parser, Refusal, add_command, positive
from sequencer.cli.output import Output, Table
from sequencer.cli.places import opened
from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.core.instants import to_iso
from sequencer.engine.engine import Engine
from sequencer.http.webhooks.posting import needed
from sequencer.http.webhooks.sending import Delivery, DeliveryReport, Webhook, Webhooks

__all__ = ["register", "sending"]

_COUNTED = 1000
_WHOSE = "only those of this account (default: all)"


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    summary = "where events are sent: add, list and remove webhooks, look at what did not arrive, send it again"
    parser = commands.add_parser("webhook", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", dest="subcommand", parser_class=Parser)
    # Not `required`: what is missing is better said with those there are.
    parser.set_defaults(run=_nothing)

    add = add_command(
        inner,
        "add",
        _add,
        "send an account's events to a URL from now on, and show the secret that signs them, this once",
        example="sequencer webhook add https://crm.example.com/events --db crm.db --types finished,step_failed",
        more=(
            "`sequencer run` sends. The secret, and nothing else, comes to standard output. The store is made if it\n"
            "is not there."
        ),
        account=False,
    )
    add.add_argument("url", metavar="URL", help="https, or http on this machine")
    add.add_argument("--types", metavar="A,B", help="only these events (default: all)")
    add.add_argument("--account", metavar="A", help="the events of this account (default: the one without a name)")
    add.add_argument("--allow-http", action="store_true", help="also over http, where everybody on the way reads it")

    listing = add_command(
        inner, "list", _list, "the webhooks, without their secrets", example="sequencer webhook list --db crm.db",
        account=False,
    )  # fmt: skip
    remove = add_command(
        inner,
        "remove",
        _remove,
        "send nothing there any more, also not what is on its way",
        example="sequencer webhook remove 1 --db crm.db",
        account=False,
    )
    remove.add_argument("id", metavar="ID", type=_number, help="which webhook")

    dead = add_command(
        inner,
        "dead",
        _dead,
        "what did not arrive and was given up, with the reason",
        example="sequencer webhook dead --db crm.db",
        account=False,
    )
    dead.add_argument("--after", metavar="ID", type=_number, help="only what comes after this one")
    dead.add_argument("--limit", metavar="N", type=positive(10_000), default=100, help="at most so many (100)")

    resend = add_command(
        inner,
        "resend",
        _resend,
        "send again what was given up; `sequencer run` does it",
        example="sequencer webhook resend 17 --db crm.db\nsequencer webhook resend --all --db crm.db",
        account=False,
    )
    which = resend.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", type=_number, nargs="?", help="which, as `webhook dead` numbers them")
    which.add_argument("--all", action="store_true", help="all of them")

    for each in (dead, resend):
        each.add_argument("--webhook", metavar="ID", type=_number, help="only what was for this one (default: any)")
    for each in (listing, remove, dead, resend):
        each.add_argument("--account", metavar="A", help=_WHOSE)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) < 2**63:
        raise argparse.ArgumentTypeError(f"needs a number as the lists show it, got {text!r}")
    return int(text)


def _nothing(arguments: argparse.Namespace, out: Output) -> int:
    raise Refusal("needs add, list, remove, dead or resend (see sequencer webhook --help)")


def _add(arguments: argparse.Namespace, out: Output) -> int:
    types = None if arguments.types is None else [each.strip() for each in arguments.types.split(",")]
    with opened(arguments, create=True) as engine:
        try:
            webhook = Webhooks(engine).add(arguments.url, types=types, allow_http=arguments.allow_http)
        except InvalidInput as error:
            message = error.message.replace("allow_http allows", "--allow-http allows")
            raise Refusal(f"{'URL' if error.path == 'url' else f'--{error.path}'} {message}") from None
    out.document({**_shown(webhook), "secret": webhook.secret})
    if not out.json:
        whose = "the account without a name" if webhook.account is None else f"account {webhook.account!r}"
        out.aside(f"webhook {webhook.id}: {_events(webhook)} of {whose}, from now on. `sequencer run` sends them.")
        out.aside(
            "This is the secret that they are signed with. It is shown this once; keep it as you keep a password."
        )
    out.say(webhook.secret)
    return 0


def _list(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        webhooks = Webhooks(engine)
        found = [
            (each, len(webhooks.waiting(each.id, limit=_COUNTED)), len(webhooks.dead(each.id, limit=_COUNTED)))
            for each in webhooks.all()
        ]
    out.document({"webhooks": [{**_shown(each), "waiting": waiting, "dead": dead} for each, waiting, dead in found]})
    table = Table([">=id", "account", "url", "events", "=created (UTC)", ">=waiting", ">=dead"])
    for each, waiting, dead in found:
        counts = [f"{_COUNTED} or more" if count == _COUNTED else count for count in (waiting, dead)]
        table.add(each.id, each.account, each.url, _events(each), clock_time(each.created_at, "UTC"), *counts)
    out.table(table, empty="No webhooks.")
    return 0


def _remove(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        removed = Webhooks(engine).remove(arguments.id)
    out.document({"removed": removed})
    if not removed:
        out.aside(
            f"sequencer webhook remove: there is no webhook {arguments.id} here; `sequencer webhook list` shows them"
        )
        return 1
    out.say(f"webhook {arguments.id} is removed, with all that was on its way to it")
    return 0


def _dead(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        found = Webhooks(engine).dead(arguments.webhook, after=arguments.after, limit=arguments.limit)
    out.document({"dead": [_given_up(each) for each in found]})
    table = Table([">=id", ">=webhook", ">=enrollment", "event", "=given up (UTC)", ">=attempts", "why"])
    for each in found:
        type = json.loads(each.body)["type"]
        at = clock_time(each.due_at, "UTC")
        table.add(each.id, each.webhook_id, each.enrollment_id, type, at, each.attempts, each.error)
    out.table(table, empty="Nothing was given up.")
    if len(found) == arguments.limit:
        out.say(f"There may be more: --after {found[-1].id}", "dim")
    return 0


def _resend(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        count = Webhooks(engine).resend(arguments.id, webhook_id=arguments.webhook)
    out.document({"resent": count})
    out.say(f"{count} to be sent again; `sequencer run` does it")
    return 0


def _events(webhook: Webhook) -> str:
    return "all events" if webhook.types is None else ", ".join(webhook.types)


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "account": webhook.account,
        "url": webhook.url,
        "types": webhook.types,
        "created_at": to_iso(webhook.created_at),
    }


def _given_up(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "enrollment_id": delivery.enrollment_id,
        "attempts": delivery.attempts,
        "given_up_at": to_iso(delivery.due_at),
        "error": delivery.error,
        "event": json.loads(delivery.body),
    }


class _Counted:
    """What was sent while the worker ran, and a line for each pass that sent something."""

    def __init__(self, engine: Engine, out: Output) -> None:
        self.engine, self.out = engine, out
        self.total = {"sent": 0, "failed": 0, "dead": 0}

    def __call__(self, report: DeliveryReport) -> None:
        for name in self.total:
            self.total[name] += getattr(report, name)
        if report.sent or report.failed:
            failed = f", {report.failed} failed" if report.failed else ""
            given_up = f", {report.dead} given up" if report.dead else ""
            at = f"{to_iso(self.engine.clock.now())[:19]}Z"
            self.out.say(f"{at}  sent {report.sent} to webhooks{failed}{given_up}", "dim")


@contextmanager
def sending(engine: Engine, out: Output, stop: threading.Event, *, once: bool) -> Iterator[dict[str, int]]:
    """Send to webhooks beside what the block does, on a thread, and what is left after it; what was sent is counted.

    With `once` only after it. A slow endpoint holds up the end, by its time-out at most, but no mail.
    """
    webhooks, counted, over = Webhooks(engine), _Counted(engine, out), threading.Event()

    def send() -> None:
        try:
            webhooks.run(stop=over, each=counted)
        except (SequencerError, ModuleNotFoundError) as error:
            out.aside(f"sequencer run: nothing is sent to webhooks any more: {error}")

    try:
        if webhooks.all():
            needed()
    except ModuleNotFoundError as error:
        raise Refusal(f"there are webhooks, and {error}") from None
    except SequencerError as error:
        # A schema that is older than webhooks has none, and the worker runs on it all the same.
        out.aside(f"sequencer run: nothing is sent to webhooks: {error}")
        yield counted.total
        return
    thread = None if once else threading.Thread(target=send, name="sequencer-run-webhooks", daemon=True)
    if thread is not None:
        thread.start()
    try:
        yield counted.total
    finally:
        over.set()
        if thread is not None:
            thread.join()
    # What the last pass of the worker has caused. Whoever was told to stop leaves it to the next.
    while not stop.is_set():
        report = webhooks.deliver(stop=stop)
        counted(report)
        if not report.more:
            return
