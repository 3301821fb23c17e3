"""Requests to several endpoints at once, each of which may take its time, and none may hold up the others (law E4).

Only requests are made here, on threads of this module's own; what they come to is decided and stored elsewhere, on the
thread of whoever asked. An endpoint that has not answered in time has failed, also if it keeps the line busy: its
thread is left behind, and ends when the line does.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Posting", "needed"]

_GRACE = 1.0
"""How many seconds later than the time-out a request is left behind; most end by themselves before."""
_DRAINED = 65_536
_BUSY = frozenset({429, 502, 503, 504})
_LONGEST_ERROR = 200


def needed() -> Any:
    """httpx, or a sentence that says how to get it."""
    try:
        import httpx
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        message = "sending webhooks needs httpx: pip install 'sequencer[http]'"
        raise ModuleNotFoundError(message, name="httpx") from error
    return httpx


@attrs.frozen
class Answer:
    """What a request came to: whether it has arrived, and if not why.

    `about_all` says that this is about the endpoint and not about what was sent: it was not reached, it did not answer,
    or it is busy. `retry_after` is how many seconds it asks to be left alone, where it does.
    """

    arrived: bool
    error: str = ""
    about_all: bool = False
    retry_after: float = 0.0


class Posting:
    """The requests under way; one at a time for each endpoint. To be used by one thread, and closed by it.

    `timeout` is how many seconds a request may take. Each endpoint has a client of its own, with a connection that is
    kept: nothing that one of them sets (a cookie, say) gets to another.
    """

    def __init__(self, timeout: float, client: Callable[[], httpx.Client] | None = None) -> None:
        self._timeout = timeout
        self._client = client or _clients()
        self._clients: dict[int, httpx.Client] = {}
        self._answers: queue.SimpleQueue[tuple[_Thread, Answer]] = queue.SimpleQueue()
        self._under_way: dict[_Thread, tuple[int, float]] = {}
        self._idle: list[_Thread] = []

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self, endpoint: int, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send this to an endpoint that nothing is on its way to."""
        client = self._clients.get(endpoint)
        if client is None:
            client = self._clients[endpoint] = self._client()
        thread = self._idle.pop() if self._idle else _Thread(self._answers)
        self._under_way[thread] = (endpoint, time.monotonic() + self._timeout + _GRACE)
        thread.work.put(lambda: _posted(client, url, body, headers, self._timeout))

    def next(self) -> tuple[int, Answer]:
        """Wait for the next answer, of whichever endpoint; or for the first that has not answered in time."""
        while True:
            late, (endpoint, deadline) = min(self._under_way.items(), key=lambda each: each[1][1])
            try:
                thread, answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                del self._under_way[late]
                late.end()
                # With the connection gone, whatever comes over it no longer keeps the thread.
                self._close(endpoint)
                return endpoint, _timed_out(self._timeout)
            found = self._under_way.pop(thread, None)
            if found is not None:
                self._idle.append(thread)
                return found[0], answer

    def close(self) -> None:
        """End all threads, also those with a request under way, and all connections."""
        for thread in (*self._idle, *self._under_way):
            thread.end()
        for endpoint in list(self._clients):
            self._close(endpoint)

    def _close(self, endpoint: int) -> None:
        # A connection that another thread is reading from may complain about being closed.
        with suppress(Exception):
            self._clients.pop(endpoint).close()


class _Thread:
    """A thread that makes one request after another, for as long as it is wanted."""

    def __init__(self, answers: queue.SimpleQueue[tuple[_Thread, Answer]]) -> None:
        self.work: queue.SimpleQueue[Callable[[], Answer] | None] = queue.SimpleQueue()
        self._answers = answers
        threading.Thread(target=self._serve, name="sequencer-webhooks", daemon=True).start()

    def end(self) -> None:
        self.work.put(None)

    def _serve(self) -> None:
        while (request := self.work.get()) is not None:
            self._answers.put((self, request()))


def _clients() -> Callable[[], httpx.Client]:
    """Clients that share what is slow to make: the certificates that they trust."""
    httpx = needed()
    context: Any = None

    def client() -> Any:
        nonlocal context
        context = context or httpx.create_ssl_context()
        return httpx.Client(verify=context)

    return client


def _posted(client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    httpx = needed()
    client.cookies.clear()  # a request says nothing of what was answered to another
    try:
        return _asked(client, url, body, headers, timeout)
    except httpx.TimeoutException:
        return _timed_out(timeout)
    except httpx.ConnectError as error:
        return Answer(arrived=False, error=f"no connection: {error}"[:_LONGEST_ERROR], about_all=True)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, it has not arrived
        # Not what it says: that may quote what the other side has sent.
        return Answer(arrived=False, error=f"no answer ({type(error).__name__})", about_all=True)


def _asked(client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    with client.stream(
        "POST", url, content=body, headers=dict(headers), timeout=timeout, follow_redirects=False
    ) as response:
        answer = _answer(response.status_code, response.headers)
        _drain(response)
    return answer


def _timed_out(timeout: float) -> Answer:
    return Answer(arrived=False, error=f"no answer within {timeout:g} s", about_all=True)


def _drain(response: httpx.Response) -> None:
    """Read a short body, which nobody looks at, so that the connection can be used again."""
    length = "0" if response.status_code == 204 else response.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:9]) <= _DRAINED:
        # The status is what counts: whether the rest comes does not matter.
        with suppress(Exception):
            for _ in response.iter_raw():
                pass


def _answer(status: int, headers: Any) -> Answer:
    if 200 <= status < 300:
        return Answer(arrived=True)
    said = f"answered {status}"
    if 300 <= status < 400:
        said += ", and redirects are not followed"
    retry_after = _seconds(headers.get("retry-after", ""), headers.get("date", ""))
    return Answer(arrived=False, error=said, about_all=status in _BUSY, retry_after=retry_after)


def _seconds(retry_after: str, date: str) -> float:
    """What `Retry-After` asks for: seconds, or an instant, counted from that of the answer."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - parsedate_to_datetime(date)).total_seconds())
    return 0.0
