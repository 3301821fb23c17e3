"""Who takes part in the stories of the machine: the sequences, each in some versions, and the people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.merge import fields_of
from sequencer.core.policy import Policy, Reaction, Retry
from sequencer.core.sequence import MOST_STEPS, AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.values import Identifier
from sequencer.core.windows import Window

__all__ = ["Cast", "cast_of"]

WEEK = ["mon", "tue", "wed", "thu", "fri"]

QUICK = Sequence(
    "quick",
    [
        Step(AutomatedEmail(1), key="hello"),
        Step(AutomatedEmail(1), Hours(1), key="again"),
        Step(Task("Call", skip_after=Hours(30)), Hours(2), key="call"),
        Step(AutomatedEmail(1, is_reply=True), Weekdays(1), key="thanks"),
    ],
    calendar=Calendar("UTC"),
    policy=Policy(retry=Retry(attempts=3)),
)
OFFICE = Sequence(
    "office",
    [Step(AutomatedEmail(1), Weekdays(1)), Step(Task("Call")), Step(AutomatedEmail(1), Weekdays(2))],
    calendar=Calendar("Europe/Warsaw", send_windows=[Window(WEEK, "09:00", "17:00")]),
    policy=Policy(retry=Retry(attempts=2, first=600)),
)
ALONE = Sequence(
    "alone",
    [Step(Task("Look")), Step(AutomatedEmail(1))],
    policy=Policy(exclusive="all", reenroll_after=2, on={"bounced": "finish", "out_of_office": "note"}),
)
LENIENT = Sequence(
    "lenient",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(1)), Step(AutomatedEmail(1), Hours(0.5))],
    policy=Policy(on={"replied": Reaction("block", duration=Weekdays(1)), "opened": "block", "converted": "note"}),
)
HELLO, AGAIN, CALL, THANKS = QUICK.steps
MORE = Step(AutomatedEmail(2), Hours(2), key="more")
LEADS = {
    "ada": Resource("lead", 1, email="ada@example.com", fields={"name": "Ada"}),
    "bob": Resource("lead", 2, email="Bob@Example.com ", timezone="America/New_York"),
    "bob's twin": Resource("contact", 2, email="bob@example.com"),
    "text": Resource("lead", "1", email="text@example.com"),
    "nobody": Resource("lead", 3),
}


@attrs.frozen
class Cast:
    """The sequences by their keys, as they are enrolled into; the versions that people are moved between; the texts."""

    sequences: Mapping[str, Sequence]
    versions: Mapping[str, tuple[Sequence, ...]]
    leads: Mapping[str, Resource]
    texts: Mapping[Identifier, Template] = attrs.Factory(dict)

    def key(self, number: int) -> str:
        """The key of the sequence with this number, counted round and round."""
        return sorted(self.sequences)[number % len(self.sequences)]

    def template(self, template_id: Identifier, account: Identifier | None) -> Template:
        """The text behind a template id; where the sequences bring none, one without merge fields."""
        return self.texts.get(template_id, _TEXT)

    def has_keys(self, key: str) -> bool:
        """Whether every step of every version of a sequence has a key, so that it is known where a move leads."""
        return all(step.key is not None for version in self.versions[key] for step in version.steps)


_TEXT = Template("Hello", "A mail of the machine.")
OWN = Cast(
    sequences={each.key: each for each in (QUICK, OFFICE, ALONE, LENIENT)},
    versions={
        "quick": (
            QUICK,
            attrs.evolve(QUICK, steps=[HELLO, MORE, attrs.evolve(CALL, after=Weekdays(1)), THANKS]),
            attrs.evolve(QUICK, steps=[THANKS, AGAIN, HELLO]),
            attrs.evolve(QUICK, steps=[HELLO, AGAIN]),
            attrs.evolve(QUICK, policy=Policy(exclusive="all"), calendar=Calendar("Asia/Kathmandu")),
        ),
        "office": (
            OFFICE,
            attrs.evolve(OFFICE, steps=[*OFFICE.steps[:2], Step(AutomatedEmail(2)), *OFFICE.steps[2:]]),
            attrs.evolve(OFFICE, steps=OFFICE.steps[1:], calendar=Calendar("America/New_York")),
        ),
        "alone": (ALONE, attrs.evolve(ALONE, policy=Policy(), steps=ALONE.steps[1:])),
        "lenient": (LENIENT, attrs.evolve(LENIENT, steps=LENIENT.steps[:2])),
    },
    leads=LEADS,
)
"""The machine's own sequences: between them they have every kind of step, delay, reaction and rule of enrolling."""


def cast_of(sequences: Iterable[Sequence] | None) -> Cast:
    """The cast with these sequences, in versions that are a step shorter or longer; None: the machine's own."""
    if sequences is None:
        return OWN
    given = list(sequences)
    if not given or not all(isinstance(each, Sequence) for each in given):
        raise InvalidInput(f"needs one Sequence or more, got {given!r}", path="sequences", code="invalid_type")
    # Their texts are looked up by the engine like any host's: what is stored as a version has none.
    bare = {each.key: attrs.evolve(each, templates={}, assume={}, expect=()) for each in given}
    texts = {id: text for each in given for id, text in each.templates.items()}
    wanted = {name for each in given for text in _texts_of(each) for name in fields_of(text)}
    fields: dict[str, Any] = {name: f"the {name}" for name in sorted(wanted)}
    return Cast(
        sequences=bare,
        versions={key: tuple(_versions_of(each)) for key, each in bare.items()},
        leads={name: attrs.evolve(lead, fields={**fields, **lead.fields}) for name, lead in LEADS.items()},
        texts=texts,
    )


def _texts_of(sequence: Sequence) -> Iterable[str]:
    for template in sequence.templates.values():
        yield from (template.subject, template.body)
    yield from (step.action.task_content for step in sequence.steps if isinstance(step.action, Task))


def _versions_of(sequence: Sequence) -> Iterable[Sequence]:
    yield sequence
    if len(sequence.steps) > 1:
        yield attrs.evolve(sequence, steps=sequence.steps[:-1])
        yield attrs.evolve(sequence, steps=sequence.steps[1:])
    if len(sequence.steps) < MOST_STEPS:
        last = Step(Task("One more thing", skip_after=Hours(1)), Hours(1), key="one-more-thing-of-the-machine")
        yield attrs.evolve(sequence, steps=[*sequence.steps, last])
