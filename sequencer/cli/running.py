"""`run`: the worker. It hands over what is due, until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sequencer.adapters.console import ConsoleMailer
from sequencer.adapters.maildir import MaildirMailer
from sequencer.adapters.smtp import SmtpMailer
from sequencer.adapters.templates import FolderTemplates
from sequencer.cli.foreseeing import Letters, say_what_is_foreseen
from sequencer.cli.moments import clock_time, to_moment
from sequencer.cli.options import Commands, Refusal, add_command, to_cap, zone_option
from sequencer.cli.output import Output
from sequencer.cli.places import opened
from sequencer.cli.webhooks import sending
from sequencer.core.delays import Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event
from sequencer.core.instants import to_iso
from sequencer.core.pacing import Cap, CatchUp
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Mailer
from sequencer.engine.results import TickReport

__all__ = ["register", "stopped_by_signals", "to_host"]


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "run",
        _run,
        "hand over what is due: mails through a server, into a folder or onto the console; tasks onto the board",
        example=(
            "sequencer run --db crm.db --smtp mail.example.com:587 --sender 'Ada <ada@example.com>'\n"
            "sequencer run --db crm.db --maildir outbox --once"
        ),
        more=(
            "SIGTERM and Ctrl-C end it after the current mail. Several workers may run on one file. Events are sent\n"
            "to webhooks (sequencer webhook add) beside it. Name and\n"
            "password for the mail server are taken from SEQUENCER_SMTP_USER and SEQUENCER_SMTP_PASSWORD, and\n"
            "--sender and --security, where they are not given, from SEQUENCER_SMTP_SENDER and\n"
            "SEQUENCER_SMTP_SECURITY."
        ),
    )
    parser.add_argument("--once", action="store_true", help="end when nothing is due any more")
    parser.add_argument("--until", metavar="WHEN", help="end then")
    zone_option(parser, "the zone of WHEN if it names no offset (default: UTC)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--smtp", metavar="HOST[:PORT]", help="send mail through this server")
    where.add_argument("--maildir", metavar="DIR", help="put mail into this Maildir")
    parser.add_argument("--sender", metavar="ADDRESS", help="whom mails come from")
    parser.add_argument("--security", choices=["starttls", "tls", "none"], help="to the mail server (starttls)")
    parser.add_argument(
        "--templates",
        metavar="DIR",
        help="texts that definitions leave out: <id>.txt, which begins with 'Subject: ...'",
    )
    parser.add_argument(
        "--cap",
        metavar="N",
        type=to_cap,
        default=Cap(),
        help="at most N mails of an actor in 24 hours (300; 0: no cap)",
    )
    parser.add_argument(
        "--catch-up",
        metavar="HOURS",
        type=_to_catch_up,
        help="spread what is over an hour late over so long",
    )
    parser.add_argument("--unsubscribe-url", metavar="URL", help="where to opt out; {key} in it becomes the mail's key")
    parser.add_argument("--unsubscribe-mailto", metavar="ADDRESS", help="an address that takes opt-outs by mail")


def _run(arguments: argparse.Namespace, out: Output) -> int:
    until = None
    if arguments.until is not None:
        until = to_moment(arguments.until, arguments.timezone or "UTC", "--until")
    mailer, templates = _mailer(arguments, out), None
    if arguments.templates is not None:
        templates = FolderTemplates(arguments.templates)
    total = {"claimed": 0, "handed_over": 0, "failed": 0}
    last = TickReport()

    def each(report: TickReport) -> None:
        nonlocal last
        last = report
        for name in total:
            total[name] += getattr(report, name)
        if report.handed_over or report.failed:
            failed = f", {report.failed} failed" if report.failed else ""
            out.say(f"{to_iso(engine.clock.now())[:19]}Z  handed over {report.handed_over}{failed}", "dim")

    with (
        opened(
            arguments,
            mailer=mailer,
            templates=templates,
            unsubscribe_url=_unsubscribe_url(arguments.unsubscribe_url),
            cap=arguments.cap,
            catch_up=arguments.catch_up,
            listener=lambda event: _say_failure(event, out),
            listener_name="sequencer run",  # not the host's own, whose progress must not move
        ) as engine,
        stopped_by_signals() as stop,
        mailer if isinstance(mailer, SmtpMailer) else contextlib.nullcontext(),
        sending(engine, out, stop, once=arguments.once) as webhooks,
    ):
        printed = isinstance(mailer, ConsoleMailer)
        sender = None if printed else _sender(arguments) or "sequencer@maildir.invalid"
        letters = Letters(sender, templates, arguments.unsubscribe_url, arguments.unsubscribe_mailto)
        say_what_is_foreseen(engine, letters, out)
        if arguments.once:
            _once(engine, stop, each)
        else:
            engine.run(stop=stop, until=until, each=each)
    next_due_at = last.next_due_at
    out.document({
        **total, "next_due_at": next_due_at and to_iso(next_due_at), "webhooks": webhooks, "stopped": stop.is_set()
    })  # fmt: skip
    out.say(
        f"{'stopped; ' if stop.is_set() else ''}handed over {total['handed_over']}, failed {total['failed']}; "
        + (f"next due {clock_time(next_due_at, 'UTC')} UTC" if next_due_at else "nothing is waiting")
    )
    return 0


def _to_catch_up(text: str) -> CatchUp:
    """The catch-up of `--catch-up HOURS`."""
    try:
        return CatchUp(over=Hours(float(text)))
    except (ValueError, InvalidInput):
        raise argparse.ArgumentTypeError(f"needs hours, at most 168, got {text!r}") from None


def _say_failure(event: Event, out: Output) -> None:
    """A line on standard error for each hand-over that failed: which, what the port said, and what comes next."""
    if event.type not in ("attempt_failed", "step_failed") or event.position is None:
        return
    step = event.steps.get(event.position, {})
    detail, again = step.get("failure_detail") or event.facts.get("detail"), step.get("estimated_execute_at")
    said = f"{event.facts['reason']}: {detail}" if detail else event.facts["reason"]
    following = f"next try {clock_time(again, 'UTC')} UTC" if again else "blocked until somebody resumes it"
    out.aside(f"enrollment {event.enrollment_id}, step {event.position} failed: {said}; {following}")


def _once(engine: Engine, stop: threading.Event, each: Any) -> None:
    while not stop.is_set():
        report = engine.tick(stop=stop)
        each(report)
        if not (report.more and report.claimed):
            return


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that is set by SIGTERM and SIGINT; the second one ends the process as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread is told of signals
        return
    before: dict[int, Any] = {}

    def on_signal(number: int, frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.getsignal(each)
        signal.signal(each, on_signal)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mailer(arguments: argparse.Namespace, out: Output) -> Mailer:
    sender = _sender(arguments)
    if arguments.smtp is not None:
        security = arguments.security or os.environ.get("SEQUENCER_SMTP_SECURITY", "starttls")
        if not sender:
            raise Refusal("--smtp needs --sender: the address that mails come from")
        host, port = to_host(arguments.smtp)
        user, password = os.environ.get("SEQUENCER_SMTP_USER"), os.environ.get("SEQUENCER_SMTP_PASSWORD")
        return SmtpMailer(
            host,
            port,
            sender=sender,
            security=security,
            username=user or None,
            password=password or None,
            unsubscribe_mailto=arguments.unsubscribe_mailto,
        )
    if arguments.security is not None:
        raise Refusal("--security is for --smtp, which is not there")
    if arguments.maildir is not None:
        by = {"sender": sender} if sender else {}
        return MaildirMailer(arguments.maildir, unsubscribe_mailto=arguments.unsubscribe_mailto, **by)
    # With --json, standard output belongs to the one document.
    return ConsoleMailer(sys.stderr if out.json else None)


def _sender(arguments: argparse.Namespace) -> str | None:
    sender: str | None = arguments.sender or os.environ.get("SEQUENCER_SMTP_SENDER")
    return sender


_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:\[\]/@]+))(?::(?P<port>[0-9]{1,5}))?")


def to_host(text: str) -> tuple[str, int | None]:
    """The host and the port of `HOST`, `HOST:PORT` or `[2001:db8::1]:PORT`."""
    found = _HOST.fullmatch(text)
    port = None if found is None or found["port"] is None else int(found["port"])
    if found is None or (port is not None and not 0 < port < 65536):
        raise InvalidInput(f"needs HOST or HOST:PORT, like mail.example.com:587, got {text!r}", path="--smtp")
    return found["six"] or found["name"], port


def _unsubscribe_url(text: str | None) -> str | None:
    if text is not None and "{key}" not in text:
        raise InvalidInput(
            f"needs {{key}} in it, which tells one mail from another, got {text!r}", path="--unsubscribe-url"
        )
    return text
