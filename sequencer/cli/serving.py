"""`serve`: the HTTP API and the inspector page, until it is told to stop."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pendulum

from sequencer.cli.options import Commands, add_command, zone_option
from sequencer.cli.output import Output
from sequencer.cli.places import opened, place_of
from sequencer.cli.running import stopped_by_signals
from sequencer.cli.tokens import needing_extra
from sequencer.core.calendar import Calendar
from sequencer.core.instants import to_iso

if TYPE_CHECKING:
    from sequencer.http.serving import Serving

__all__ = ["register"]


def register(commands: Commands) -> None:
    """Declare the command of this group."""
    parser = add_command(
        commands,
        "serve",
        _serve,
        "serve the HTTP API and the inspector page",
        example=(
            "sequencer serve --db crm.db\n"
            "sequencer serve --db crm.db --host 0.0.0.0 --port 8080 --timezone Europe/Warsaw"
        ),
        more=(
            "The API is under /v2, its description at /openapi.json, and the pages for people under /inspector.\n"
            "Whoever has a token comes in (sequencer token create). On this machine, and only there, a store that has\n"
            "none is open to everybody. SIGTERM and Ctrl-C end it after the requests that are under way. It hands\n"
            "nothing over: `sequencer run` beside it does. The store is made if it is not there, which it says. What\n"
            "goes wrong is said on standard error, under the id that the answer names."
        ),
        account=False,
        json=False,
    )
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", metavar="P", type=_port, default=8000, help="the port (8000; 0: a free one)")
    parser.add_argument("--verbose", action="store_true", help="a line on standard error for each request")
    zone_option(parser, "the zone of sequences that are posted without one, as in Sell's shape (default: UTC)")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:20]) > 65535:
        raise argparse.ArgumentTypeError(f"needs a port from 0 to 65535, got {text!r}")
    return int(text)


def _serve(arguments: argparse.Namespace, out: Output) -> int:
    with needing_extra("serve"):
        from sequencer.http.serving import serve
    timezone = "UTC" if arguments.timezone is None else Calendar(arguments.timezone).timezone

    place = place_of(arguments, create=True)
    is_new = place.is_new

    def started(serving: Serving) -> None:
        out.say(f"listening on {serving.url}, the API under {serving.url}/v2")
        out.say(f"the inspector is at {serving.url}/inspector")
        if is_new:
            out.say(f"there was no store in {place.shown}: it is a new one, with nothing in it")
        if serving.is_open:
            out.say("there is no token, so everybody on this machine comes in; `sequencer token create` closes that")
        out.stdout.flush()

    arguments.account = None
    with opened(arguments, create=True) as engine, stopped_by_signals(), _telling(out, verbose=arguments.verbose):
        serve(engine, host=arguments.host, port=arguments.port, timezone=timezone, started=started)
    out.say("stopped")
    return 0


@contextmanager
def _telling(out: Output, *, verbose: bool) -> Iterator[None]:
    """Have on standard error what is logged meanwhile: what goes wrong, and if asked for each request."""
    lines, requests = _Lines(out), logging.getLogger("sequencer.http")
    before = requests.level
    logging.getLogger("sequencer").addHandler(lines)
    if verbose:
        requests.setLevel(logging.INFO)
    try:
        yield
    finally:
        requests.setLevel(before)
        logging.getLogger("sequencer").removeHandler(lines)


class _Lines(logging.Handler):
    """Writes a line for each record: when, what, and of a request by whom and under which id; then lines of code."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; who has closed standard error does not want to know."""
        own = vars(record)
        said = f"{to_iso(pendulum.from_timestamp(int(record.created)))}  {record.getMessage()}"
        if record.levelno < logging.WARNING and "request_id" in own:
            said = f"{said}, {own['caller'] or 'nobody we know'}, {own['request_id']}"
        with contextlib.suppress(OSError, ValueError):
            self._out.aside(f"{said}\n{own.get('traceback', '')}".rstrip())
