"""The world of the demo: a clock that is told, a store in memory, a mailer that can be told to fail, a diary.

It is the real engine on a manual clock. Everything in it comes out the same each time: even the store's random id,
from which the pauses between attempts are derived, is set.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.adapters.keys import token
from sequencer.adapters.message import Unsendable, build
from sequencer.core.enrollment import Resource
from sequencer.core.events import Event
from sequencer.core.sequence import Template
from sequencer.core.values import Identifier
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, Person, Rejected
from sequencer.simulation.clock import ManualClock
from sequencer.stores.sqlite import SQLiteStore

__all__ = ["Mailed", "World"]

_ORIGIN = "de305d5475b4431b"


@attrs.frozen
class Mailed:
    """A mail that was accepted: which, when, and under which key."""

    enrollment_id: int
    position: int
    sequence_key: str
    at: DateTime
    key: str


class Post:
    """Puts mails into a Maildir, and answers as a mail server might on a bad day.

    Unlike `MaildirMailer` it does not wait for the disk: nobody depends on these mails, and there are two thousand.
    """

    deduplicates = True

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.mailed: list[Mailed] = []
        self._path = path
        self._clock = clock
        self._bad_days: dict[str, list[Rejected]] = {}
        for name in ("new", "cur", "tmp"):
            (path / name).mkdir(parents=True, exist_ok=True)

    def refuse(self, address: str, *answers: Rejected) -> None:
        """Answer the next mails to this address like that."""
        self._bad_days.setdefault(address, []).extend(answers)

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted | Rejected:
        """Keep the mail, unless today is a bad day for its address."""
        bad_day = self._bad_days.get(email.to)
        if bad_day:
            return bad_day.pop(0)
        now = self._clock.now()
        try:
            letter = build(email, key, sender="Sam Sales <sam@demo.invalid>", date=now)
        except Unsendable as error:
            return error.rejected
        (self._path / "new" / token(key)).write_bytes(letter.to_bytes("\n"))
        self.mailed.append(Mailed(email.enrollment_id, email.position, email.sequence_key, now, key))
        return Accepted(letter.message_id)


def _text_of(template_id: Identifier, account: Identifier | None) -> Template:
    """The bundled sequences bring only some of their texts; here is one for each of the others."""
    return Template(f"A word from us ({template_id})", f"Hello,\n\nthis is what template {template_id} says.\n")


class World:
    """Everything that the demo needs, and the loop that runs it."""

    def __init__(self, folder: Path, start: DateTime) -> None:
        self.folder = folder
        self.clock = ManualClock(start)
        self.post = Post(folder / "mails", self.clock)
        self.addresses: dict[Identifier, str] = {}
        self.on_event: Callable[[Event], None] | None = None
        self._diary: list[tuple[DateTime, int, Callable[[], Any]]] = []
        self._entries = 0
        # In memory, and written to the file at the end: a disk that is waited for would be most of the time.
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self.store = SQLiteStore(connect=lambda: self._database, check=False)
        self.store.migrate()
        self._database.execute("UPDATE sequencer_meta SET value = ? WHERE name = 'origin'", (_ORIGIN,))
        self.engine = Engine(
            store=self.store,
            mailer=self.post,
            people=self._person,
            clock=self.clock,
            listener=self._listen,
            templates=_text_of,
            unsubscribe_url="https://demo.invalid/unsubscribe/{key}",
            port_threads=False,
        )

    def _person(self, resource: Resource) -> Person:
        """Who stands behind a resource: asked anew for each mail, so a corrected address is used at once."""
        fields: Mapping[str, Any] = resource.fields
        return Person(self.addresses.get(resource.id, resource.email or ""), resource.timezone, fields)

    def _listen(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def at(self, when: DateTime, do: Callable[[], Any]) -> None:
        """Note in the diary that something is done then."""
        self._entries += 1
        heapq.heappush(self._diary, (when, self._entries, do))

    def run_until(self, until: DateTime | None) -> None:
        """Let time pass: do what is in the diary and what comes due, in order; None: until there is nothing more."""
        while True:
            report = self.engine.tick()
            if report.more and report.claimed:
                continue
            upcoming = [each for each in (report.next_due_at, self._diary[0][0] if self._diary else None) if each]
            if not upcoming or (until is not None and min(upcoming) > until):
                break
            self.clock.set(max(min(upcoming), self.clock.now()))
            while self._diary and self._diary[0][0] <= self.clock.now():
                heapq.heappop(self._diary)[2]()
        if until is not None:
            self.clock.set(max(until, self.clock.now()))

    def save(self, file: Path) -> None:
        """Write the store to a file, marked as what it is: its instants are from a clock that was told them."""
        with closing(sqlite3.connect(file)) as target:
            self._database.backup(target)
            target.execute("INSERT INTO sequencer_meta (name, value) VALUES ('made_by', 'demo')")
            target.commit()
            target.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Give back what is held open."""
        self.store.close()
