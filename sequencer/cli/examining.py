"""What `doctor` finds: the installation, and a store beneath its doors."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.cli.options import typed
from sequencer.cli.places import Place, SQLStore, connected
from sequencer.core.enrollment import Enrollment
from sequencer.core.instants import from_microseconds, later_by, to_iso
from sequencer.core.values import Identifier
from sequencer.engine.clock import SystemClock
from sequencer.engine.counters import MOST
from sequencer.engine.engine import Engine
from sequencer.engine.zonedata import packaged_version, version_in_use
from sequencer.stores.examination import Examination

__all__ = ["Check", "examined"]

_PACKAGES = ("sequencer", "attrs", "pendulum", "transitions", "tzdata", "pyyaml", "holidays", "rich", "psycopg")
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


def examined(place: Place | None) -> list[Check]:
    """Everything that `doctor` looks at; what is in a store only if one is named."""
    now = SystemClock().now().replace(microsecond=0)
    checks = [*_installation(), *_clock(now)]
    if place is not None:
        checks += _beneath(place)
        if all(check.verdict != "wrong" for check in checks if check.name in ("schema", "integrity")):
            with closing(place.store()) as store:
                checks += _contents(store, now)
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


def _beneath(place: Place) -> Iterator[Check]:
    """What can be said of a store that perhaps cannot be opened."""
    path = place.path
    if path is not None:
        yield Check("file", f"{path} ({path.stat().st_size:,} bytes)".replace(",", " "))
    else:
        yield Check("database", place.shown)
    schema, newest, supported = place.schemas()
    if schema in supported:
        yield Check("schema", schema, "ok" if schema == newest else "look", "" if schema == newest else _MIGRATE)
    else:
        newer = schema > newest
        remedy = "the store is newer than this release: upgrade the package" if newer else _MIGRATE
        yield Check("schema", schema, "wrong", remedy)
    if path is not None:
        with closing(connected(path)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
        if found == ["ok"]:
            yield Check("integrity", "ok")
        else:
            yield Check("integrity", "; ".join(found), "wrong", "the file is damaged: take the last good copy")


_MIGRATE = "sequencer migrate --db"
# What the settings of a store should be, and what to do where they are not.
_SETTINGS = {
    "journal mode": ("wal", "the next worker that opens the file switches it to WAL"),
    "synchronous": ("full", "the store should set it: commits may be lost with the power"),
    "synchronous commit": ("on", "a commit waits for less, or more, than this server's disk: see its documentation"),
}


def _contents(store: SQLStore, now: DateTime) -> Iterator[Check]:
    found = store.examine()
    for name, value in found.settings.items():
        expected, remedy = _SETTINGS.get(name, (value, ""))
        yield Check(name, value, "ok" if value == expected else "look", "" if value == expected else remedy)
    yield Check("counts", dict(found.counts))
    yield Check("enrollments", dict(found.states))
    if found.accounts.keys() - {None}:
        # Who has only the one without a name never meets the notion.
        by_account = {"(no name)" if each is None else typed(each): count for each, count in found.accounts.items()}
        yield Check("by account", by_account)
    yield from _last_change(found, now)
    yield from _counters(store, now)
    yield from _enrollments(store, found.accounts)


def _last_change(found: Examination, now: DateTime) -> Iterator[Check]:
    last = found.last_change_at
    if found.simulated:
        # Its instants are no clock's that anybody could set.
        yield Check("last change", f"{'never' if last is None else _shown(last)}, simulated: the demo made this store")
    elif last is not None and last > later_by(now, timedelta(minutes=1)):
        remedy = "a clock was ahead when this was stored, or this machine's is behind: compare it with a time server"
        yield Check("last change", _shown(last), "look", remedy)
    else:
        yield Check("last change", None if last is None else _shown(last))


def _counters(store: SQLStore, now: DateTime) -> Iterator[Check]:
    """How it stands with the work: what is blocked, what waits, and what workers have."""
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


def _enrollments(store: SQLStore, accounts: Iterable[Identifier | None]) -> Iterator[Check]:
    """What only the enrollments themselves can tell: what is overdue, and by which zone data they were made."""
    overdue, oldest, zones = 0, None, dict[str, int]()
    for each in _ongoing(store, accounts):
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


def _ongoing(store: SQLStore, accounts: Iterable[Identifier | None]) -> Iterator[Enrollment]:
    for account in accounts:
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
