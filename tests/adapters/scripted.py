"""A mail server that misbehaves on purpose: what it answers, and whether, is written down for each stage."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any, Self

CLOSE = object()  # hang up without a word
HANG = object()  # say nothing, and keep the line
DRIP = object()  # say something for ever, a byte at a time


class Half(str):
    """A reply that ends where it is cut off, and the connection with it."""

    __slots__ = ()


USUAL = {
    "greeting": "220 scripted.invalid ESMTP",
    "ehlo": "250-scripted.invalid\r\n250-SIZE 1000000\r\n250 8BITMIME",
    "helo": "250 scripted.invalid",
    "starttls": "220 go ahead",
    "auth": "235 2.7.0 welcome",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "body": "250 2.0.0 taken",
    "rset": "250 2.0.0 ok",
    "noop": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
}


class ScriptedServer:
    """Listens on loopback and answers by its script.

    A script maps a stage to a reply, to one of the constants above, or to a list of these for one use after the other;
    when a list is used up, and for stages left out, the server behaves.

    `commands` has what clients said, by connection; `mails` the messages that were transferred, with stuffed dots.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, implicit: bool = False, **script: Any) -> None:
        self._script = {stage: list(each) if isinstance(each, list) else each for stage, each in script.items()}
        self._tls = tls
        self._implicit = implicit
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lines: list[socket.socket] = []
        self.commands: list[list[str]] = []
        self.mails: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def all_commands(self) -> list[str]:
        return [command for connection in self.commands for command in connection]

    def hang_up(self) -> None:
        """Break all connections that are open off, as a server does that is restarted."""
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._lines.append(line)
            said: list[str] = []
            self.commands.append(said)
            self._start(self._serve, line, said)

    def _serve(self, line: socket.socket, said: list[str]) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, _HungUp), contextlib.ExitStack() as stack:
            stack.callback(line.close)
            if self._implicit:
                assert self._tls is not None
                line = self._tls.wrap_socket(line, server_side=True)
                stack.callback(line.close)
            self._answer(line, "greeting")
            reader = stack.enter_context(line.makefile("rb"))
            while command := reader.readline():
                said.append(command.decode("utf-8", "replace").rstrip("\r\n"))
                verb = said[-1].partition(" ")[0].lower()
                replied = self._answer(line, verb)
                if verb == "data" and replied.startswith("354"):
                    content = b""
                    while not content.endswith(b"\r\n.\r\n"):
                        more = reader.readline()
                        if not more:
                            return
                        content += more
                    self.mails.append(content.removesuffix(b".\r\n"))
                    self._answer(line, "body")
                elif verb == "starttls" and replied.startswith("220"):
                    assert self._tls is not None
                    line = self._tls.wrap_socket(line, server_side=True)
                    stack.callback(line.close)
                    reader = stack.enter_context(line.makefile("rb"))
                elif verb == "quit":
                    return

    def _answer(self, line: socket.socket, stage: str) -> str:
        reply = self._script.get(stage)
        if isinstance(reply, list):
            reply = reply.pop(0) if reply else None
        if reply is None:
            reply = USUAL.get(stage, "502 5.5.1 what?")
        if reply is CLOSE:
            raise _HungUp
        if reply is HANG:
            self._over.wait(30)
            raise _HungUp
        while reply is DRIP:
            line.sendall(b"2")
            if self._over.wait(0.01):
                raise _HungUp
        if isinstance(reply, Half):
            line.sendall(reply.encode())
            raise _HungUp
        line.sendall(f"{reply}\r\n".encode())
        return str(reply)


class _HungUp(Exception):
    pass
