"""A real Chromium for the tests, and pages in it that reach nothing but the files that they are made of.

The browser is the one that SEQUENCER_TEST_BROWSER names, or else one that is installed here (Chromium or Chrome), or
else, on Debian as root, one that is installed now from Debian's packages; no wheel brings one. Without any, the tests
that need it fail and say what to do.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["executable", "launched", "refused_by_policy", "shut_out"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PACKAGES = ("chromium", "fonts-dejavu-core")
# Nothing that a browser does on its own: no updates, no look-ups. A container has no sandbox to give to root.
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


class NoBrowserError(Exception):
    """There is no browser, and none could be installed."""


@functools.cache
def executable() -> str:
    """Where the browser is, installed if need be; the processes of a test run wait for the one that installs it."""
    given = os.environ.get("SEQUENCER_TEST_BROWSER") or _found()
    if given:
        return given
    with (Path(tempfile.gettempdir()) / "sequencer-browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _found() or _installed()
    if found is None:
        raise NoBrowserError(
            "these tests need Chromium or Chrome: install one (on Debian, `apt-get install chromium` as root), "
            "or set SEQUENCER_TEST_BROWSER to its executable"
        )
    return found


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def _installed() -> str | None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return None
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", *command],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise NoBrowserError(f"`apt-get {' '.join(command)}` failed: {done.stderr.strip()[-1000:]}")
    return _found()


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser, started with an empty profile, and ended."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def shut_out(page: Page, **options: Any) -> str:
    """Whom a page shuts out and how, as axe-core finds it; empty if nobody. `options` are its own."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options})
    return str(found.generate_report()) if found.violations_count else ""


def refused_by_policy(page: Page) -> list[str]:
    """What a page's own policy refuses of a script and a style that somebody puts into it; neither must have run."""
    refused: list[str] = page.evaluate(
        """() => new Promise(done => {
            const seen = [];
            document.addEventListener('securitypolicyviolation', event => {
                seen.push(event.effectiveDirective);
                if (seen.length === 2) done(seen.sort());
            });
            for (const name of ['script', 'style']) {
                const added = document.createElement(name);
                added.textContent = name === 'script' ? 'window.ran = true' : 'body {color: red}';
                document.head.append(added);
            }
        })"""
    )
    assert page.evaluate("window.ran === undefined")
    return refused
