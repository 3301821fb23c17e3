"""What the definition alone shows, without a single timeline."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from typing import Any

from sequencer.core.calendar import zone_named
from sequencer.core.delays import Delay
from sequencer.core.matching import step_called
from sequencer.core.merge import breaking, fields_of
from sequencer.core.problems import child, item, nearest, shown
from sequencer.core.sequence import AutomatedEmail, Sequence, Task
from sequencer.core.values import Identifier
from sequencer.design.findings.finding import Finding, found
from sequencer.design.findings.placeholders import placeholders_of

__all__ = ["ALWAYS_PROVIDED", "mails_of", "static_findings"]

ALWAYS_PROVIDED = ("email",)
"""The merge fields that need no column of their own: what is known of everybody who gets a mail."""

_PLACES = {
    "EST": "America/New_York",
    "MST": "America/Denver, or in Arizona America/Phoenix",
    "HST": "Pacific/Honolulu",
    **dict.fromkeys(("GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich"), "Europe/London"),
}
"""What people mean by zones that are no place's, though the names are those of zones."""
_OFFSET = re.compile(r"Etc/GMT[+-][1-9][0-9]?")
_MOST_LISTED = 5
_LONGEST_SHOWN = 60
_PREFIX = re.compile(r"(\s*re\s*:)+", re.IGNORECASE)


def mails_of(sequence: Sequence) -> dict[int, AutomatedEmail]:
    """The mails of a sequence by position."""
    return {i: step.action for i, step in enumerate(sequence.steps) if isinstance(step.action, AutomatedEmail)}


def _property(position: int, name: str) -> str:
    """The path of one of a step's action properties."""
    return child(child(item("steps", position), "action_properties"), name)


def static_findings(
    sequence: Sequence, since: date, fields: Collection[str] | None, values: Collection[Mapping[str, Any]] | None
) -> Iterator[Finding]:
    """What is found without timelines, as of a date, for leads with these fields and values (None: nobody knows)."""
    yield from _threads(sequence)
    yield from _tasks(sequence)
    yield from _templates(sequence)
    yield from _placeholders(sequence, fields or ())
    if fields is not None:
        yield from _fields(sequence, {*fields, *ALWAYS_PROVIDED})
    if values is not None:
        yield from _breaking(sequence, values)
    yield from _zone(sequence, since)
    yield from _holidays(sequence, since)
    yield from _reports(sequence)


def _threads(sequence: Sequence) -> Iterator[Finding]:
    for i, mail in mails_of(sequence).items():
        if mail.is_reply:
            place = _property(i, "is_reply")
            message = f"{step_called(sequence, i)} is the first mail, and a reply: to none that was sent before"
            yield found("first_mail_is_reply", place, message)
        break
    for (before, first), (i, mail) in pairwise(mails_of(sequence).items()):
        texts = [sequence.templates.get(each.template_id) for each in (first, mail)]
        subjects = [each.subject for each in texts if each is not None]
        if mail.is_reply and len(subjects) == 2 and _plain(subjects[0]) != _plain(subjects[1]):
            message = (
                f"{step_called(sequence, i)} is a reply to {step_called(sequence, before)}, whose subject is "
                f"{shown(subjects[0])}, but its own is {shown(subjects[1])}"
            )
            yield found("reply_changes_subject", _property(i, "is_reply"), message)


def _plain(subject: str) -> str:
    """A subject without what mailboxes do not look at: the prefix of a reply, case, blanks."""
    return " ".join(_PREFIX.sub("", subject).casefold().split())


def _tasks(sequence: Sequence) -> Iterator[Finding]:
    for i, step in enumerate(sequence.steps):
        action = step.action
        if not isinstance(action, Task):
            continue
        properties = child(item("steps", i), "action_properties")
        if action.skip_after is None:
            rest = len(sequence.steps) - i - 1
            behind = (
                f"and so {'does' if rest == 1 else 'do'} {_counted(rest, 'step')} behind it"
                if rest
                else "and the sequence does not end before that"
            )
            message = f"{step_called(sequence, i)} waits until somebody completes it, {behind}"
            yield found("task_waits_for_ever", properties, message)
        elif _is_longer(action.due_after, action.skip_after):
            message = (
                f"{step_called(sequence, i)} is skipped by itself {action.skip_after} after it is due, and would be "
                f"overdue only after {action.due_after}"
            )
            yield found("skipped_before_overdue", child(properties, "skip_after"), message)


def _is_longer(one: Delay, other: Delay) -> bool:
    """Whether one delay is longer than the other, whatever the calendar: in the same unit, or by its least hours."""
    if type(one) is type(other):
        return one.n > other.n
    # A working day may be 23 hours, and many more over a weekend; hours against them are longer for some and not for
    # others, and only what is so for everybody counts.
    return one.unit == "weekdays" and 23 * one.n > other.n


def _templates(sequence: Sequence) -> Iterator[Finding]:
    mails, known = mails_of(sequence), sequence.templates
    used: dict[Identifier, int] = {}
    for i, mail in mails.items():
        place = _property(i, "email_template_id")
        first = used.setdefault(mail.template_id, i)
        if first != i:
            message = f"{step_called(sequence, i)} has the same text as {step_called(sequence, first)}"
            yield found("template_repeated", place, message)
        elif known and mail.template_id not in known:
            near = nearest(mail.template_id, [str(each) for each in known])
            hint = near if near.startswith("did") else f"known {'is' if len(known) == 1 else 'are'} {_listed(known)}"
            message = f"{step_called(sequence, i)} has no text: there is no template {shown(mail.template_id)}; {hint}"
            yield found("template_missing", place, message)
    if mails and not known:
        names = f"the {len(used)} templates" if len(used) > 1 else "the template"
        yield found("templates_elsewhere", "steps", f"there are no texts for {names} that mails name: {_listed(used)}")
    for each in known:
        if each not in used:
            yield found("template_unused", child("templates", each), f"no mail uses the template {shown(each)}")


def _listed(ids: Collection[Identifier]) -> str:
    """Some ids, as a message shows them; of many, the first."""
    names = [shown(each) for each in ids]
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"{', '.join(names[:_MOST_LISTED])}{more}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _texts(sequence: Sequence) -> Iterator[tuple[str, str, str]]:
    """The place, the name and the text of all that people get to read."""
    used = {mail.template_id for mail in mails_of(sequence).values()}
    for id, template in sequence.templates.items():
        if id in used:
            for part in ("subject", "body"):
                yield child(child("templates", id), part), f"the {part} of mail {id}", getattr(template, part)
    for i, step in enumerate(sequence.steps):
        if isinstance(step.action, Task):
            yield _property(i, "task_content"), f"the text of step {i}", step.action.task_content


def _placeholders(sequence: Sequence, provided: Collection[str]) -> Iterator[Finding]:
    # As the leads have it comes before what other texts ask for.
    known = [*sorted(provided), *(name for _, _, text in _texts(sequence) for name in fields_of(text))]
    for place, what, text in _texts(sequence):
        alien = placeholders_of(text, known)
        if not alien:
            continue
        names = " and ".join(_cut(each.text) for each in alien[:_MOST_LISTED])
        more = f" and {len(alien) - _MOST_LISTED} more" if len(alien) > _MOST_LISTED else ""
        stay = "stays as it stands" if len(alien) == 1 else "stay as they stand"
        here = next((each for each in alien if each.here is not None), None)
        hint = "" if here is None else f"; did you mean {here.here}?"
        yield found("foreign_placeholder", place, f"{what} has {names}{more}, which {stay}{hint}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."


def _fields(sequence: Sequence, provided: Collection[str]) -> Iterator[Finding]:
    for place, what, text in _texts(sequence):
        missing = [name for name in fields_of(text) if name not in provided]
        if missing:
            names = " and ".join(f"{{{{ {name} }}}}" for name in missing)
            hints = [near for name in missing if (near := nearest(name, sorted(provided))).startswith("did")]
            message = f"{what} asks for {names}, which no lead has{''.join(f'; {hint}' for hint in hints[:1])}"
            yield found("merge_field_unknown", place, message)


def _breaking(sequence: Sequence, values: Collection[Mapping[str, Any]]) -> Iterator[Finding]:
    used = {mail.template_id for mail in mails_of(sequence).values()}
    for id, template in sequence.templates.items():
        broken = [names for each in values if (names := breaking(template.subject, each))] if id in used else []
        if broken:
            asked = " and ".join(f"{{{{ {name} }}}}" for name in dict.fromkeys(chain(*broken)))
            of = "1 lead" if len(broken) == 1 else f"{len(broken)} leads"
            message = (
                f"the subject of mail {id} asks for {asked}, with a line break or control character in it for {of}"
            )
            yield found("merge_field_breaks", child(child("templates", id), "subject"), message)


def _zone(sequence: Sequence, since: date) -> Iterator[Finding]:
    name = sequence.calendar.timezone
    place = _PLACES.get(name.removeprefix("Etc/"))
    if place is None and not _OFFSET.fullmatch(name):
        return
    offset = datetime(since.year, since.month, since.day, tzinfo=zone_named(name)).utcoffset() or timedelta(0)
    hours = _counted(abs(offset) // timedelta(hours=1), "hour")
    where = "UTC itself" if not offset else f"{hours} {'behind' if offset < timedelta(0) else 'ahead of'} UTC"
    hint = f"did you mean {place}?" if place else "its sign is the other way round, as of all zones like it"
    yield found("zone_never_changes", "timezone", f"{name} is {where} all the year, summer and winter; {hint}")


def _holidays(sequence: Sequence, since: date) -> Iterator[Finding]:
    holidays = sequence.calendar.holidays
    if holidays and holidays[-1] < since:
        many = "the only holiday was" if len(holidays) == 1 else f"the last of {len(holidays)} holidays was"
        message = f"{many} {holidays[-1].isoformat()}, and enrollments begin on {since.isoformat()} or later"
        yield found("holidays_past", "calendar.holidays", message)


def _reports(sequence: Sequence) -> Iterator[Finding]:
    mails, on = mails_of(sequence), sequence.policy.on
    if len(mails) > 1 and on["replied"].does == "note":
        message = (
            f"who answers mail {next(iter(mails.values())).template_id} still gets {_counted(len(mails) - 1, 'mail')}"
        )
        yield found("reply_only_noted", "policy.on.replied", f"{message} more")
    if mails and on["unsubscribed"].does == "note":
        tasks = len(sequence.steps) - len(mails)
        still = f", for up to {_counted(tasks, 'task')} until then" if tasks else ""
        message = f"who opts out stays in the sequence until its next mail would leave{still}"
        yield found("unsubscribe_only_noted", "policy.on.unsubscribed", message)
