"""Every fault: its name, what is done, what the gate is, and the stores to which it applies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from tests.faults import (
    clocks,
    deaths,
    deliveries,
    disks,
    hostile,
    kills,
    mailers,
    migrations,
    races,
    rivals,
    servers,
    year,
)
from tests.faults.postgres_stage import PostgresStage
from tests.faults.stages import SIZES, STAGES, Size
from tests.faults.tally import Tally

__all__ = ["FAULTS", "Fault", "rows"]

STAGES["postgres"] = PostgresStage

ALL = ("memory", "sqlite", "postgres")
SHARED = ("sqlite", "postgres")
"""The stores that other processes can open."""


@attrs.frozen
class Fault:
    """One fault. `gate` says in words what must hold; that nothing at all is wrong is asked of each of them."""

    name: str
    what: str
    gate: str
    inject: Callable[[str, Size], Tally]
    stores: tuple[str, ...] = ALL
    least: int = 1
    """How often it must have been made to happen in the ordinary size."""

    def run(self, on: str, size: Size) -> Tally:
        """Make it happen on a store, and count."""
        return self.inject(on, size)

    def row(self, on: str, tally: Tally) -> dict[str, Any]:
        """One object, as `--json` prints it."""
        return {"fault": self.name, "store": on, **tally.counts()}

    def missed(self, on: str, tally: Tally, size: Size) -> list[str]:
        """What of the gate does not hold."""
        return tally.missed(1 if size.name == "small" else self.least // size.stride(on))


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "death",
            "the process dies before or after a commit or a call of a port, at every one of them, and again while it "
            "recovers",
            "lost = 0; doubled = 0 with a mailer that recognises keys or is told `at_most_once`, else at most the one "
            "in flight",
            deaths.deaths,
            least=1000,
        ),
        Fault(
            "kill",
            "real processes are killed with SIGKILL, at points that they count and at any moment, with real SMTP",
            "as for death; whoever was told that they are enrolled, is",
            kills.kills,
            SHARED,
            least=200,
        ),
        Fault(
            "commit",
            "a commit is done and reported as failed, fails, or is reported as done and is not",
            "lost = doubled = 0",
            deaths.commits,
            least=500,
        ),
        Fault(
            "repeat",
            "every report and every `enroll` is delivered up to five times, shuffled",
            "each counts once",
            deliveries.repeats,
            least=1000,
        ),
        Fault(
            "rivals",
            "2 to 8 workers at the same moment, on many enrollments and on one",
            "doubled = 0",
            rivals.rivals,
            least=100,
        ),
        Fault(
            "stale",
            "a worker is stopped beyond its lease at any point of its pass, and wakes when another has taken over",
            "what it writes under its claim is refused, all of it; the answers that it brings count",
            rivals.stale,
            least=200,
        ),
        Fault(
            "race",
            "finish, block and resume while a worker hands over, at every point of its passes, and on other threads",
            "no start mark after they have returned",
            races.races,
            least=500,
        ),
        Fault(
            "answer",
            "answers that are late, doubled or contradict each other, in every order, after one that was lost",
            "acceptance counts, whenever it comes; the end is the same in every order",
            deliveries.answers,
            least=400,
        ),
        Fault(
            "clock",
            "the clock steps back and forth by an hour, a day, ten years",
            "early = out of order = doubled = 0",
            clocks.clocks,
            least=1000,
        ),
        Fault(
            "mailer",
            "a mailer raises, hangs, refuses, or drops the line before or after its answer, at every stage of SMTP",
            "lost = 0; the worker goes on with the others",
            mailers.mailers,
            least=100,
        ),
        Fault(
            "disk",
            "the file is full at every page, the disk at every size, and every statement meets an I/O error; a server "
            "finds its disk full, or failing, at every write and at every commit",
            "corrupt = 0; the same worker goes on when there is room",
            disks.disks,
            SHARED,
            least=500,
        ),
        Fault(
            "migration",
            "a migration is killed with SIGKILL at every statement, from every schema that this release begins with",
            "no row lost; the store is at the one schema or the other, and the next start finishes it",
            migrations.migrations,
            SHARED,
            least=10,
        ),
        Fault(
            "deploy",
            "workers on the schema before go on while another process migrates; releases that are too old or too new "
            "for a store open it",
            "no row lost; who cannot run on a schema is refused by name, and writes nothing",
            migrations.deploys,
            SHARED,
        ),
        Fault(
            "restart",
            "connections are cut at every point, and the server is restarted as after a crash while workers are busy",
            "lost = 0",
            servers.restarts,
            ("postgres",),
            least=100,
        ),
        Fault(
            "hostile",
            "SQL, CR LF, NUL, lone surrogates, a megabyte and other texts in every place that takes one",
            "refused as a whole, or stored as they are and lived through",
            hostile.hostile,
            least=500,
        ),
        Fault(
            "year",
            "a simulated year of 1 000 enrollments with deaths, cut lines, clocks, mailers, boards, rivals and hosts "
            "going wrong at random, twice with one seed",
            "all laws hold; after healing everything ends; both runs give the same trace",
            year.year,
            least=1000,
        ),
    )
}


def rows(names: list[str], stores: list[str]) -> list[tuple[Fault, str]]:
    """Which faults on which stores, in order."""
    return [
        (fault, on)
        for fault in FAULTS.values()
        for on in fault.stores
        if fault.name in names and on in stores and on in STAGES
    ]


__all__ += ["SIZES", "STAGES"]
