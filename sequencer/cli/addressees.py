"""Who of the leads in a file could not be mailed: what `enroll` says before it stores anybody.

Whom an enrollment blocks at its first mail is easily mended in the file and hardly afterwards, one by one. So what the
definition's own texts ask for, and an address where there are mails, is looked for in every row; and of the columns,
each of which is a merge field if it has no meaning of its own, whether it is only another spelling of one that has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from sequencer.cli.options import named
from sequencer.core.merge import bare, breaking, fields_of
from sequencer.core.sequence import AutomatedEmail, Sequence, Task, Template
from sequencer.definitions import Lead

__all__ = ["Lacking", "asked_for", "lacking", "misspelt"]

# How the columns with a meaning are spelt elsewhere, without case and marks, which are not looked at.
_ALSO_SPELT: Mapping[str, tuple[str, ...]] = {
    "email": ("mail", "emailaddress", "mailaddress"),
    "timezone": ("zone", "tz"),
    "actor_id": ("actor",),
    "start_at": ("start",),
    "enrolled_at": (),
    "idempotency_key": (),
}


@attrs.frozen
class Lacking:
    """A lead who could not be mailed, and what it lacks: `email`, or merge fields.

    `broken` are the fields that a subject asks for, and that have a line break or control character in them.
    """

    lead: Lead
    names: tuple[str, ...]
    broken: tuple[str, ...] = ()

    def __str__(self) -> str:
        has = [f"no {name}" for name in self.names] + [f"a line break in {name}" for name in self.broken]
        return f"{named(self.lead.resource_type, self.lead.resource_id)} has {' and '.join(has)}"


def lacking(sequence: Sequence, leads: Iterable[Lead]) -> list[Lacking]:
    """The leads that lack an address, or a field of a text that the definition has, in the order of the file.

    And those with a field that no subject takes.
    """
    needed, subjects = asked_for(sequence), [text.subject for text in _texts(sequence)]
    found = []
    for lead in leads:
        names = tuple(name for name in needed if not (lead.email if name == "email" else lead.fields.get(name)))
        broken = tuple(dict.fromkeys(name for subject in subjects for name in breaking(subject, lead.fields)))
        if names or broken:
            found.append(Lacking(lead, names, broken))
    return found


def _texts(sequence: Sequence) -> Iterator[Template]:
    """The texts of its mails, as far as the definition has them."""
    for step in sequence.steps:
        if isinstance(step.action, AutomatedEmail) and step.action.template_id in sequence.templates:
            yield sequence.templates[step.action.template_id]


def asked_for(sequence: Sequence) -> list[str]:
    """The merge fields that the texts of a sequence ask for, and `email` where there are mails, each once."""
    needed: dict[str, None] = {}
    for step in sequence.steps:
        if isinstance(step.action, Task):
            needed |= dict.fromkeys(fields_of(step.action.task_content))
        elif isinstance(step.action, AutomatedEmail):
            needed["email"] = None
            text = sequence.templates.get(step.action.template_id)
            if text is not None:
                needed |= dict.fromkeys(fields_of(f"{text.subject}\n{text.body}"))
    return list(needed)


def misspelt(sequence: Sequence, leads: Iterable[Lead], *, but: Iterable[str] = ()) -> dict[str, str]:
    """The columns that are merge fields, of no use to the definition, and look like what no lead has, by that.

    What is asked for in `but` is given elsewhere.
    """
    leads = list(leads)
    needed = asked_for(sequence)
    columns = dict.fromkeys(name for lead in leads for name in lead.fields)
    by_spelling = {
        bare(spelling): name
        for name, others in _ALSO_SPELT.items()
        if name not in but and not any(getattr(lead, name) for lead in leads)
        for spelling in (name, *others)
    }
    by_spelling |= {bare(name): name for name in needed if name != "email" and name not in columns}
    strange = {column: by_spelling.get(bare(column)) for column in columns if column not in needed}
    return {column: name for column, name in strange.items() if name is not None}
