"""sequencer itself: five mails with no delay between them. Two settings decide how many commits there are.

- `deduplicates` false: a mailer that does not recognise repeated keys, so every mail has a durable start mark of its
  own, whose commit also brings back the answer before it (law E3): one commit a step, and two a batch.
- `deduplicates` true: a mailer that recognises them, so only a fresh look comes before each call: two commits a batch.
- `limit`: how many enrollments a batch has. `workers`: how many threads tick, in one process.

Runs in the project's own environment. Unlike with the peers, all of it counts: from before the first tick until after
the last, claiming and the search for more included.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from benchmarks.peers.work import Post, given
from sequencer import Accepted, AutomatedEmail, Calendar, Conflict, Engine, Resource, Sequence, SQLiteStore, Step
from sequencer.core.delays import Hours
from sequencer.engine.ports import Email

ALL_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Mailer:
    """The post, as this project's mailer; with `deduplicates` it recognises keys, as a provider's API does."""

    def __init__(self, post: Post, *, deduplicates: bool) -> None:
        self.post = post
        self.deduplicates = deduplicates
        self._answers: dict[str, Accepted] = {}

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted:
        known = self._answers.get(key) if self.deduplicates else None
        if known is not None:
            return known
        assert isinstance(email.resource.id, int)
        self.post.send(email.resource.id, email.position)
        answer = Accepted(f"<{key}@beside.invalid>")
        if self.deduplicates:
            self._answers[key] = answer
        return answer


def _store(place: str) -> Any:
    if place.startswith("sqlite"):
        return SQLiteStore(place.removeprefix("sqlite:///"))
    from sequencer.stores.postgres import PostgresStore

    return PostgresStore(place)


def work(engine: Engine, limit: int) -> None:
    """One worker: tick after tick until nothing waits any more, also not in the hands of another worker."""
    while True:
        try:
            report = engine.tick(limit)
        except Conflict:
            continue  # another worker was faster; nothing was stored
        if report.next_due_at is None:
            return
        if not report.claimed:
            time.sleep(0.005)


def main() -> None:
    told = given()
    limit = told.settings["limit"]
    mailer = Mailer(Post(told.mails), deduplicates=told.settings["deduplicates"])
    store = _store(told.place)
    engine = Engine(store=store, mailer=mailer)
    sequence = Sequence(
        "Beside",
        [Step(AutomatedEmail(1), after=Hours(0)) for _ in range(told.steps)],
        calendar=Calendar("Europe/Warsaw", working_days=ALL_DAYS),
    )
    rows = [Resource("lead", i, email=f"lead{i}@example.com") for i in range(told.enrollments)]
    begun = time.perf_counter()
    engine.enroll_many(sequence, rows)
    enrolled = time.perf_counter()
    workers = [threading.Thread(target=work, args=(engine, limit)) for _ in range(told.settings["workers"])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ended = time.perf_counter()
    counted = engine.statistics(sequence).to_dict()
    store.close()
    print(json.dumps({"seconds": ended - enrolled, "enrolling": enrolled - begun, "counted": counted}))


main()
