"""The benchmarks measure what their page says, and compare like with like."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import comparing, planning, vectors
from benchmarks.__main__ import QUESTIONS
from benchmarks.deciding import walk
from benchmarks.measuring import Figure, Question
from benchmarks.peers import install
from benchmarks.peers.running import run
from benchmarks.peers.work import Post, mailed
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.instants import from_microseconds, to_instant, to_microseconds
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import AutomatedEmail, Step
from sequencer.core.timeline import estimate, plan

PAGE = (Path(__file__).resolve().parent.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")


def test_the_page_lists_every_question():
    """What can be asked stands in the table of the page, in the same order, and nothing else does."""
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE) == list(QUESTIONS)


@given(minutes=st.integers(0, 5 * 525_600), days=st.integers(1, 12))
def test_both_closed_forms_are_the_same_arithmetic(minutes, days):
    """The plain and the pendulum closed form give the instants that the core gives, so the comparison is fair."""
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ours = estimate(Calendar(planning.ZONE), Step(AutomatedEmail(1), Weekdays(days)), to_instant(moment))

    assert ours == planning.plain(moment, days)


@cache
def by_hand() -> vectors.ByHand:
    return vectors.ByHand()


@given(st.lists(st.tuples(st.integers(0, 365 * 86_400 - 1), st.integers(0, 3)), min_size=1, max_size=20))
def test_numpy_by_hand_is_the_same_arithmetic(leads):
    """What is written by hand in numpy gives the instants that `plan` gives, so the comparison is fair."""
    seconds, codes = (np.array(each) for each in zip(*leads, strict=True))
    starts = (int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) + seconds) * 1_000_000
    found = by_hand().plan(starts, codes)

    for row, (start, code) in enumerate(zip(starts.tolist(), codes.tolist(), strict=True)):
        timeline = plan(vectors.SEQUENCE, from_microseconds(start), timezone=vectors.ZONES[code])
        assert found[row].tolist() == [to_microseconds(step.estimated_execute_at) for step in timeline]


def test_a_population_is_the_same_in_every_run():
    """The leads of the benchmark are drawn from a seed: all in one year, in every zone, over every clock change."""
    starts, codes = vectors.population(1_000)

    assert (starts == vectors.population(1_000)[0]).all()
    assert {pendulum.from_timestamp(at // 1_000_000).year for at in starts.tolist()} == {2026}
    assert set(codes.tolist()) == set(range(len(vectors.ZONES)))


def test_the_walk_lives_a_whole_life():
    """The decisions that are timed take an enrollment of six steps from its first hand-over to its end."""
    *_, (enrollment, signal, now) = walk()

    assert len(enrollment.steps) == 6
    assert advance(enrollment, signal, now).enrollment.is_finished


def test_a_missed_bar_says_so():
    """A figure beyond its bar does not hold, in whichever direction the bar goes."""
    figure = Figure(3.0, {})

    assert not Question("most", "", 2, lambda: figure).answer()["holds"]
    assert Question("most", "", 3, lambda: figure).answer()["holds"]
    assert not Question("least", "", 4, lambda: figure, at_least=True).answer()["holds"]


def test_every_peer_is_a_program_with_a_promise():
    """All five peers are asked, each has its program beside the others, and each says what it guarantees."""
    folder = Path(install.__file__).parent

    assert {peer.name for peer in comparing.PEERS} == {
        "procrastinate",
        "DBOS",
        "Celery",
        "APScheduler",
        "SpiffWorkflow",
    }
    assert {peer.module for peer in comparing.PEERS} | {"on_sequencer"} == {
        path.stem for path in folder.glob("on_*.py")
    }
    assert all(peer.guarantees and peer.choices for peer in comparing.PEERS)
    assert {question.name for question in comparing.QUESTIONS if question.slow} == {"peers", "peers-batch"}


def test_the_page_shows_every_peer_with_its_promise():
    """The table of the page, which a run printed, has a line for each peer and each of our ways, promises included."""
    for peer in comparing.PEERS:
        assert re.search(
            rf"^\| {peer.name} \| {peer.store} \| .* \| {re.escape(peer.guarantees)} \|$", PAGE, re.MULTILINE
        )
    for name, way in comparing.OURS.items():
        assert re.search(rf"^\| \*\*sequencer\*\*, {name} \| .* \| {re.escape(way.guarantees)} \|$", PAGE, re.MULTILINE)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_the_post_sees_what_went_wrong(tmp_path_factory, sent):
    """What was lost, doubled or came too early is read from the file of mails, whatever was sent in whatever order."""
    path = tmp_path_factory.mktemp("post") / "mails"
    post = Post(str(path))
    for enrollment, position in sent:
        post.send(enrollment, position)
    found = mailed(path, enrollments=4, steps=3)

    first = list(dict.fromkeys(sent))
    assert found.mails == len(sent)
    assert found.lost == 12 - len(first)
    assert found.doubled == len(sent) - len(first)
    in_order = all(
        [p for e, p in first if e == each] == list(range(sum(e == each for e, _ in first))) for each in range(4)
    )
    assert (found.out_of_order == 0) == in_order


@pytest.mark.parametrize("way", list(comparing.OURS))
def test_ours_runs_as_it_is_measured(tmp_path, way):
    """Both of our ways, in a process of their own: every mail once and in order, with its time and its memory."""
    settings = comparing.OURS[way].settings["sqlite"]
    place = f"sqlite:///{tmp_path / 'store.db'}"
    done = run(sys.executable, "on_sequencer", place, settings, enrollments=30, steps=5)

    assert (done.lost, done.doubled, done.out_of_order) == (0, 0, 0)
    assert done.steps_per_second > 0
    assert done.peak_mib > 1
    json.dumps(done.to_dict())


def test_a_run_that_stops_says_why(tmp_path):
    """A program that does not come to its last mail is an error with what it said, not a figure."""
    with pytest.raises(RuntimeError, match=r"came to a stop after 0 mails(.|\n)*unable to open"):
        run(
            sys.executable,
            "on_sequencer",
            f"sqlite:///{tmp_path / 'nowhere' / 'store.db'}",
            {"limit": 1, "deduplicates": True, "workers": 1},
            enrollments=1,
            steps=1,
        )


def test_a_peer_that_did_not_run_is_not_beaten():
    """The figure is the least ratio of all peers; one that could not be run makes it 0, by name."""
    ran = {"peer": "a", "store": "sqlite", "guarantees": "some", "ratios": dict.fromkeys(comparing.OURS, 3.0)}
    faster = {**ran, "peer": "b", "ratios": dict.fromkeys(comparing.OURS, 2.0)}
    failed = {"peer": "c", "store": "redis", "guarantees": "others", "failed": "RuntimeError: no Redis"}
    way = next(iter(comparing.OURS))

    assert comparing.least(way, ({"versions": {}}, ran, faster)).figure == 2
    assert comparing.least(way, ({"versions": {}}, ran, failed, faster)).figure == 0
    assert "| c | redis | did not run |" in comparing.table([failed])


def test_ours_is_on_a_store_of_the_same_kind():
    """Beside a peer on SQLite ours runs on SQLite; beside one on a server of another kind the slower of ours counts."""
    assert comparing.stores_beside("sqlite") == ("sqlite",)
    assert "sqlite" in comparing.stores_beside("redis")
