"""A migration that is killed at each of its statements, and workers that go on while another process migrates.

From nothing, and from the schema of the release before, filled by this release, which runs on it. The process is really
killed. Afterwards the store is at the one schema or the other, with every row, and the next start finishes it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from sequencer.core.errors import SchemaMismatch
from sequencer.core.instants import to_microseconds
from sequencer.stores.sqlite import SCHEMA, SUPPORTED
from tests.faults import deaths
from tests.faults.judge import Evidence, judge
from tests.faults.processes import CONTEXT, LONGEST, QUICK, Orders, departures, lead, race
from tests.faults.stages import Size, Stage, evidence, opened, stage
from tests.faults.tally import Tally
from tests.faults.world import START, World

__all__ = ["deploys", "migrations"]


def _migrate(address: str, die_at: int | None, counted: Any) -> None:
    """Another process that brings a store up to date, and dies before its n-th statement."""
    passed = 0

    def step(statement: str) -> None:
        nonlocal passed
        passed += 1
        counted.value = passed
        if passed == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    store = opened(address, check=False, step=step)
    store.migrate()
    store.close()


def _in_a_process(made: Stage, die_at: int | None) -> tuple[int, int | None]:
    counted = CONTEXT.Value("q", 0, lock=False)
    process = CONTEXT.Process(target=_migrate, args=(made.address, die_at, counted))
    process.start()
    process.join(LONGEST)
    return counted.value, process.exitcode


def migrations(on: str, size: Size) -> Tally:
    """Killed at every statement, from every schema that this release can begin with."""
    total = Tally()
    for schema in sorted({0, *SUPPORTED} - {SCHEMA}):
        with stage(on) as made:
            _filled(made, schema)
            statements, code = _in_a_process(made, None)
            assert code == 0
        stride = 1 if size.every == 1 else size.stride(on) // 4
        for at in range(1 + schema % stride, statements + 1, stride):
            tally = _killed(on, schema, at)
            tally.notes = [f"from schema {schema}, killed at statement {at}: {note}" for note in tally.notes]
            total.add(tally)
    return total


def _filled(made: Stage, schema: int) -> tuple[World | None, list[int]]:
    """A stage at a schema; where that has tables, with people who have begun."""
    made.at_schema(schema)
    if schema == 0:
        return None, []
    world = World(made, "at_most_once")
    ids = [world.engine.enroll(deaths.FLOW, deaths.person(number)).id for number in range(1, 9)]
    world.work(START.add(hours=4))
    world.engine.block(ids[2])
    world.engine.finish(ids[3])
    return world, ids


def _killed(on: str, schema: int, at: int) -> Tally:
    with stage(on) as made:
        world, ids = _filled(made, schema)
        before = _rows(made, schema)
        if world is not None:
            world.store.close()
        _, code = _in_a_process(made, at)
        tally = Tally(injected=int(code == -signal.SIGKILL))
        found = made.schema_found()
        if found not in (schema, SCHEMA):
            tally.found("corrupt", f"it was left at schema {found}")
        _in_a_process(made, None)
        if made.schema_found() != SCHEMA:
            tally.found("corrupt", f"the next migration left it at schema {made.schema_found()}")
        _compare(before, _rows(made, SCHEMA), tally)
        # And life goes on.
        again = World(made, "at_most_once", clock=None if world is None else world.clock)
        again.log += [] if world is None else world.log
        ids = ids or [again.engine.enroll(deaths.FLOW, deaths.person(1)).id]
        if world is not None:
            again.engine.resume(ids[2])
        deaths.complete_tasks(again, but=())
        again.work(START.add(days=40))
        tally.add(judge(evidence(made, enrolled=ids, log=again.log, by_hand=ids[3:4])))
        return tally


def _rows(made: Stage, schema: int) -> Evidence | None:
    return evidence(made) if schema else None


def _compare(before: Evidence | None, after: Evidence | None, tally: Tally) -> None:
    if before is None or after is None:
        return
    for id, enrollment in before.enrollments.items():
        if id not in after.enrollments:
            tally.found("lost", f"enrollment {id} is gone")
        elif after.enrollments[id] != enrollment or after.histories[id] != before.histories[id]:
            tally.found("corrupt", f"enrollment {id} is another one after the migration")
    if len(after.tasks) != len(before.tasks):
        tally.found("lost", f"of {len(before.tasks)} tasks {len(after.tasks)} are left")


# -- a deploy -------------------------------------------------------------------------------------------------


def deploys(on: str, size: Size) -> Tally:
    """Workers on the schema before, and a process that migrates while they work; and releases that have to refuse."""
    total = Tally()
    for schema in sorted(set(SUPPORTED) - {SCHEMA}):
        for round in range(2 * size.rounds):  # noqa: A001
            tally = _deployed(on, schema, round)
            tally.notes = [f"from schema {schema}: {note}" for note in tally.notes]
            total.add(tally)
    for schema in (SCHEMA + 1, *range(1, min(SUPPORTED))):
        total.add(_refused(on, schema))
    return total


def _deployed(on: str, schema: int, round: int) -> Tally:  # noqa: A002
    with stage(on) as made:
        made.at_schema(schema)
        old = World(made, "at_most_once")
        ids = [old.engine.enroll(QUICK, lead(number)).id for number in range(1, 31)]
        clock = CONTEXT.Value("q", to_microseconds(START), lock=False)
        orders = Orders(str(made.address), str(made.folder), "at_most_once", clock)
        start = CONTEXT.Barrier(4)
        workers = [CONTEXT.Process(target=race, args=(orders, start, 20)) for _ in range(3)]
        for each in workers:
            each.start()
        start.wait(LONGEST)
        time.sleep(0.01 * round)
        _, code = _in_a_process(made, None)
        tally = Tally(injected=1)
        if code != 0:
            tally.found("stuck", f"the migration ended with {code}")
        for each in workers:
            each.join(LONGEST)
            if each.exitcode != 0:
                tally.found("stuck", f"a worker of the release before ended with {each.exitcode}")
        # One that was opened before goes on, beside one that was opened after.
        old.log += departures(str(made.folder))
        ids += [old.engine.enroll(QUICK, lead(number)).id for number in range(31, 36)]
        old.engine.tick(3)
        new = World(made, "at_most_once")
        new.log = old.log
        ids += [new.engine.enroll(QUICK, lead(number)).id for number in range(36, 41)]
        new.work(START.add(days=400))
        if made.schema_found() != SCHEMA:
            tally.found("corrupt", f"it is at schema {made.schema_found()}")
        tally.add(judge(evidence(made, enrolled=ids, log=new.log)))
        old.store.close()
        return tally


def _refused(on: str, schema: int) -> Tally:
    """A store of a release that is too new or too old is refused by name, and left as it is."""
    tally = Tally(injected=1)
    with stage(on) as made:
        made.at_schema(min(schema, SCHEMA))
        if schema > SCHEMA:
            made.note_schema(schema)
        before = made.contents()
        unchecked = opened(str(made.address), check=False)
        for attempt in (made.store, unchecked.migrate):
            try:
                found = attempt()
            except SchemaMismatch:
                continue
            if schema > SCHEMA or not isinstance(found, list):
                tally.found("corrupt", f"schema {schema} was not refused")
        if schema > SCHEMA and made.contents() != before:
            tally.found("corrupt", f"a store at schema {schema} was written to")
        unchecked.close()
    return tally
