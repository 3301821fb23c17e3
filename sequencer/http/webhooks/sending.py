"""The webhooks of a store: which there are, what was given up, and the sending of what is due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import attrs

from sequencer.core.errors import InvalidInput, NotFound
from sequencer.core.policy import Retry
from sequencer.core.values import to_whole
from sequencer.engine.engine import Engine
from sequencer.engine.running import run
from sequencer.engine.storage import AmbientStore, Store
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.http.webhooks.checking import to_types, to_url
from sequencer.http.webhooks.copying import begin, copy_news
from sequencer.http.webhooks.passing import DeliveryReport, Pass, Sending
from sequencer.http.webhooks.signing import new_secret, to_keys

if TYPE_CHECKING:
    import httpx

__all__ = ["LONGEST_PAUSE", "RETRY", "Delivery", "DeliveryReport", "Webhook", "Webhooks"]

RETRY = Retry(attempts=13, first=5, factor=4)
"""By default thirteen attempts: after five seconds, and then each time after four times as long."""
LONGEST_PAUSE = 4 * 3600.0
"""By default four hours, in seconds; thirteen attempts then take about a day."""
_BATCH = 500
_MOST = 2**63 - 1


class Webhooks:
    """The webhooks of an engine's store, and the sending of what is due to them. For any thread.

    Of an engine that is bound to an account they are those of that account. Of one that is not, `add` adds to the
    account without a name, as the engine's own verbs do; all else is about every account's, as the engine's `tick` is.

    - `retry`: how often an event is sent until it is given up, and the pauses; `longest_pause` caps them, in seconds.
    - `timeout`: how many seconds an endpoint has to answer. `threads`: to how many of them something is sent at once.
    - `lease`: for how many seconds one process sends, unless it goes on; so long others wait for one that has died.
    - `client`: makes the `httpx.Client` of one endpoint for one pass, where the usual one will not do (a proxy, own
      certificates). The usual one heeds the environment: HTTPS_PROXY and the like.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        retry: Retry = RETRY,
        longest_pause: float = LONGEST_PAUSE,
        timeout: float = 15,
        threads: int = 8,
        lease: float = 120,
        client: Callable[[], httpx.Client] | None = None,
    ) -> None:
        if not timeout > 0:
            raise InvalidInput(f"must be more than 0 s, got {timeout:g}", path="timeout")
        if not lease >= 4 * timeout:
            raise InvalidInput(f"must be at least {4 * timeout:g} s with a timeout of {timeout:g} s", path="lease")
        self._store = store = engine.store
        # What is sent has to be committed: with a store that is in the host's transactions, never inside of one.
        committing: Store = cast("AmbientStore", store).committing if hasattr(store, "after_commit") else store
        self._account = engine._account  # noqa: SLF001 - another door of the same engine
        self._sending = Sending(
            store=committing,
            clock=engine.clock,
            scope=engine._scope,  # noqa: SLF001 - as above
            retry=retry,
            longest_pause=longest_pause,
            timeout=timeout,
            threads=to_whole(threads, "threads", least=1, most=256),
            lease=lease,
            client=client,
        )

    # -- which there are ---------------------------------------------------------------------------------------

    def add(
        self,
        url: str,
        *,
        types: Iterable[str] | None = None,
        secret: str | None = None,
        allow_http: bool = False,
    ) -> Webhook:
        """Send the events of the account to a URL, from now on; `types` are those that are wanted (None: all).

        The URL is https, or http on this machine, unless `allow_http`. What arrives is signed with the webhook's
        `secret`: a new one, or the one given (`whsec_...`). It is stored as it is, since signing needs it.
        """
        secret = new_secret() if secret is None else secret
        to_keys(secret)
        webhook = Webhook(
            id=0,
            account=self._account,
            url=to_url(url, allow_http=allow_http),
            secret=secret,
            types=to_types(types),
            created_at=self._sending.now(),
        )
        return begin(self._store, self._sending.clock, webhook)

    def all(self) -> tuple[Webhook, ...]:
        """The webhooks, oldest first."""
        with self._store.transaction(write=False) as transaction:
            return tuple(transaction.webhooks(self._sending.scope))

    def remove(self, id: int) -> bool:
        """Send nothing there any more, also not what is on its way or was given up; False if there is no such one."""
        to_whole(id, "id", least=1, most=_MOST)
        with self._store.transaction() as transaction:
            return transaction.remove_webhook(id, self._sending.scope)

    # -- what has not arrived ----------------------------------------------------------------------------------

    def waiting(
        self, webhook_id: int | None = None, *, after: int | None = None, limit: int = 100
    ) -> tuple[Delivery, ...]:
        """What is on its way, to one webhook or to all, by id, from the one after `after`.

        Each says how often it was tried, when it is due, and how the last attempt failed.
        """
        return self._in_state("waiting", webhook_id, after, limit)

    def dead(
        self, webhook_id: int | None = None, *, after: int | None = None, limit: int = 100
    ) -> tuple[Delivery, ...]:
        """What was given up, as `waiting`; it is kept until it is sent again, or its webhook removed."""
        return self._in_state("dead", webhook_id, after, limit)

    def resend(self, id: int | None = None, *, webhook_id: int | None = None) -> int:
        """Send again what was given up: one delivery by its id, or all (of one webhook); how many those are.

        It is due at once, with all its attempts before it, and for the receiver with the same id as ever. What its
        enrollment had since has arrived before it. Raises `NotFound` for an id that is not among the dead.
        """
        if id is not None:
            to_whole(id, "id", least=1, most=_MOST)
            if not self._revive(webhook_id, after=id - 1, only=id):
                raise NotFound("dead delivery", id)
            return 1
        count = 0
        while revived := self._revive(webhook_id):
            count += revived
        return count

    def _in_state(self, state: str, webhook_id: int | None, after: int | None, limit: int) -> tuple[Delivery, ...]:
        to_whole(limit, "limit", least=1, most=10_000)
        with self._store.transaction(write=False) as transaction:
            return tuple(
                transaction.deliveries(self._sending.scope, state, webhook_id=webhook_id, after=after, limit=limit)
            )

    def _revive(self, webhook_id: int | None, after: int | None = None, only: int | None = None) -> int:
        limit, now = 1 if only is not None else _BATCH, self._sending.now()
        with self._store.transaction() as transaction:
            found = transaction.deliveries(self._sending.scope, "dead", webhook_id=webhook_id, after=after, limit=limit)
            found = [each for each in found if only in (None, each.id)]
            transaction.set_deliveries([attrs.evolve(each, state="waiting", attempts=0, due_at=now) for each in found])
        return len(found)

    # -- sending -----------------------------------------------------------------------------------------------

    def deliver(self, *, max_seconds: float = 10, stop: threading.Event | None = None) -> DeliveryReport:
        """One pass: take in what is new, then send what is due, to several endpoints at once.

        An endpoint gets one event after another. Where it cannot be reached, does not answer, or says that it is busy,
        that counts as an attempt for all that was due there, and nothing more is sent there in this pass. After
        `max_seconds`, or once `stop` is set, nothing more is sent at all, and the pass ends when what is under way has
        been answered or has timed out.
        """
        if not copy_news(self._sending.store, self._sending.clock):
            return DeliveryReport()
        return Pass(self._sending, max_seconds, stop).run()

    def run(
        self,
        *,
        stop: threading.Event,
        poll: float = 1.0,
        each: Callable[[DeliveryReport], None] | None = None,
    ) -> None:
        """Deliver, and wait for what comes next, but no longer than `poll` s; until `stop` is set. For a thread.

        `each` is told what every pass did. A store that cannot be used is treated as by `Engine.run`.
        """
        if hasattr(self._sending.clock, "set"):
            raise InvalidInput("needs a clock that goes on by itself; with a manual one use deliver", path="clock")
        # The loop reads of a report what those of both kinds have.
        passes: Any = lambda: self.deliver(stop=stop)  # noqa: E731
        run(passes, self._sending.clock, stop=stop, until=None, poll=poll, each=cast("Any", each))
