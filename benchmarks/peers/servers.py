"""PostgreSQL and Redis on loopback, on a free port, with settings under which what is committed survives the power.

Each is a child of this process, with its data in a folder of the run, and ends with it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.peers.install import Peers

__all__ = ["Server", "database", "postgresql", "redis"]


@attrs.frozen
class Server:
    """A running server: where clients find it, and the process to measure."""

    place: str
    pid: int


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start: {log.read_text()[-2000:]}")


@contextmanager
def _running(command: list[str], port: int, log: Path, **given: object) -> Iterator[int]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **given)  # type: ignore[call-overload]
    try:
        _until_it_listens(port, process, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def postgresql(peers: Peers, folder: Path) -> Iterator[Server]:
    """A new cluster: fsync and synchronous_commit on (the defaults, said aloud)."""
    data, port = folder / "postgresql", _free_port()
    data.mkdir(mode=0o700)
    user = {}
    if os.getuid() == 0:
        # It refuses to run as root.
        folder.chmod(0o711)
        shutil.chown(data, "nobody", "nogroup")
        user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    programs = peers.postgresql
    subprocess.run(
        [programs / "initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--pgdata", data],
        check=True,
        capture_output=True,
        cwd="/",
        **user,  # type: ignore[call-overload]
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _running(command, port, folder / "postgresql.log", cwd="/", **user) as pid:
        place = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        _until_it_answers(programs, place)
        yield Server(place, pid)


def _until_it_answers(programs: Path, place: str) -> None:
    # It listens before it takes connections.
    for _ in range(200):
        if subprocess.run([programs / "pg_isready", "-q", "-d", place], check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL does not answer at {place}")


def database(peers: Peers, server: Server, name: str) -> str:
    """A new database in a running server."""
    subprocess.run(
        [peers.postgresql / "psql", "-q", server.place, "-c", f"CREATE DATABASE {name}"],
        check=True,
        capture_output=True,
    )
    return server.place.rpartition("/")[0] + "/" + name


@contextmanager
def redis(peers: Peers, folder: Path) -> Iterator[Server]:
    """A new server that appends every command to its log and syncs it before it answers."""
    found = peers.redis()
    if found is None:
        raise RuntimeError("there is no redis-server: apt-get download failed, and there is none on the path")
    program, environment = found
    data, port = folder / "redis", _free_port()
    data.mkdir()
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
    }
    command = [program, *(part for name, value in settings.items() for part in (f"--{name}", value))]
    with _running(command, port, folder / "redis.log", env=environment) as pid:
        yield Server(f"redis://127.0.0.1:{port}/0", pid)
