"""`serve`: a real process on a real port, and what it refuses to do."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import httpx
import pytest
import uvicorn

from sequencer import Engine, InvalidInput, MemoryStore, SQLiteStore
from sequencer.cli import main
from sequencer.http.serving import NoToken, Serving, serve
from sequencer.http.tokens import Tokens
from tests import postgres

SEQUENCE = {
    "data": {
        "name": "Hello",
        "steps": {
            "items": [
                {
                    "data": {
                        "action_type": "task",
                        "delay_from_previous_step": 0,
                        "delay_from_previous_step_unit": "weekdays",
                        "action_properties": {"task_content": "Call"},
                    }
                }
            ]
        },
    }
}


@attrs.frozen
class Served:
    """A server that runs: where, and what it has said so far."""

    url: str
    said: list[str]
    process: subprocess.Popen[str]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status and what else it said, after a signal."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, rest


@contextmanager
def served(*words: str) -> Iterator[Served]:
    command = [sys.executable, "-W", "error", "-m", "sequencer", "serve", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            found = re.match(r"listening on (http://\S+),", said[0])
            assert found, said[0] + (process.communicate(timeout=30)[0] if process.poll() is not None else "")
            said.append(process.stdout.readline())
            yield Served(found[1], said, process)
        finally:
            process.kill()


def token(db: str, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["token", "create", "--db", db, *words]) == 0
    return capsys.readouterr().out.strip()


def test_from_nothing_to_a_store_with_tokens(tmp_path, capsys):
    """On a new store it is open on this machine; the first token closes it at once; a revoked one opens nothing."""
    db = str(tmp_path / "crm.db")
    with served("--db", db, "--timezone", "Europe/Warsaw") as server, httpx.Client(base_url=server.url) as client:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.said[1] == f"the inspector is at {server.url}/inspector\n"
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == f"there was no store in {db}: it is a new one, with nothing in it\n"
        made = client.post("/v2/sequences", json=SEQUENCE)
        assert made.status_code == 201, made.text
        assert client.get("/v2/sequences", headers={"Host": "rebound.example"}).status_code == 401

        secret = token(db, capsys)
        assert client.get("/v2/sequences").status_code == 401
        bearing = {"Authorization": f"Bearer {secret}"}
        listed = client.get("/v2/sequences", headers=bearing)
        assert [each["data"]["name"] for each in listed.json()["items"]] == ["Hello"]
        assert client.post("/v2/sequences", headers=bearing, json=SEQUENCE).status_code == 403
        assert main(["token", "revoke", "1", "--db", db]) == 0
        assert client.get("/v2/sequences", headers=bearing).status_code == 401
        assert client.get("/v2/sequences").status_code == 401

        status, rest = server.end()
        assert status == 0
        assert rest.splitlines()[-1] == "stopped"
        assert "Traceback" not in rest

    store = SQLiteStore(db)
    (sequence,) = Engine(store=store).sequences()
    store.close()
    assert sequence.sequence.calendar.timezone == "Europe/Warsaw"


def test_ctrl_c_ends_it(tmp_path):
    """SIGINT ends it as SIGTERM does: with 0, and nobody is kept waiting by a connection that is only held open."""
    with served("--db", str(tmp_path / "crm.db")) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/v2/sequence_enrollments").json()["items"] == []
        assert server.end(signal.SIGINT)[0] == 0


def test_what_is_told_meanwhile(tmp_path):
    """What goes wrong is told on standard error, with its id and lines of code; with --verbose each request is, too."""
    db = str(tmp_path / "crm.db")
    for words, told in (((), 1), (("--verbose",), 3)):
        with served("--db", db, *words) as server, httpx.Client(base_url=server.url) as client:
            assert client.get("/v2/sequences?name=ada", headers={"X-Request-Id": "one"}).status_code == 200
            with closing(sqlite3.connect(db)) as connection:
                connection.execute("ALTER TABLE sequencer_sequences RENAME TO elsewhere")
            assert client.get("/v2/sequences", headers={"X-Request-Id": "two"}).status_code >= 500
            with closing(sqlite3.connect(db)) as connection:
                connection.execute("ALTER TABLE elsewhere RENAME TO sequencer_sequences")
            status, rest = server.end()
        assert status == 0
        lines = [each[22:] for each in rest.splitlines() if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  ", each)]
        assert len(lines) == told
        assert lines[told // 2].startswith("two: listSequences failed: ")
        assert '", line ' in rest
        assert "ada" not in rest
        if told == 3:
            assert re.fullmatch(r"GET /v2/sequences: 200 in \d+\.\d ms, everybody, one", lines[0])
            assert re.fullmatch(r"GET /v2/sequences: 50\d in \d+\.\d ms, everybody, two", lines[2])


def test_a_store_in_postgresql(capsys):
    """With the URL of a database and a schema it is the same, with tokens, and no password comes out."""
    where = ("--db", postgres.as_url(postgres.server()), "--schema", postgres.new_schema())
    assert main(["token", "create", *where]) == 0
    bearing = {"Authorization": f"Bearer {capsys.readouterr().out.strip()}"}
    with served(*where) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/v2/sequences").status_code == 401
        assert client.get("/v2/sequences", headers=bearing).json()["items"] == []
        status, rest = server.end()
    assert (status, rest) == (0, "stopped\n")
    assert "hidden" not in "".join(server.said)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_loopback_there_is_nothing_without_a_token(host, tmp_path, capsys):
    """An address that others reach is refused while no token is in force, with what to do; a revoked one is none."""
    db = str(tmp_path / "crm.db")
    for _ in range(2):
        assert main(["serve", "--db", db, "--host", host, "--port", "0"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "no token is in force" in said.err
        assert "`sequencer token create`" in said.err
        main(["token", "create", "--db", db])
        main(["token", "revoke", "1", "--db", db])
        capsys.readouterr()


def test_beyond_loopback_with_a_token(monkeypatch):
    """With a token in force any address is listened on, and nobody comes in without it, be it from this machine."""
    store = MemoryStore()
    _, secret = Tokens(store).create()
    apps, asked, told = [], [], list[Serving]()

    def listening(address, **options):
        asked.append(address)
        return socket.socket(options["family"])  # which is bound nowhere: nothing here is for other machines

    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: apps.append(server.config.app))
    monkeypatch.setattr(socket, "create_server", listening)
    serve(Engine(store=store), host="0.0.0.0", port=8000, started=told.append)

    assert asked == [("0.0.0.0", 8000)]
    assert [each.is_open for each in told] == [False]

    async def answer(**headers: str) -> int:
        transport = httpx.ASGITransport(apps[0])
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            return (await client.get("/v2/sequences")).status_code

    assert asyncio.run(answer()) == 401
    assert asyncio.run(answer(Authorization=f"Bearer {secret}")) == 200


def test_where_it_cannot_listen(tmp_path, capsys):
    """A port that is taken, a host that there is not and a port that is none end with 2 and a sentence."""
    db = str(tmp_path / "crm.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for words, said in (
            (["--port", str(taken.getsockname()[1])], "ddress already in use"),
            (["--host", "nowhere.invalid"], "there is no 'nowhere.invalid'"),
            (["--host", "a" * 300], "to listen on"),
            (["--port", "65536"], "needs a port from 0 to 65535"),
            (["--timezone", "Mars/Olympus"], "Mars/Olympus"),
        ):
            assert main(["serve", "--db", db, *words]) == 2, words
            err = capsys.readouterr().err
            assert said in err
            assert "Traceback" not in err


def test_what_is_under_way_is_finished(tmp_path, monkeypatch):
    """A request that came before the signal is answered, also when its store takes longer than the signal."""
    began, go_on = threading.Event(), threading.Event()

    class Slow(SQLiteStore):
        def transaction(self, connection=None, *, write=True):
            if began.is_set():
                assert go_on.wait(10)
            return super().transaction(connection, write=write)

    store = Slow(tmp_path / "crm.db")
    served, servers = list[Serving](), list[uvicorn.Server]()
    listens = threading.Event()
    run = uvicorn.Server.run

    def running(server, sockets):
        servers.append(server)
        run(server, sockets)

    def started(serving):
        served.append(serving)
        listens.set()

    monkeypatch.setattr(uvicorn.Server, "run", running)
    thread = threading.Thread(target=serve, args=(Engine(store=store),), kwargs={"port": 0, "started": started})
    thread.start()
    assert listens.wait(10)
    answers = []

    def ask():
        began.set()
        answers.append(httpx.get(f"{served[0].url}/v2/sequences", timeout=20).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(10)
    while not servers[0].server_state.tasks:
        threading.Event().wait(0.01)
    servers[0].should_exit = True
    threading.Event().wait(0.3)
    go_on.set()
    asking.join(20)
    thread.join(20)
    store.close()
    assert answers == [200]
    assert not thread.is_alive()


@contextmanager
def serving_here(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[tuple[str, uvicorn.Server]]:
    """`serve` on a thread of this process: where, and its server, which ends with the block."""
    servers, told, run = list[uvicorn.Server](), list[Serving](), uvicorn.Server.run
    listens = threading.Event()

    def started(serving: Serving) -> None:
        told.append(serving)
        listens.set()

    def running(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        servers.append(server)
        run(server, sockets)

    monkeypatch.setattr(uvicorn.Server, "run", running)
    thread = threading.Thread(target=serve, args=(engine,), kwargs={"port": 0, "started": started})
    thread.start()
    assert listens.wait(10)
    try:
        yield told[0].url, servers[0]
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def test_no_answer_waits_for_an_acknowledgement(monkeypatch):
    """Each connection that is accepted sends what it has at once: TCP_NODELAY is set on it."""
    with serving_here(monkeypatch, Engine(store=MemoryStore())) as (url, server), httpx.Client() as client:
        assert client.get(f"{url}/v2/sequences").status_code == 200
        accepted = [each.transport.get_extra_info("socket") for each in server.server_state.connections]
        assert len(accepted) == 1
        assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in accepted] == [1]


def test_ports_are_whole_numbers():
    """The function refuses what is no port, before anything listens."""
    for wrong in (-1, 65536, "80", True, None):
        with pytest.raises(InvalidInput) as refusal:
            serve(Engine(store=MemoryStore()), port=wrong)
        assert refusal.value.path == "port"
    with pytest.raises(NoToken, match="token create"):
        serve(Engine(store=MemoryStore()), host="0.0.0.0")


def test_without_the_extra_it_says_which(tmp_path):
    """Where FastAPI is not installed, the commands name the extra that brings it, and nothing else happens."""
    script = (
        "import sys; sys.modules['fastapi'] = sys.modules['uvicorn'] = sys.modules['starlette.requests'] = None;"
        "from sequencer.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for words in (["serve"], ["token", "create"]):
        command = [sys.executable, "-c", script, *words, "--db", "crm.db"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert "sequencer[http]" in done.stderr
    assert not list(Path(tmp_path).iterdir())
