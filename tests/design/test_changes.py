"""What is different between two definitions is said once, whole, and at its place."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import attrs
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sequencer import AutomatedEmail, Calendar, Policy, Sequence, Step, Task, Template, Weekdays, Window
from sequencer.core.document import from_document, to_document
from sequencer.core.errors import DefinitionError
from sequencer.design.comparing.changes import changes
from sequencer.stores.contents import content_of
from sequencer.testing.strategies import sequences

OFFICE = Window(["mon", "tue", "wed", "thu", "fri"], "09:00", "17:00")
FULL = Sequence(
    "Inbound",
    [
        Step(AutomatedEmail(1), key="hello"),
        Step(Task("Call", skip_after=Weekdays(9)), Weekdays(2), key="call", metadata={"kind": "call"}),
        Step(AutomatedEmail(2, is_reply=True), Weekdays(1), key="last"),
    ],
    key="inbound",
    calendar=Calendar("Europe/Warsaw", holidays=["2026-12-25", "2026-12-26", "2027-01-01"], send_windows=[OFFICE]),
    metadata={"team": "A"},
    templates={1: Template("Hello", "Good day,\nhow are you?"), 2: Template("Again", "Still there?")},
    assume={"enrolled": {"from": "09:00", "to": "17:00"}, "tasks_done_within": {"weekdays": 3}},
    expect=[{"max_duration": {"weekdays": 30}}, {"min_between_emails": {"hours": 24}}],
    silence=[{"finding": "reply_changes_subject", "step": "last", "because": "they know us"}],
)


def edited(path: str, value: object, *, of: Sequence = FULL) -> Sequence:
    """A sequence with another value at one place of its document; `...` takes away what is there."""
    document = json.loads(json.dumps(to_document(of)))
    *keys, last = (int(key) if key.isdecimal() and "templates" not in path else key for key in path.split("."))
    place: Any = document
    for key in keys:
        place = place[key]
    if value is ...:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return from_document(document)


MAIL = {
    "action_type": "automated_email", "delay_from_previous_step": 3, "delay_from_previous_step_unit": "hours",
    "action_properties": {"email_template_id": 7, "is_reply": False},
}  # fmt: skip
WEEK = ["mon", "tue", "wed", "thu", "fri"]
# What is edited; then the kind, the consequence, the place in both files, and the sentence.
TABLE = [
    ("name", "Outbound", "changed", "version", "name", "name", 'The name is "Outbound" instead of "Inbound"'),
    ("key", "other", "changed", "identity", "key", "key", ('The key is "other" instead of "inbound": that is another '
     "sequence, and nobody can be moved from the one to the other")),
    ("timezone", "UTC", "changed", "timelines", "timezone", "timezone",
     "The clock, for people who bring no zone of their own, is that of UTC instead of Europe/Warsaw"),
    ("calendar.working_days", ["mon", "tue", "thu"], "changed", "timelines", "calendar.working_days",
     "calendar.working_days", "Working days are Monday, Tuesday and Thursday instead of Monday to Friday"),
    ("calendar.send_days", [*WEEK, "sun"], "changed", "timelines", "calendar.send_days", "calendar.send_days",
     "Mail may leave on Monday to Friday and Sunday instead of Monday to Friday"),
    ("calendar.holidays.dates", ["2026-12-25", "2026-12-26", "2027-01-01", "2027-01-06"], "added", "timelines",
     "calendar.holidays", "calendar.holidays", "2027-01-06 is a holiday now"),
    ("calendar.holidays.dates", ["2026-12-25"], "removed", "timelines", "calendar.holidays", "calendar.holidays",
     "2 dates are no holidays any more: 2026-12-26 and 2027-01-01"),
    ("calendar.send_windows.0.closes", "16:00", "changed", "timelines", "calendar.send_windows[0]",
     "calendar.send_windows[0]", ("On Monday to Friday mail may leave from 09:00 to 16:00 instead of from 09:00 to "
     "17:00")),
    ("calendar.send_windows.1", {"days": ["mon"], "opens": "18:00", "closes": "19:00"}, "added", "timelines", None,
     "calendar.send_windows[1]", "On Monday mail may leave from 18:00 to 19:00, too"),
    ("calendar.send_windows", [], "removed", "timelines", "calendar.send_windows[0]", None, ("Mail need not wait for "
     "Monday to Friday from 09:00 to 17:00; without windows, at any time of a day on which mail may leave")),
    ("policy.on.replied", "note", "changed", "version", "policy.on.replied", "policy.on.replied", ("When the person "
     "has replied (replied), the enrollment is left to go on, and it is noted; it was finished")),
    ("policy.on.out_of_office", {"block": {"weekdays": 2}}, "changed", "version", "policy.on.out_of_office",
     "policy.on.out_of_office", ("When the person is out of office (out_of_office), the enrollment is blocked for 2 "
     "working days; it was blocked for 5 working days")),
    ("policy.exclusive", "all", "changed", "version", "policy.exclusive", "policy.exclusive",
     "Who is in another sequence cannot be enrolled in this one, too"),
    ("policy.reenroll_after.days", 90, "changed", "version", "policy.reenroll_after", "policy.reenroll_after",
     "Somebody can be enrolled again after 90 days instead of 0 days"),
    ("policy.retry.attempts", 3, "changed", "version", "policy.retry.attempts", "policy.retry.attempts",
     "What fails for a while is tried 3 times in all instead of 5 times in all"),
    ("policy.retry.first", {"minutes": 5}, "changed", "version", "policy.retry.first", "policy.retry.first",
     "The first pause before it is tried again is 5 minutes instead of 1 minute"),
    ("policy.retry.factor", 2, "changed", "version", "policy.retry.factor", "policy.retry.factor",
     "Each further pause is longer than the one before by the factor 2 instead of 4"),
    ("policy.unsubscribe.enabled", True, "changed", "version", "policy.unsubscribe.enabled",
     "policy.unsubscribe.enabled", "Mails carry a way to unsubscribe"),
    ("policy.unsubscribe.locale", "pl", "changed", "version", "policy.unsubscribe.locale", "policy.unsubscribe.locale",
     "The language of the way to unsubscribe is pl instead of en-US"),
    ("metadata.team", "B", "changed", "version", "metadata.team", "metadata.team",
     'The sequence\'s metadata "team" is "B" instead of "A"'),
    ("metadata.team", ..., "removed", "version", "metadata.team", None,
     'The sequence\'s metadata "team" is gone: it was "A"'),
    ("metadata.owner", None, "added", "version", None, "metadata.owner",
     'The sequence\'s metadata "owner" is new: null'),
    ("steps.3", MAIL, "added", "timelines", None, "steps[3]",
     "Step 3 (mail 7) is new: 3 hours after the step before it"),
    ("steps.1", ..., "removed", "timelines", "steps[1]", None, "Step 1 call (task: Call) is gone"),
    ("steps.1.delay_from_previous_step", 1, "changed", "timelines", "steps[1].delay_from_previous_step",
     "steps[1].delay_from_previous_step", ("Step 1 call (task: Call) comes 1 working day instead of 2 working days "
     "after the step before it")),
    ("steps.1.delay_from_previous_step_unit", "hours", "changed", "timelines", "steps[1].delay_from_previous_step",
     "steps[1].delay_from_previous_step", ("Step 1 call (task: Call) comes 2 hours instead of 2 working days after the "
     "step before it")),
    ("steps.0.key", ..., "changed", "version", "steps[0].key", "steps[0].key",
     'Step 0 (mail 1) has no key any more; it was "hello"'),
    ("steps.0.action_properties.email_template_id", 7, "changed", "version",
     "steps[0].action_properties.email_template_id", "steps[0].action_properties.email_template_id",
     "Step 0 hello (mail 7) sends mail 7 instead of mail 1"),
    ("steps.2.action_properties.is_reply", False, "changed", "version", "steps[2].action_properties.is_reply",
     "steps[2].action_properties.is_reply", ("Step 2 last (mail 2) leaves as a mail of its own instead of as a reply, "
     "in the thread of the mail before it")),
    ("steps.1.action_properties.task_content", "Ring", "changed", "version", "steps[1].action_properties.task_content",
     "steps[1].action_properties.task_content", 'Step 1 call (task: Ring) says "Ring" instead of "Call"'),
    ("steps.1.action_properties.due_after", {"hours": 4}, "changed", "version", "steps[1].action_properties.due_after",
     "steps[1].action_properties.due_after",
     "Step 1 call (task: Call) counts as overdue after 4 hours instead of 1 working day"),
    ("steps.1.action_properties.skip_after", ..., "changed", "version", "steps[1].action_properties.skip_after",
     "steps[1].action_properties.skip_after",
     "Step 1 call (task: Call) is skipped by itself never instead of after 9 working days"),
    ("steps.1.metadata.kind", "visit", "changed", "version", "steps[1].metadata.kind", "steps[1].metadata.kind",
     'Step 1 call (task: Call): metadata "kind" is "visit" instead of "call"'),
    ("templates.1.subject", "Hi", "changed", "texts", "templates.1.subject", "templates.1.subject",
     'The subject of mail 1 is "Hi" instead of "Hello"'),
    ("templates.1.body", "Good day,\nwho are you?\nBye", "changed", "texts", "templates.1.body", "templates.1.body",
     "The text of mail 1 is another one: 1 line is gone and 2 lines are new"),
    ("templates.2", ..., "removed", "texts", "templates.2", None, "The text of mail 2 is gone"),
    ("templates.x", {"subject": "S", "body": "B"}, "added", "texts", None, "templates.x",
     'The text of mail x is new, with the subject "S"'),
    ("assume.tasks_done_within.weekdays", 5, "changed", "checks", "assume.tasks_done_within",
     "assume.tasks_done_within",
     "Taken for granted is tasks_done_within: {weekdays: 5} instead of tasks_done_within: {weekdays: 3}"),
    ("assume.tasks_done_within", ..., "removed", "checks", "assume.tasks_done_within", None,
     "It is not taken for granted any more: tasks_done_within: {weekdays: 3}"),
    ("assume.timezones", ["UTC"], "added", "checks", None, "assume.timezones",
     "It is taken for granted now: timezones: [UTC]"),
    ("expect.0.max_duration.weekdays", 20, "changed", "checks", "expect[0]", "expect[0]",
     "Expected is max_duration: {weekdays: 20} instead of max_duration: {weekdays: 30}"),
    ("expect.1", ..., "removed", "checks", "expect[1]", None,
     "It is not expected any more: min_between_emails: {hours: 24}"),
    ("expect.2", {"first_touch_within": {"hours": 2}}, "added", "checks", None, "expect[2]",
     "It is expected now: first_touch_within: {hours: 2}"),
    ("silence.0.because", "so be it", "changed", "checks", "silence[0]", "silence[0]",
     'The finding reply_changes_subject of step "last" is silenced, because of "so be it" instead of "they know us"'),
    ("silence", [], "removed", "checks", "silence[0]", None,
     'The finding reply_changes_subject of step "last" is not silenced any more'),
    ("silence.1", {"finding": "mails_close", "because": "urgent"}, "added", "checks", None, "silence[1]",
     'The finding mails_close is silenced now, because of "urgent"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "kind", "consequence", "old_path", "new_path", "sentence"),
    TABLE,
    ids=[path for path, *_ in TABLE],
)
def test_each_change_is_told_by_its_sentence_and_its_place(
    path, value, kind, consequence, old_path, new_path, sentence
):
    """One edit is one change: its kind, what comes of it, where it stands in both files, and a sentence."""
    (change,) = changes(FULL, edited(path, value))

    assert (change.kind, change.consequence, change.sentence) == (kind, consequence, sentence)
    assert (change.old_path, change.new_path) == (old_path, new_path)


def test_the_table_has_every_part_of_a_definition():
    """Nothing that a document can say is missing in the table above."""
    told = {path.partition(".")[0] for path, *_ in TABLE}

    assert told == set(to_document(FULL)) - {"format"}
    for part in ("calendar", "policy"):
        assert {path.split(".")[1] for path, *_ in TABLE if path.startswith(part)} == set(to_document(FULL)[part])
    steps = {path.split(".")[2] for path, *_ in TABLE if path.startswith("steps.") and path.count(".") > 1}
    assert steps >= {"key", "delay_from_previous_step", "action_properties", "metadata"}


def test_ids_that_look_alike_are_told_apart():
    """A number and a text with the same digits are two templates."""
    old = attrs.evolve(FULL, templates={})
    first, *others = old.steps

    (change,) = changes(old, attrs.evolve(old, steps=[attrs.evolve(first, action=AutomatedEmail("1")), *others]))

    assert change.sentence == 'Step 0 hello (mail 1) sends mail "1" instead of mail 1'


def test_one_rule_for_both_kinds_of_days_is_told_once():
    """Send days follow the working days where nothing else is said, and then it is one change."""
    old, new = (
        Sequence("s", FULL.steps, calendar=Calendar("UTC", working_days=working)) for working in (WEEK, [*WEEK, "sat"])
    )

    (change,) = changes(old, new)

    assert change.sentence == (
        "Working days, and the days on which mail may leave, are Monday to Saturday instead of Monday to Friday"
    )


def test_many_holidays_are_one_change():
    """A country's holidays come as one sentence, runs of dates as from the first to the last, and not all of many."""
    more = [f"2027-{month:02}-{day:02}" for month in range(1, 11) for day in (10, 11, 12)]
    holidays = [*FULL.calendar.holidays, *more]

    (change,) = changes(FULL, attrs.evolve(FULL, calendar=attrs.evolve(FULL.calendar, holidays=holidays)))

    assert change.after == tuple(more)
    assert change.sentence.startswith("30 dates are holidays now: 2027-01-10 to 2027-01-12, 2027-02-10 to 2027-02-12, ")
    assert change.sentence.endswith(" and 6 more")


def test_steps_that_change_places_are_as_few_as_possible():
    """Of steps in another order, those are moved that have to be; the others only got another number."""
    first, *others = FULL.steps

    (change,) = changes(FULL, attrs.evolve(FULL, steps=[*others, first]))

    assert (change.kind, change.consequence) == ("moved", "timelines")
    assert (change.old_path, change.new_path, change.before, change.after) == ("steps[0]", "steps[2]", 0, 2)
    assert change.sentence == "Step 2 hello (mail 1) has changed places: it was step 0"


def test_l1_a_step_without_a_key_that_does_something_else_is_another_step():
    """As a migration sees it, one is gone and one is new; and it is said how to make them one."""
    old = attrs.evolve(FULL, silence=(), steps=[attrs.evolve(step, key=None) for step in FULL.steps])
    new = attrs.evolve(old, steps=[*old.steps[:2], attrs.evolve(old.steps[2], action=AutomatedEmail(9))])

    gone, come = sorted(changes(old, new), key=lambda change: change.kind, reverse=True)

    assert gone.sentence == "Step 2 (mail 2) is gone"
    assert come.sentence == (
        "Step 2 (mail 9) is new: 1 working day after the step before it; "
        "if it is step 2 (mail 2), which is gone, give both the same key"
    )


def test_another_order_is_told():
    """Windows and expectations that only stand in another order are one change each, which moves nothing."""
    early = attrs.evolve(OFFICE, opens="07:00", closes="08:00")
    orders = [[OFFICE, early], [early, OFFICE]]
    one, other = (
        attrs.evolve(FULL, calendar=attrs.evolve(FULL.calendar, send_windows=windows), expect=expect)
        for windows, expect in zip(orders, (FULL.expect, FULL.expect[::-1]), strict=True)
    )

    assert [(change.consequence, change.sentence) for change in changes(one, other)] == [
        ("version", "The send windows are the same in another order"),
        ("checks", "The expectations stand in another order"),
    ]


def differs(old: Sequence, new: Sequence, *path: str) -> bool:
    """Whether two definitions, or a part of them, are written in another way."""
    documents: list[Any] = [to_document(each) for each in (old, new)]
    for key in path:
        documents = [each[key] for each in documents]
    one, other = (json.dumps(each, sort_keys=True) for each in documents)
    return one != other


PARTS = ["name", "key", "calendar", "policy", "metadata", "templates", "assume", "expect"]


def mixed(sequence, **parts):
    """The sequence with parts of another; where they do not go together (texts for 1, a mail "1": S7) it is no case."""
    try:
        return attrs.evolve(sequence, **parts)
    except DefinitionError:
        reject()


@st.composite
def pairs(draw):
    """A sequence of any shape, and it with some parts of another; steps and rules are mixed, too."""
    old, other = draw(sequences()), draw(sequences())
    parts = draw(st.sets(st.sampled_from(PARTS), max_size=3))
    new = mixed(old, **{part: getattr(other, part) for part in parts})
    if draw(st.booleans()):
        new = mixed(new, steps=other.steps, silence=other.silence)
    if draw(st.booleans()):
        rules = draw(st.sets(st.sampled_from(["timezone", "working_days", "holidays"])))
        calendar = attrs.evolve(new.calendar, **{rule: getattr(other.calendar, rule) for rule in rules})
        fields = draw(st.sets(st.sampled_from([field.name for field in attrs.fields(Policy)])))
        policy = attrs.evolve(new.policy, **{field: getattr(other.policy, field) for field in fields})
        known = {step.key for step in new.steps}
        steps = draw(st.permutations([*new.steps, *(step for step in other.steps if step.key not in known - {None})]))
        new = mixed(new, calendar=calendar, policy=policy, silence=(), steps=steps[: draw(st.integers(1, len(steps)))])
    return old, new


@settings(max_examples=40)
@given(pairs())
def test_l1_nothing_is_left_out(pair):
    """L1: there are changes if the documents differ, and one that makes a version if a store would keep a new one."""
    old, new = pair

    found = changes(old, new)

    assert bool(found) == differs(old, new)
    assert any(change.makes_version for change in found) == (content_of(old).digest != content_of(new).digest)
    for part in to_document(old).keys() - {"timezone", "format"}:
        told = any((change.old_path or change.new_path or "").split(".")[0].split("[")[0] == part for change in found)
        # How templates are written depends on the ids that steps use.
        assert told == (old.templates != new.templates if part == "templates" else differs(old, new, part)), part
    assert any(change.old_path == "timezone" for change in found) == differs(old, new, "timezone")
    json.dumps([change.to_dict() for change in found])


@settings(max_examples=20)
@given(pairs())
def test_the_way_back_swaps_what_is_gone_and_what_is_new(pair):
    """What is added one way is removed the other way, and what is changed swaps its values; steps match either way."""
    old, new = (
        attrs.evolve(
            each, silence=(), steps=[attrs.evolve(step, key=f"{step.action.action_type} {at}") for at, step in numbered]
        )
        for each in pair
        for numbered in [list(enumerate(each.steps))]
    )
    swapped = {"added": "removed", "removed": "added", "changed": "changed"}

    there = Counter((each.kind, each.consequence, each.old_path, each.new_path) for each in changes(old, new))
    back = Counter((swapped[each.kind], each.consequence, each.new_path, each.old_path) for each in changes(new, old))

    assert there == back
