"""Serving alone, on uvicorn: the HTTP API and the inspector of one store, on an address of this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import attrs
import uvicorn
from starlette.requests import Request

from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.core.values import to_whole
from sequencer.engine.engine import Engine
from sequencer.http.access import Bearer, Grant, bearer, is_loopback, only_here, open_access
from sequencer.http.application import application
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens

__all__ = ["NoToken", "Serving", "serve"]

_SHUTDOWN = 10
"""For how many seconds requests that are under way may go on when it ends."""
_BACKLOG = 2048


class NoToken(SequencerError):
    """The store has no token that is in force, so that nobody, or everybody, who reached the server could come in."""


@attrs.frozen
class Serving:
    """What is being served. `url`: where, without a path; `is_open`: whether everybody on this machine comes in."""

    url: str
    is_open: bool


def serve(
    engine: Engine,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    timezone: str | None = None,
    limits: Limits | None = None,
    started: Callable[[Serving], None] | None = None,
) -> None:
    """Serve the engine's store until SIGINT or SIGTERM; what is under way then is finished, for up to ten seconds.

    Whoever has a token of the store comes in. On a loopback address a store that never had one is open to everybody on
    this machine, in the default account, until its first token is made; any other address is refused then, and also
    while no token is in force, with `NoToken`. `port` 0 is a free one. `timezone` is the zone of sequences that are
    posted without one. `started` is told once it listens. Raises `OSError` where it cannot listen.
    """
    to_whole(port, "port", least=0, most=65535)
    tokens = Tokens(engine.store, clock=engine.clock)
    family, address = _resolved(host, port)
    local = is_loopback(address[0])
    if not local and not any(token.revoked_at is None for token in tokens.all()):
        raise NoToken(
            f"{host} can be reached from other machines, and no token is in force that would say who may come in; "
            "make one with `sequencer token create`, or listen on 127.0.0.1"
        )
    app = application(
        engine,
        access=UntilFirstToken(tokens) if local else bearer(tokens),
        tokens=tokens,
        limits=limits or Limits(),
        timezone=timezone,
    )
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN,
    )
    with _listening(family, address) as listening:
        if started is not None:
            started(Serving(_url(family, *listening.getsockname()[:2]), is_open=local and not tokens.any()))
        with suppress(KeyboardInterrupt):  # which is raised again when all has ended
            uvicorn.Server(config).run(sockets=[listening])


class UntilFirstToken(Bearer):
    """Open to who is on this machine, for as long as the store has never had a token; from then on by token only."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self._any, self._opened = tokens.any, only_here(open_access())

    def __call__(self, request: Request) -> Grant | None:
        """What a request is good for."""
        return super().__call__(request) if self._any() else self._opened(request)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The one address that a host stands for, which is looked at and then listened on."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise InvalidInput(f"there is no {host!r} to listen on", path="host", code="invalid_value") from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _listening(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    """A socket that listens there, and says that it is TCP's, which the connections that it accepts say after it.

    asyncio sets TCP_NODELAY only where that is said. Without it every answer after a connection's first waits for the
    client's delayed acknowledgement of its head, for some 40 ms.
    """
    created = socket.create_server(address, family=family, backlog=_BACKLOG)
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=created.detach())


def _url(family: socket.AddressFamily, host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if family is socket.AF_INET6 else f"http://{host}:{port}"
