"""A process to be killed: `python -m tests.kills.worker run|enroll DATABASE [PORT DELIVERY]`."""

from __future__ import annotations

import sys

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    Policy,
    Resource,
    Retry,
    Sequence,
    SQLiteStore,
    Step,
    Task,
)
from sequencer.adapters.smtp import SmtpMailer
from sequencer.core.sequence import Template

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SEQUENCE = Sequence(
    "kills",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Look at it", skip_after=Hours(0))),
        Step(AutomatedEmail(1)),
        Step(AutomatedEmail(1, is_reply=True)),
    ],
    calendar=Calendar("UTC", working_days=DAYS),
    policy=Policy(retry=Retry(attempts=100, first=1, factor=1)),
    templates={1: Template("Hello", "There")},
)


def lead(number: int) -> Resource:
    return Resource("lead", number, email=f"lead{number}@example.com")


def engine(path: str, port: int, delivery: str) -> Engine:
    mailer = SmtpMailer("127.0.0.1", port, sender="us@example.com", security="none", delivery=delivery)
    return Engine(store=SQLiteStore(path), mailer=mailer, port_timeout=1, lease=5)


def main(what: str, path: str, port: str = "1", delivery: str = "at_most_once") -> None:
    door = engine(path, int(port), delivery)
    if what == "enroll":
        for number in range(100_000):
            print(door.enroll(SEQUENCE, lead(number)).id, flush=True)
    # Small passes, so that a death leaves little to wait for.
    door.run(limit=20, poll=0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
