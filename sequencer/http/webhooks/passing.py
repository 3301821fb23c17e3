"""One pass over what is due: each endpoint gets one event after another, and all of them at the same time.

How an attempt ended is committed at once, and before it is, nothing else of that enrollment is sent there. Whoever dies
in between has sent an event that is sent again, with the same id. One process sends at a time, by a lease, with a token
that fences off whoever has lost it (law S3).
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
from pendulum import DateTime

from sequencer.core.errors import SequencerError
from sequencer.core.instants import later_by, to_instant, to_iso
from sequencer.core.policy import Retry
from sequencer.engine.ports import Clock
from sequencer.engine.storage import Store, Transaction
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.http.webhooks.bodies import message_id
from sequencer.http.webhooks.copying import FEED
from sequencer.http.webhooks.posting import Answer, Posting
from sequencer.http.webhooks.signing import sign

if TYPE_CHECKING:
    import httpx

__all__ = ["DeliveryReport", "Pass", "Sending"]

_LOGGER = logging.getLogger("sequencer.webhooks")
_ALL_DUE, _BATCH = 10_000, 100


@attrs.frozen(kw_only=True)
class DeliveryReport:
    """What one pass did: how many events have arrived, how many attempts failed, how many events were given up.

    `more` says that something is due already; `next_due_at` when the next attempt is due (UTC), None when nothing
    waits. `elsewhere` says that another process is sending, which knows more about both.
    """

    sent: int = 0
    failed: int = 0
    dead: int = 0
    more: bool = False
    next_due_at: DateTime | None = None
    elsewhere: bool = False

    @property
    def claimed(self) -> int:
        """How many requests were made."""
        return self.sent + self.failed

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**attrs.asdict(self), "next_due_at": self.next_due_at and to_iso(self.next_due_at)}


@attrs.frozen(kw_only=True)
class Sending:
    """How it is sent: from where, for which account (or all), and with how much patience.

    `troubled` are endpoints that have failed last. They are sent to on half of the threads at most, so that many of
    them cannot be in the way. It does no harm if it is forgotten.
    """

    store: Store
    clock: Clock
    scope: Any
    retry: Retry
    longest_pause: float
    timeout: float
    threads: int
    lease: float
    client: Callable[[], httpx.Client] | None
    troubled: set[int] = attrs.Factory(set)

    def now(self) -> DateTime:
        """The engine's time."""
        return to_instant(self.clock.now(), "clock.now()")

    def ahead(self, now: DateTime) -> DateTime:
        """What is due later than this was put off by a clock that was ahead (E6): no pause is so long."""
        return later_by(now, timedelta(seconds=1.25 * self.longest_pause + 1))

    def after_failure(self, delivery: Delivery, answer: Answer, now: DateTime) -> Delivery:
        """How a delivery stands after an attempt that failed: it waits, each time longer, or is given up."""
        attempts, retry = delivery.attempts + 1, self.retry
        failed = attrs.evolve(delivery, attempts=attempts, error=answer.error)
        if attempts >= retry.attempts:
            return attrs.evolve(failed, state="dead", due_at=now)
        # 1 + up to a quarter, so that what failed together does not come back together (E4).
        hashed = zlib.crc32(f"{self.store.origin}-{delivery.webhook_id}-{delivery.event_id}-{attempts}".encode())
        seconds = min(retry.first * retry.factor ** min(attempts - 1, 50), self.longest_pause) * (1 + hashed / 2**34)
        seconds = max(seconds, min(answer.retry_after, self.longest_pause))
        return attrs.evolve(failed, due_at=later_by(now, timedelta(seconds=round(seconds, 3))))


@attrs.define
class _Line:
    """What is due at an endpoint, one after another; each is of another enrollment, so none waits for those before."""

    webhook: Webhook
    due: deque[Delivery]


class Pass:
    """One pass, under the lease that `token` stands for."""

    def __init__(self, sending: Sending, max_seconds: float, stop: threading.Event | None) -> None:
        self.sending = sending
        self.until = time.monotonic() + max_seconds
        self.stop = stop
        self.token: int | None = None
        self.is_lost = False
        self.sent = self.failed = self.dead = 0
        self.under_way: dict[int, tuple[_Line, Delivery]] = {}

    def run(self) -> DeliveryReport:
        """Send what is due, unless somebody else does."""
        try:
            waiting = self._begin()
            if waiting:
                self._send_all(waiting)
        finally:
            self._leave()
        counted = DeliveryReport(sent=self.sent, failed=self.failed, dead=self.dead, elsewhere=self.is_lost)
        if self.is_lost:
            return counted
        now = self.sending.now()
        with self.sending.store.transaction(write=False) as transaction:
            at = transaction.next_delivery(self.sending.scope, now, ahead=self.sending.ahead(now))
        return attrs.evolve(counted, more=at is not None and at <= now, next_due_at=at)

    def _begin(self) -> deque[_Line]:
        """What is due at each endpoint, with the lease taken; nothing is taken where nothing is due."""
        sending, now = self.sending, self.sending.now()
        with sending.store.transaction(write=False) as transaction:
            at = transaction.next_delivery(sending.scope, now, ahead=sending.ahead(now))
        if at is None or at > now:
            return deque()
        with sending.store.transaction() as transaction:
            if not self._keep(transaction):
                return deque()
            lines = [
                _Line(webhook, self._due(transaction, webhook, now, _BATCH))
                for webhook in transaction.webhooks(sending.scope)
            ]
        return deque(sorted(filter(lambda line: line.due, lines), key=lambda line: line.webhook.id in sending.troubled))

    def _due(self, transaction: Transaction, webhook: Webhook, now: DateTime, limit: int) -> deque[Delivery]:
        return deque(transaction.due_deliveries(webhook.id, now, limit, ahead=self.sending.ahead(now)))

    def _send_all(self, waiting: deque[_Line]) -> None:
        posting = Posting(self.sending.timeout, self.sending.client)
        try:
            while True:
                while len(posting) < self.sending.threads and not self._is_over():
                    line = self._turn(waiting)
                    if line is None:
                        break
                    self._send(posting, line)
                if not posting:
                    return
                id, answer = posting.next()
                line, delivery = self.under_way.pop(id)
                self._note(line, delivery, answer)
                if self.is_lost:
                    return
                if line.due:
                    # To the end of the line, so that where there are many webhooks each gets its turn.
                    waiting.append(line)
        finally:
            posting.close()

    def _turn(self, waiting: deque[_Line]) -> _Line | None:
        """Whose turn it is: the first in line, but of those in trouble no more than may be sent to at once."""
        troubled = self.sending.troubled
        full = len(troubled & self.under_way.keys()) >= max(1, self.sending.threads // 2)
        for at, line in enumerate(waiting):
            if not (full and line.webhook.id in troubled):
                del waiting[at]
                return line
        return None

    def _is_over(self) -> bool:
        return time.monotonic() >= self.until or (self.stop is not None and self.stop.is_set())

    def _send(self, posting: Posting, line: _Line) -> None:
        webhook, delivery = line.webhook, line.due.popleft()
        body = delivery.body.encode()
        id = message_id(self.sending.store.origin, delivery.event_id)
        headers = sign(body, id=id, at=self.sending.now(), secret=webhook.secret)
        headers |= {"content-type": "application/json", "user-agent": "sequencer"}
        self.under_way[webhook.id] = (line, delivery)
        posting.start(webhook.id, webhook.url, body, headers)

    def _note(self, line: _Line, delivery: Delivery, answer: Answer) -> None:
        """Commit how an attempt ended, and see what is to be sent there next."""
        sending, webhook = self.sending, line.webhook
        failing = [] if answer.arrived else [delivery]
        with sending.store.transaction() as transaction:
            # Somebody else may have sent it meanwhile, and knows more.
            if not self._keep(transaction):
                return
            now = sending.now()
            if answer.arrived:
                transaction.delivered(delivery.id)
            elif answer.about_all:
                due = self._due(transaction, webhook, now, _ALL_DUE)
                failing += [each for each in due if each.id != delivery.id]
            failing = [sending.after_failure(each, answer, now) for each in failing]
            transaction.set_deliveries(failing)
            if answer.about_all:
                line.due.clear()
            else:
                self._look_ahead(transaction, line, now)
        if answer.arrived:
            sending.troubled.discard(webhook.id)
            self.sent += 1
        else:
            sending.troubled.add(webhook.id)
            self.failed += 1
            self.dead += sum(each.state == "dead" for each in failing)
        for each in failing:
            _log(webhook, each)

    def _look_ahead(self, transaction: Transaction, line: _Line, now: DateTime) -> None:
        """Leave out what is no longer there, as when its webhook is removed; when all is sent, see what is due then."""
        while line.due:
            next_one = line.due[0]
            found = transaction.deliveries(
                self.sending.scope, "waiting", webhook_id=line.webhook.id, after=next_one.id - 1, limit=1
            )
            if [each.id for each in found] == [next_one.id]:
                return
            line.due.popleft()
        line.due = self._due(transaction, line.webhook, now, _BATCH)

    def _keep(self, transaction: Transaction) -> bool:
        """Take the lease, or go on holding it; False when it is somebody else's."""
        before = self.token
        self.token = transaction.lease_feed(FEED, self.sending.now(), self.sending.lease, before)
        self.is_lost = self.token is None
        if self.is_lost and before is not None:
            message = "sending to webhooks took longer than its lease, and another process sends now"
            _LOGGER.warning(message, extra={"sent": self.sent})
        return not self.is_lost

    def _leave(self) -> None:
        """Let nobody wait for the end of the lease."""
        if self.token is None:
            return
        # A store that cannot be used now is why it was interrupted; then the lease runs out.
        with suppress(SequencerError), self.sending.store.transaction() as transaction:
            transaction.leave_feed(FEED, self.token)


def _log(webhook: Webhook, delivery: Delivery) -> None:
    fields = {
        "webhook_id": webhook.id,
        "account": webhook.account,
        "delivery_id": delivery.id,
        "enrollment_id": delivery.enrollment_id,
        "attempts": delivery.attempts,
        "reason": delivery.error,
    }
    which = (delivery.enrollment_id, webhook.id, delivery.error)
    if delivery.state == "dead":
        _LOGGER.warning("an event of enrollment %d is given up for webhook %d: %s", *which, extra=fields)
    else:
        message = "an event of enrollment %d has not arrived at webhook %d, and is sent again: %s"
        _LOGGER.info(message, *which, extra={**fields, "again_at": to_iso(delivery.due_at)})
