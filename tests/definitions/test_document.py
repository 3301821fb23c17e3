"""Documents that never were a file: from a store, from HTTP, from a program."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given

from sequencer.core.document import from_document, to_document
from sequencer.core.errors import DefinitionError
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.values import respelled
from sequencer.definitions import from_sell
from sequencer.testing.strategies.texts import identifiers


def document(**changes):
    return to_document(Sequence("x", [Step(Task("Call"))])) | changes


def codes_of(data) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as caught:
        from_document(data)
    return [(problem.code, problem.path) for problem in caught.value.problems]


CIRCLE: list = []
CIRCLE.append(CIRCLE)
LAUGHS: list = ["lol"]
for _ in range(20):
    LAUGHS = [LAUGHS] * 10


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "invalid_type"),
        ([], "invalid_type"),
        ("name: x", "invalid_type"),
        (document(metadata={"a": float("nan")}), "not_finite"),
        (document(metadata={"a": 2**64}), "out_of_range"),
        (document(metadata={"a": 10**5000}), "out_of_range"),
        (document(metadata={10**5000: 1}), "out_of_range"),
        (document(metadata={"a": b"bytes"}), "invalid_type"),
        (document(metadata={"a": {1, 2}}), "invalid_type"),
        (document(metadata={"a": object()}), "invalid_type"),
        (document(metadata={None: 1}), "invalid_key"),
        (document(metadata={True: 1}), "invalid_key"),
        (document(metadata={"\ud800": 1}), "invalid_text"),
        (document(metadata={"a": "\x00"}), "invalid_text"),
        (document(metadata={"a": CIRCLE}), "too_deep"),
        (document(metadata={"a": LAUGHS}), "too_many_values"),
        (document(name="\ud800"), "invalid_text"),
        (document(calendar={"holidays": {"country": "PL"}}), "unknown_country"),
        (document(**{"\n": 1}), "unknown_key"),
        (document(**{"a" * 100_000: 1}), "unknown_key"),
    ],
)
def test_hostile_data_is_refused(given, code):
    """Whatever a program hands in, the answer is a `DefinitionError` with short messages that can be printed."""
    assert code in [each[0] for each in codes_of(given)]
    with pytest.raises(DefinitionError) as caught:
        from_document(given)
    for problem in caught.value.problems:
        assert len(problem.message) <= 400
        str(problem).encode()


def test_paths_name_the_place():
    """Problems of a document have paths, and neither line nor column."""
    step = {"action_type": "task", "delay_from_previous_step_unit": "weeks", "action_properties": {"a.b": 1}}

    assert codes_of(document(steps=[*document()["steps"], step])) == [
        ("missing", "steps[1].delay_from_previous_step"),
        ("invalid_value", "steps[1].delay_from_previous_step_unit"),
        ("unknown_key", 'steps[1].action_properties["a.b"]'),
        ("missing", "steps[1].action_properties.task_content"),
    ]


def test_what_python_accepts_a_document_accepts():
    """What a sequence made in Python may not keep is refused there, not only when its document is read."""
    steps = [Step(AutomatedEmail(1))]
    wrongs: tuple[dict, ...] = (
        {"assume": {"bogus": 1}},
        {"assume": []},
        {"expect": [{"max_emails": {"count": "3", "days": 7}}]},
        {"expect": {"max_duration": {"hours": 1}}},
        {"silence": [{"finding": "mails_close"}]},
        {"silence": [{"finding": "mails_close", "step": 1, "because": "so"}]},
        {"silence": [{"finding": "mails_closer", "because": "so"}]},
        {"metadata": {"a": "\x07"}},
        {"metadata": {"a": 2**63}},
        {"metadata": {"a": CIRCLE}},
        {"metadata": {"a": [[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}},
    )
    for wrong in wrongs:
        with pytest.raises(DefinitionError):
            Sequence("x", steps, **wrong)


@given(identifiers().filter(lambda id: respelled(id) is not None), identifiers())
def test_a_number_and_a_text_are_two_templates(id, another):
    """A mail whose text is there under the other spelling of its id alone is refused; with its own it is not (S7)."""
    other, text = respelled(id), Template("Hello", "Hi")
    mails = [Step(AutomatedEmail(id)), Step(AutomatedEmail(another))]
    assert other is not None
    assume(another not in (id, other))

    with pytest.raises(DefinitionError) as caught:
        Sequence("x", mails, templates={other: text, another: text})
    assert [(each.code, each.path) for each in caught.value.problems] == [
        ("unknown_template", "steps[0].action_properties.email_template_id")
    ]
    assert f"there is no template {id!r}, but there is {other!r}" in str(caught.value)

    Sequence("x", mails, templates={another: text})
    Sequence("x", [*mails, Step(AutomatedEmail(other))], templates={other: text})
    for templates in ({id: text}, {id: text, other: text}):
        kept = Sequence("x", mails, templates=templates)
        assert from_document(json.loads(json.dumps(to_document(kept)))) == kept


def sell(steps=None, **changes):
    steps = [sell_step(0), sell_step(1)] if steps is None else steps
    data = {"id": 7, "name": "From Sell", "steps_total": len(steps), "steps": {"items": steps, "meta": {}}}
    return {"data": data | changes, "meta": {"type": "sequence"}}


def sell_step(position, **changes):
    data = {
        "id": 900 + position,
        "position": position,
        "action_type": "task",
        "delay_from_previous_step": position,
        "delay_from_previous_step_unit": "hours",
        "action_properties": {"task_content": f"Call {position}"},
    }
    return {"data": data | changes, "meta": {"type": "step"}}


def sell_problems(answer) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as caught:
        from_sell(answer)
    return [(problem.code, problem.path) for problem in caught.value.problems]


def test_sells_answers():
    """One of Sell's answers is a sequence in the caller's zone, with its way to unsubscribe, its steps by position."""
    settings = {"enabled": True, "locale": "pl-PL"}
    (sequence,) = from_sell(
        sell([sell_step(1), sell_step(0)], unsubscribe_settings=settings, creator_id=1), timezone="Asia/Tokyo"
    )

    assert [step.action for step in sequence.steps] == [Task("Call 0"), Task("Call 1")]
    assert sequence.calendar.timezone == "Asia/Tokyo"
    assert sequence.policy.unsubscribe.enabled
    assert sequence.policy.unsubscribe.locale == "pl-PL"
    assert from_sell(sell(unsubscribe_settings=None))[0].policy.unsubscribe.enabled is False


def test_sells_collections():
    """A page of Sell's is as many sequences, and two of one name are refused, since the name is the key."""
    page = {"items": [sell(), sell(name="Other")], "meta": {"type": "collection", "count": 2, "links": {"self": "..."}}}

    assert [sequence.name for sequence in from_sell(page)] == ["From Sell", "Other"]
    assert sell_problems({"items": [sell(), sell()]}) == [("duplicate_name", "items[1].data.name")]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (sell(nam="x"), ("unknown_key", "data.nam")),
        (sell(steps_total=3), ("incomplete", "data.steps_total")),
        (sell(unsubscribe_settings={"enabled": "yes"}), ("invalid_type", "data.unsubscribe_settings.enabled")),
        (sell(name=" "), ("blank", "data.name")),
        (sell([]), ("too_few_steps", "data.steps.items")),
        (sell([sell_step(0), sell_step(0)]), ("invalid_position", "data.steps.items[1].data.position")),
        (sell([sell_step(1)]), ("invalid_position", "data.steps.items[0].data.position")),
        (
            sell([sell_step(1, delay_from_previous_step="1"), sell_step(0)]),
            ("invalid_delay", "data.steps.items[0].data.delay_from_previous_step"),
        ),
        (sell([{"data": 1}]), ("invalid_type", "data.steps.items[0].data")),
        (sell([1]), ("invalid_type", "data.steps.items[0]")),
        ({"data": 1}, ("invalid_type", "data")),
        ({"data": sell()["data"], "meta": {"type": "step"}}, ("invalid_value", "meta.type")),
        ({"data": sell()["data"], "mata": {}}, ("unknown_key", "mata")),
        ({"items": {}}, ("invalid_type", "items")),
    ],
)
def test_sells_answers_that_are_not_right(answer, problem):
    """What is wrong with an answer of Sell's is reported by its place in that answer."""
    assert problem in sell_problems(answer)
