"""Calling ports on threads: what hangs costs one time-out, and no thread is waited for in vain (law E4)."""

from __future__ import annotations

import os
import threading
import time

import pendulum
import pytest

from sequencer import Engine, ManualClock, MemoryStore, RecordingMailer
from sequencer.engine.calls import PortCalls


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_of_its_parent():
    """A server that forks its workers may have ticked before: each process makes threads of its own."""
    clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    engine = Engine(MemoryStore(), mailer=RecordingMailer(), clock=clock)
    engine.tick()
    child = os.fork()
    if child == 0:
        engine.tick()
        os._exit(0)
    deadline = time.monotonic() + 20
    ended = 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if not ended:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended
    assert status == 0


def test_an_interrupted_pass_leaves_no_thread_behind(monkeypatch):
    """The thread ends once the call under way is over."""
    before = set(threading.enumerate())
    calls, go_on = PortCalls(threads=True), threading.Event()

    def interrupted(self, done, patience):
        go_on.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("sequencer.engine.calls.Watch.until", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calls.watch(lambda watch: go_on.wait(10), lambda error: None, 10.0)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
