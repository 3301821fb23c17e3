"""`serve`: the HTTP API and the inspector page, until it is told to stop."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sequencer.cli.options import Commands, add_command, zone_option
from sequencer.cli.output import Output
from sequencer.cli.places import opened
from sequencer.cli.running import stopped_by_signals
from sequencer.cli.tokens import needing_extra
from sequencer.core.calendar import Calendar

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
            "Whoever has a token comes in (sequencer token create). On this machine, and only there, a store that has\n"
            "none is open to everybody. SIGTERM and Ctrl-C end it after the requests that are under way. It hands\n"
            "nothing over: `sequencer run` beside it does. The store is made if it is not there."
        ),
        account=False,
        json=False,
    )
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", metavar="P", type=_port, default=8000, help="the port (8000; 0: a free one)")
    zone_option(parser, "the zone of sequences that are posted without one, as in Sell's shape (default: UTC)")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:20]) > 65535:
        raise argparse.ArgumentTypeError(f"needs a port from 0 to 65535, got {text!r}")
    return int(text)


def _serve(arguments: argparse.Namespace, out: Output) -> int:
    with needing_extra("serve"):
        from sequencer.http.serving import serve
    timezone = "UTC" if arguments.timezone is None else Calendar(arguments.timezone).timezone

    def started(serving: Serving) -> None:
        out.say(f"listening on {serving.url}, the API under {serving.url}/v2")
        out.say(f"the inspector is at {serving.url}/inspector")
        if serving.is_open:
            out.say("there is no token, so everybody on this machine comes in; `sequencer token create` closes that")
        out.stdout.flush()

    arguments.account = None
    with opened(arguments, create=True) as engine, stopped_by_signals():
        serve(engine, host=arguments.host, port=arguments.port, timezone=timezone, started=started)
    out.say("stopped")
    return 0
