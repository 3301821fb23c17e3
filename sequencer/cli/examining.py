"""What `doctor` finds: the installation, and a store beneath its doors."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.cli.files import connected
from sequencer.core.enrollment import Enrollment
from sequencer.core.instants import from_microseconds, later_by, to_iso
from sequencer.engine.clock import SystemClock
from sequencer.engine.counters import MOST
from sequencer.engine.engine import Engine
from sequencer.engine.zonedata import packaged_version, version_in_use
from sequencer.stores.codec import decode_id
from sequencer.stores.sqlite import SCHEMA, SUPPORTED, SQLiteStore

__all__ = ["Check", "examined"]

_PACKAGES = ("sequencer", "attrs", "pendulum", "transitions", "tzdata", "pyyaml", "holidays", "rich")
_PAGE = 1000
_A_LEASE = timedelta(minutes=10)
_RELEASED = DateTime(2026, 1, 1, tzinfo=from_microseconds(0).tzinfo)


@attrs.frozen
class Check:
    """One thing that was looked at: what was found, and whether it is ok, worth a look, or wrong."""

    name: str
    found: Any
    verdict: str = "ok"
    remedy: str = ""

    @property
    def shown(self) -> str:
        """What was found, in one line."""
        if isinstance(self.found, dict):
            return ", ".join(f"{name} {value}" for name, value in self.found.items()) or "none"
        return "none" if self.found is None else str(self.found)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return attrs.asdict(self)


def examined(path: Path | None) -> list[Check]:
    """Everything that `doctor` looks at; what is in a store only if one is named."""
    now = SystemClock().now().replace(microsecond=0)
    checks = [*_installation(), *_clock(now)]
    if path is not None:
        checks += _file(path)
        if all(check.verdict != "wrong" for check in checks if check.name in ("schema", "integrity")):
            checks += _contents(path, now)
    return checks


def _installation() -> Iterator[Check]:
    yield Check("python", platform.python_version())
    yield Check("system", f"{platform.system()} {platform.release()}")
    yield Check("sqlite", sqlite3.sqlite_version)
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    yield Check("packages", versions)
    in_use, packaged = version_in_use(), packaged_version()
    if in_use == packaged:
        yield Check("zone data", in_use)
    else:
        # Python takes the system's zone files first. Neither is wrong, but the older one does not know some changes.
        yield Check(
            "zone data",
            {"in use": in_use, "tzdata package": packaged},
            "look",
            "the system's zone files are not the package's; update the older (PYTHONTZPATH= uses the package)",
        )
    encoding = sys.stdout.encoding or "unknown"
    yield Check("encoding", encoding, "ok" if encoding.casefold().startswith("utf") else "look", _utf8(encoding))


def _utf8(encoding: str) -> str:
    return "" if encoding.casefold().startswith("utf") else "names in other scripts come out as codes: PYTHONUTF8=1"


def _clock(now: DateTime) -> Iterator[Check]:
    if now < _RELEASED:
        yield Check("clock", to_iso(now), "wrong", "the machine's clock is years behind: set it")
    else:
        yield Check("clock", to_iso(now))


def _file(path: Path) -> Iterator[Check]:
    with closing(connected(path)) as connection:
        yield Check("file", f"{path} ({path.stat().st_size:,} bytes)".replace(",", " "))
        schema = _one(connection, "SELECT coalesce(max(version), 0) FROM sequencer_migrations")
        if schema in SUPPORTED:
            yield Check("schema", schema, "ok" if schema == SCHEMA else "look", "" if schema == SCHEMA else _MIGRATE)
        else:
            newer = schema > SCHEMA
            remedy = "the store is newer than this release: upgrade the package" if newer else _MIGRATE
            yield Check("schema", schema, "wrong", remedy)
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        if found == ["ok"]:
            yield Check("integrity", "ok")
        else:
            yield Check("integrity", "; ".join(found), "wrong", "the file is damaged: take the last good copy")
        journal = _one(connection, "PRAGMA journal_mode")
        yield Check("journal mode", journal, "ok" if journal == "wal" else "look", "" if journal == "wal" else _WAL)


_MIGRATE = "sequencer migrate --db FILE"
_WAL = "the next worker that opens the file switches it to WAL"
_SYNCHRONOUS = {0: "off", 1: "normal", 2: "full", 3: "extra"}


def _synchronous(path: Path) -> str:
    """How the store itself opens the file: this is a setting of the connection."""
    made: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        made.append(sqlite3.connect(path, check_same_thread=False))
        return made[-1]

    with closing(SQLiteStore(connect=connect)) as store, store.transaction():
        number = _one(made[0], "PRAGMA synchronous")
    return _SYNCHRONOUS.get(number, str(number))


def _contents(path: Path, now: DateTime) -> Iterator[Check]:
    yield Check("synchronous", _synchronous(path))
    with closing(connected(path)) as connection:
        tables = ("sequences", "enrollments", "events", "tasks", "suppressions")
        counts = {name: _one(connection, f"SELECT count(*) FROM sequencer_{name}") for name in tables}  # noqa: S608 - our own names
        yield Check("counts", counts)
        states = connection.execute("SELECT state, count(*) FROM sequencer_enrollments GROUP BY state ORDER BY state")
        yield Check("enrollments", dict(states.fetchall()))
        yield from _last_change(connection, now)
        accounts = [row[0] for row in connection.execute("SELECT DISTINCT account FROM sequencer_enrollments")]
    yield from _counters(path, now)
    yield from _enrollments(path, accounts)


def _last_change(connection: sqlite3.Connection, now: DateTime) -> Iterator[Check]:
    found = _one(connection, "SELECT max(updated_at) FROM sequencer_enrollments")
    last = None if found is None else from_microseconds(found)
    simulated = _one(connection, "SELECT count(*) FROM sequencer_meta WHERE name = 'made_by' AND value = 'demo'")
    if simulated:
        # Its instants are no clock's that anybody could set.
        yield Check("last change", f"{'never' if last is None else _shown(last)}, simulated: the demo made this store")
    elif last is not None and last > later_by(now, timedelta(minutes=1)):
        remedy = "a clock was ahead when this was stored, or this machine's is behind: compare it with a time server"
        yield Check("last change", _shown(last), "look", remedy)
    else:
        yield Check("last change", None if last is None else _shown(last))


def _counters(path: Path, now: DateTime) -> Iterator[Check]:
    """How it stands with the work: what is blocked, what waits, and what workers have."""
    with closing(SQLiteStore(str(path))) as store:
        counters = Engine(store=store).counters()
        with store.transaction(write=False) as transaction:
            next_due_at = counters.oldest_due_at or transaction.next_wake()
    blocked = dict(counters.blocked)
    yield Check("blocked", blocked, "look" if blocked else "ok", "sequencer list --state blocked" if blocked else "")
    yield Check("waiting", {name: getattr(counters, name) for name in ("due", "claimed", "abandoned")})
    if counters.capped:
        yield Check("counted in part", ", ".join(counters.capped), "look", f"there may be more than {MOST}")
    until = counters.oldest_lease_until
    if until is None:
        yield Check("oldest lease", None)
    elif later_by(until, _A_LEASE) < now:
        remedy = "whoever claimed it has died; the next worker takes it over"
        yield Check("oldest lease", f"ended {_shown(until)}", "look", remedy)
    else:
        yield Check("oldest lease", f"until {_shown(until)}")
    if next_due_at is None:
        yield Check("next due", None)
    elif later_by(next_due_at, timedelta(hours=1)) < now:
        yield Check("next due", _shown(next_due_at), "look", "is a worker running? sequencer run --db")
    else:
        yield Check("next due", _shown(next_due_at))


def _enrollments(path: Path, accounts: list[str]) -> Iterator[Check]:
    """What only the enrollments themselves can tell: what is overdue, and by which zone data they were made."""
    overdue, oldest, zones = 0, None, dict[str, int]()
    for each in _ongoing(path, accounts):
        zones[each.tzdata] = zones.get(each.tzdata, 0) + 1
        current = each.current
        if current is not None and current.overdue and current.estimated_execute_at is not None:
            overdue += 1
            if oldest is None or current.estimated_execute_at < oldest[0]:
                oldest = (current.estimated_execute_at, each.id)
    if oldest is None:
        yield Check("oldest overdue", None)
    else:
        found = f"enrollment {oldest[1]} since {to_iso(oldest[0])}, of {overdue}"
        yield Check("oldest overdue", found, "look", f"sequencer explain {oldest[1]}")
    others = sorted(zones.keys() - {version_in_use()})
    remedy = "estimates were made with other zone data; they are computed anew step by step" if others else ""
    yield Check("zone data stored", zones, "look" if others else "ok", remedy)


def _ongoing(path: Path, accounts: list[str]) -> Iterator[Enrollment]:
    with closing(SQLiteStore(str(path))) as store:
        for text in accounts:
            account = decode_id(text)
            engine = Engine(store=store)
            if account is not None:
                engine = engine.account(account)
            for state in ("active", "blocked"):
                after = None
                while page := engine.enrollments(state=state, after=after, limit=_PAGE):
                    yield from page
                    after = page[-1].id


def _shown(instant: DateTime) -> str:
    return to_iso(instant.replace(microsecond=0))


def _one(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]
