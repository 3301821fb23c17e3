"""Runs beside each other: means within their intervals, nothing apart from itself, rows by what they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.delays import Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.simulation.comparing import differences, intervals
from sequencer.simulation.study import Study, compare, simulate
from tests.simulation.stories import START, Story, stories
from tests.simulation.test_simulator import only


def numbers(value: Any, names: frozenset[str]) -> Iterator[dict[str, float]]:
    """All leaves that have exactly these names."""
    if isinstance(value, dict):
        if names <= value.keys():
            yield value
        else:
            for each in value.values():
                yield from numbers(each, names)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each, names)


SPREAD, APART = frozenset({"mean", "low", "high"}), frozenset({"this", "other", "difference", "low", "high"})


@given(stories(), st.integers(1, 4))
def test_means_lie_within_their_intervals(story: Story, runs: int) -> None:
    """Whatever happens, each mean is from its low to its high, and in one run all three are the number itself."""
    documents = [each.to_dict() for each in simulate(story.study(), runs=runs).runs]
    found = intervals(documents)
    leaves = list(numbers(found, SPREAD))
    assert leaves
    for each in leaves:
        if runs == 1:
            assert each["mean"] == each["low"] == each["high"]
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(intervals(documents)))
    for name, each in found["outcomes"].items():
        counts = [document["outcomes"].get(name, 0) for document in documents]
        assert each["mean"] == pytest.approx(sum(counts) / runs, abs=1e-4)
        assert min(counts) <= each["low"] <= each["high"] <= max(counts)
    assert [row["date"] for row in found["per_day"]] == sorted(
        {row["date"] for document in documents for row in document["per_day"]}
    )


@given(stories(), st.integers(1, 3))
def test_nothing_differs_from_itself(story: Story, runs: int) -> None:
    """A study compared with itself differs by exactly nothing, everywhere."""
    result = simulate(story.study(), runs=runs)
    document = compare(result, simulate(story.study(), runs=runs), "itself")
    leaves = list(numbers(document["compare"], APART))
    assert leaves
    for each in leaves:
        assert each["difference"] == each["low"] == each["high"] == 0
        assert each["this"] == each["other"]
    assert json.loads(json.dumps(document)) == document


def design(key: str, *between: Step) -> Sequence:
    """Two mails with a key each, and something between them."""
    return Sequence(
        key.title(),
        [Step(AutomatedEmail(1), key="hello"), *between, Step(AutomatedEmail(2), Hours(24), key="again")],
        key=key,
    )


def test_designs_with_other_keys_share_their_luck_and_their_rows() -> None:
    """Under another key the same design differs by nothing; a step that only one of them has stands beside nothing."""
    study = Study(sequences=(design("one"),), scenario=only(replied=0.2), start=START, enrollments=300, seed=2)
    result = simulate(study, runs=3)
    renamed = compare(result, simulate(attrs.evolve(study, sequences=(design("two"),)), runs=3), "two.yaml")
    assert all(each["difference"] == 0 for each in numbers(renamed["compare"], APART))
    longer = attrs.evolve(study, sequences=(design("two", Step(Task("Call"), Hours(1), key="call")),))
    compared = compare(result, simulate(longer, runs=3), "two.yaml")["compare"]
    (rows,) = [each["steps"] for each in compared["per_sequence"]]
    by_key = {each["key"]: each for each in rows}
    assert by_key.keys() == {"hello", "again", "call"}
    assert by_key["hello"]["done"]["difference"] == 0
    assert by_key["call"]["done"]["this"] == 0
    assert by_key["call"]["done"]["other"] == by_key["call"]["done"]["difference"] > 0
    assert by_key["again"]["done"]["this"] > 0


def test_rows_of_days_and_actors_stand_beside_their_own() -> None:
    """A day or an actor that only one run has is 0 in the other, and no other day's or actor's."""
    study = Study(sequences=(design("one"),), scenario=only(), start=START, enrollments=40, seed=2)
    document = simulate(study).answers.to_dict()
    day, actor = document["per_day"][0], document["per_actor"][0]
    other = {
        **document,
        "per_day": [{**day, "date": "2030-01-01"}],
        "per_actor": [{**actor, "actor_id": "somebody"}],
        "outcomes": {},
    }
    found = differences([document], [other])
    first, last = found["per_day"][0], found["per_day"][-1]
    assert (first["date"], last["date"]) == (day["date"], "2030-01-01")
    assert last["enrolled"] == {name: last["enrolled"][name] for name in APART}
    assert (last["enrolled"]["this"], last["enrolled"]["other"]) == (0, day["enrolled"])
    assert (first["enrolled"]["this"], first["enrolled"]["other"]) == (day["enrolled"], 0)
    assert [each["actor_id"] for each in found["per_actor"]] == [1, "somebody"]
    assert found["outcomes"]["completed"]["difference"] == -document["outcomes"]["completed"]


def test_intervals_are_of_the_middle_nine_tenths() -> None:
    """Of 21 runs with 0 to 20, 90 % lie from 1 to 19, whatever their order; nothing is divided by nothing."""
    empty: dict[str, Any] = {
        "people": {},
        "totals": {},
        "per_day": [],
        "per_sequence": [],
        "per_actor": [],
        "sends": [],
    }
    runs = [{**empty, "outcomes": {"completed": n}} for n in (*range(1, 21, 2), *range(0, 21, 2))]
    assert intervals(runs)["outcomes"]["completed"] == {"mean": 10.0, "low": 1, "high": 19}
    nothing = {**empty, "outcomes": {"completed": None}}
    assert intervals([nothing, nothing])["outcomes"]["completed"] is None
    assert differences([nothing], [runs[0]])["outcomes"]["completed"] is None


def test_what_is_compared_has_as_many_runs() -> None:
    """Runs are paired, so there must be as many of both."""
    study = Study(sequences=(design("one"),), start=START, enrollments=5)
    with pytest.raises(InvalidInput, match="as many runs"):
        compare(simulate(study), simulate(study, runs=2), "x")
