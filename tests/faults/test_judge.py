"""The judge can see: every kind of violation is planted and counted, and an engine that is broken on purpose fails."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from sequencer.core.enrollment import changed
from sequencer.engine.delivery import HandOverPass
from sequencer.stores.transaction import StoreTransaction
from tests.faults import deaths, races, rivals
from tests.faults.judge import Departure, Look, judge
from tests.faults.stages import SIZES, evidence, stage
from tests.faults.tally import COLUMNS, Tally
from tests.faults.world import DONE, START, Wire, World


@pytest.fixture(scope="module")
def whole():
    """What is left after a story in which nothing went wrong."""
    with stage("memory") as made:
        world = World(made, "deduplicates", "deduplicates")
        ids = deaths.story(world)
        by_hand = {ids[deaths.REPLIED - 1], ids[deaths.LEFT - 1]}
        return evidence(made, enrolled=ids, log=world.log, embedded=False, by_hand=by_hand)


def of(found, **counts):
    """Exactly these counts, and all others zero."""
    tally = judge(found)
    wrong = {name: count for name, count in tally.counts().items() if count}
    assert wrong == counts, tally.notes
    return tally


def altered(found, id, **fields):
    return attrs.evolve(found, enrollments={**found.enrollments, id: changed(found.enrollments[id], fields)})


def test_what_went_well_counts_nothing(whole):
    """Of a run in which nothing went wrong the judge says nothing."""
    assert of(whole).missed(0) == []


def test_an_enrollment_that_is_gone_is_lost(whole):
    """What `enroll` had returned and is not stored is lost."""
    of(attrs.evolve(whole, enrolled=[*whole.enrolled, 999]), lost=1)


def test_a_mail_that_never_left_is_lost(whole):
    """A step that says it is completed, while the mailer knows of no mail, is lost."""
    of(attrs.evolve(whole, log=[each for each in whole.log if (each.id, each.position) != (1, 2)]), lost=1)


def test_a_step_that_nobody_cancelled_is_lost(whole):
    """A step that was cancelled without anybody having asked for it is lost."""
    tally = of(attrs.evolve(whole, by_hand=[deaths.LEFT]), lost=3)
    assert all(f"enrollment {deaths.REPLIED}" in note for note in tally.notes)


def test_a_mail_that_left_twice_is_doubled(whole):
    """A second departure of the same step is doubled, whatever its key."""
    first = next(each for each in whole.log if (each.id, each.position) == (1, 3))
    again = attrs.evolve(first, key=f"{first.key}-again", at=first.at + timedelta(seconds=1))
    tally = of(attrs.evolve(whole, log=[*whole.log, again]), doubled=1)
    assert tally.missed(0) == ["doubled = 1, of which 0 are allowed"]
    tally.allow(1)
    assert tally.missed(0) == []


def test_a_person_who_is_enrolled_twice_is_doubled(whole):
    """Two enrollments of one resource in one sequence, where one was asked for, are doubled."""
    twin = changed(whole.enrollments[1], {"resource": whole.enrollments[2].resource})
    found = attrs.evolve(whole, enrollments={**whole.enrollments, 1: twin})
    assert judge(found).doubled == 1


def test_a_mail_before_its_estimate_is_early(whole):
    """A departure before what the store had planned is early, and so is one before its delay is over."""
    log = list(whole.log)
    at = next(i for i, each in enumerate(log) if (each.id, each.position) == (1, 3))
    sooner = attrs.evolve(log[at], at=log[at].look.estimate - timedelta(microseconds=1))
    of(attrs.evolve(whole, log=[*log[:at], sooner, *log[at + 1 :]]), early=2)
    hurried = attrs.evolve(log[at], at=log[at].at - timedelta(hours=10), look=None)
    found = attrs.evolve(whole, log=[*log[:at], hurried, *log[at + 1 :]], unmarked=1)
    of(found, early=1)


def test_a_closed_calendar_is_seen(whole):
    """A mail that leaves when the calendar is closed is early."""
    mails = sum(whole.enrollments[each.id].steps[each.position].step.is_email for each in whole.log)
    of(attrs.evolve(whole, is_open=lambda enrollment, at: False), early=mails)


@pytest.mark.parametrize(
    "look",
    [
        {"state": "blocked"},
        {"state": "finished"},
        {"current": 0},
        {"status": "pending"},
    ],
    ids=str,
)
def test_a_hand_over_that_must_not_be_is_out_of_order(whole, look):
    """A departure while the store had it blocked, finished, elsewhere or not asked for is out of order."""
    log = list(whole.log)
    at = next(i for i, each in enumerate(log) if (each.id, each.position) == (1, 3))
    log[at] = attrs.evolve(log[at], look=attrs.evolve(log[at].look, **look))
    of(attrs.evolve(whole, log=log), out_of_order=1)


def test_steps_in_the_wrong_order_are_seen(whole):
    """A departure after that of a later step is out of order."""
    log = list(whole.log)
    one, other = (next(i for i, e in enumerate(log) if (e.id, e.position) == (1, p)) for p in (2, 3))
    log[one], log[other] = log[other], log[one]
    of(attrs.evolve(whole, log=log), out_of_order=1)


def test_a_call_without_a_start_mark_is_out_of_order(whole):
    """A departure by a port that cannot tell a repeat needs a start mark in the history."""
    log = [attrs.evolve(each, look=None) if (each.id, each.position) == (1, 3) else each for each in whole.log]
    of(attrs.evolve(whole, log=log), out_of_order=1)


def test_a_departure_of_nobody_is_corrupt(whole):
    """A mail for an enrollment that is not there cannot have come about rightly."""
    look = Look("active", 0, "requested", whole.log[0].at)
    of(attrs.evolve(whole, log=[*whole.log, Departure(999, 0, "k", whole.log[0].at, look)]), corrupt=1)


def test_what_goes_no_further_is_stuck(whole):
    """An active enrollment in the end, one under a claim, one blocked for no known reason, and too many parked."""
    of(attrs.evolve(whole, claimed={1}), stuck=1)
    _, stuck, corrupt = (
        judge(altered(whole, 1, state=_state("active"))).counts()[n] for n in ("lost", "stuck", "corrupt")
    )
    assert (stuck, corrupt) == (1, 1)
    for reason in ("paused", None, "outcome_unknown"):
        assert judge(altered(whole, 1, state=_state("blocked"), blocked_reason=reason)).stuck == 1


def _state(name):
    from sequencer.core.statuses import EnrollmentState

    return EnrollmentState(name)


def test_a_history_that_gives_another_enrollment_is_corrupt(whole):
    """A stored enrollment that its history does not give, a gap in the history, and what the store's check finds."""
    of(altered(whole, 1, actor_id=99), corrupt=1)
    gap = {**whole.histories, 1: [event for event in whole.histories[1] if event.number != 3]}
    of(attrs.evolve(whole, histories=gap), corrupt=1)
    of(attrs.evolve(whole, problems=["integrity_check: page 3 is never used"]), corrupt=1)


def test_a_way_that_there_is_not_is_corrupt(whole):
    """A history in which a completed step becomes pending again is corrupt, although it replays."""
    history = list(whole.histories[1])
    last = history[-1]
    event = attrs.evolve(last, number=last.number + 1, type="noted", own={}, facts={},
                         steps={0: {"status": type(whole.enrollments[1].steps[0].status)("pending")}})  # fmt: skip
    steps = whole.enrollments[1].steps
    steps = (changed(steps[0], {"status": event.steps[0]["status"]}), *steps[1:])
    found = altered(whole, 1, steps=steps, revision=event.number, updated_at=event.at)
    found = attrs.evolve(found, histories={**whole.histories, 1: [*history, event]})
    assert judge(found).corrupt == 1


def test_a_mark_of_what_is_blocked_is_out_of_order(whole):
    """A start mark in a history while the enrollment is blocked is out of order."""
    history = list(whole.histories[deaths.BLOCKED])
    at = next(i for i, event in enumerate(history) if event.type == "resumed")
    mark = attrs.evolve(history[at], type="hand_over_started", position=1, own={}, facts={}, steps={1: {}})
    renumbered = [attrs.evolve(e, number=i) for i, e in enumerate([*history[:at], mark, *history[at:]], start=1)]
    found = altered(whole, deaths.BLOCKED, revision=len(renumbered))
    found = attrs.evolve(found, histories={**whole.histories, deaths.BLOCKED: renumbered})
    assert judge(found).out_of_order == 1


def test_the_gate_adds_up():
    """Every count but the injected and the allowed ones misses the gate, and so does a fault that did not happen."""
    for name in COLUMNS:
        tally = Tally(injected=1)
        tally.found(name, "planted")
        assert bool(tally.missed()) == (name not in ("injected", "allowed_doubled"))
    assert Tally().missed() == ["injected = 0, which is less than 1"]


# -- broken on purpose ----------------------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch):
    """Break something of the engine or its stores for the time of a test."""
    return monkeypatch.setattr


def test_a_dropped_start_mark_is_counted(broken):
    """A worker that calls without its mark sends twice after a death, and the harness counts it."""
    broken(HandOverPass, "_mark", lambda self, work, effect, handling, address=None: True)
    wire, tally = Wire(), Tally()
    deaths.run("memory", "at_most_once", "embedded", wire)

    for at in [at for at, what in enumerate(wire.points, 1) if what == DONE]:
        tally.add(deaths.run("memory", "at_most_once", "embedded", Wire({at})))

    assert tally.doubled > tally.allowed_doubled
    assert tally.out_of_order > 0


def test_a_store_that_believes_stale_claims_is_counted(broken):
    """A store that ignores the fencing token is found out by the sleeping worker."""
    save = StoreTransaction.save
    broken(
        StoreTransaction,
        "save",
        lambda self, enrollment, events, *, fence=None, release=False: save(self, enrollment, events, release=release),
    )

    assert rivals.stale("memory", SIZES["small"]).corrupt > 0


def test_a_mark_that_looks_at_nothing_is_counted(broken):
    """A fresh look that always confirms lets mails go out after finish and block, and the race counts them."""
    broken(StoreTransaction, "look", lambda self, enrollment, fence, address: False)

    assert races.races("memory", SIZES["small"]).out_of_order > 0


def test_a_store_that_loses_its_last_commit_is_counted():
    """A store whose last commit is not there after a death has lost what `enroll` had returned."""
    with stage("memory") as made:
        world = World(made, "deduplicates", "embedded")
        ids = [world.engine.enroll(deaths.FLOW, deaths.person(n)).id for n in (1, 2)]
        world.store._tables._write(ids[-1], None)
        world.store._tables.keep()
        world.restart()
        world.work(START + timedelta(days=30))

        assert judge(evidence(made, enrolled=ids, log=world.log)).lost == 1
