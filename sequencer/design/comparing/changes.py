"""What is different between two definitions, in words: a sentence for each change, in the order of the file.

Steps are matched as a migration matches them (`core/matching.py`), so what is said to be gone and new here is what is
dropped and added there. Everything that a document says is looked at, also what it says by default; values are the same
if they are written alike, which is what makes a version of a sequence (law L1).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Several
from typing import Any

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.calendar_document import calendar_document
from sequencer.core.policy import REPORT_KINDS, Policy, Reaction
from sequencer.core.policy_document import policy_document
from sequencer.core.problems import child, item
from sequencer.core.sequence import Sequence, Template
from sequencer.core.values import FrozenMapping, frozen, thawed
from sequencer.core.windows import Window
from sequencer.design.comparing.changed_steps import changed_metadata, changed_steps, keyed
from sequencer.design.comparing.wording import (
    CHECKS,
    IDENTITY,
    TEXTS,
    TIMELINES,
    VERSION,
    Change,
    dates,
    days,
    listed,
    same,
    value,
)
from sequencer.design.deciding.verdict import shown as expectation

__all__ = ["changes", "paired"]

_Rows = Iterator[Change]


def changes(old: Sequence, new: Sequence) -> tuple[Change, ...]:
    """All that is different, in the order of the file; nothing, if both documents say the same."""
    return (
        *_identity(old, new),
        *_calendar(old.calendar, new.calendar),
        *_policy(old.policy, new.policy),
        *changed_metadata(old.metadata, new.metadata, "metadata", "metadata", "The sequence's"),
        *changed_steps(old.steps, new.steps),
        *_templates(old, new),
        *_assume(old.assume, new.assume),
        *_expect(old.expect, new.expect),
        *_silence(old.silence, new.silence),
    )


def _change(
    consequence: str,
    path: str,
    before: Any,
    after: Any,
    sentence: str,
    paths: tuple[str | None, str | None] | None = None,
) -> Change:
    """A change at a place that both files have, unless other `paths` are given."""
    old, new = paths or (path, path)
    kind = "added" if old is None else "removed" if new is None else "changed"
    return Change(kind, consequence, old, new, frozen(thawed(before)), frozen(thawed(after)), sentence)


# -- name, key, zone ------------------------------------------------------------------------------------------


def _identity(old: Sequence, new: Sequence) -> _Rows:
    if old.name != new.name:
        yield _change(VERSION, "name", old.name, new.name, f"The name is {value(new.name)} instead of "
                      f"{value(old.name)}")  # fmt: skip
    if old.key != new.key:
        sentence = (
            f"The key is {value(new.key)} instead of {value(old.key)}: that is another sequence, and nobody can be "
            "moved from the one to the other"
        )
        yield _change(IDENTITY, "key", old.key, new.key, sentence)
    zones = old.calendar.timezone, new.calendar.timezone
    if zones[0] != zones[1]:
        sentence = f"The clock, for people who bring no zone of their own, is that of {zones[1]} instead of {zones[0]}"
        yield _change(TIMELINES, "timezone", *zones, sentence)


# -- calendar -------------------------------------------------------------------------------------------------


def _calendar(old: Calendar, new: Calendar) -> _Rows:
    rules, others = calendar_document(old), calendar_document(new)
    working, sending = old.working_days != new.working_days, old.send_days != new.send_days
    together = old.working_days == old.send_days and new.working_days == new.send_days
    if working:
        what = "Working days, and the days on which mail may leave," if together else "Working days"
        sentence = f"{what} are {days(new.working_days)} instead of {days(old.working_days)}"
        yield _change(TIMELINES, "calendar.working_days", rules["working_days"], others["working_days"], sentence)
    if sending and not together:
        sentence = f"Mail may leave on {days(new.send_days)} instead of {days(old.send_days)}"
        yield _change(TIMELINES, "calendar.send_days", rules["send_days"], others["send_days"], sentence)
    gone, come = sorted(set(old.holidays) - set(new.holidays)), sorted(set(new.holidays) - set(old.holidays))
    for each, then, kind in ((gone, "any more", "removed"), (come, "now", "added")):
        if each:
            no = "no " if kind == "removed" else ""
            sentence = f"{dates(each)} is {no or 'a '}holiday {then}"
            if len(each) > 1:
                sentence = f"{len(each)} dates are {no}holidays {then}: {dates(each)}"
            document = [day.isoformat() for day in each]
            before, after = (document, None) if no else (None, document)
            yield attrs.evolve(_change(TIMELINES, "calendar.holidays", before, after, sentence), kind=kind)
    yield from _windows(old.send_windows, new.send_windows)


def _windows(old: tuple[Window, ...], new: tuple[Window, ...]) -> _Rows:
    """Windows that both have are the same, wherever they stand; of the others, those of the same days are changed."""

    def shown(window: Window) -> str:
        return f"from {window.opens} to {window.closes}"

    def document(window: Window) -> dict[str, Any]:
        return {"days": list(window.days), "opens": window.opens, "closes": window.closes}

    gone, come = _left(old, new), _left(new, old)
    path = "calendar.send_windows"
    for at in list(come):
        was = next((each for each in gone if old[each].days == new[at].days), None)
        if was is None:
            continue
        gone.remove(was)
        come.remove(at)
        sentence = f"On {days(new[at].days)} mail may leave {shown(new[at])} instead of {shown(old[was])}"
        paths = item(path, was), item(path, at)
        yield _change(TIMELINES, path, document(old[was]), document(new[at]), sentence, paths)
    # The first window closes all other times, and without the last one any time will do.
    for was in gone:
        more = "" if new else "; without windows, at any time of a day on which mail may leave"
        sentence = f"On {days(old[was].days)} mail does not leave {shown(old[was])} any more"
        if not new:
            sentence = f"Mail need not wait for {days(old[was].days)} {shown(old[was])}"
        yield _change(TIMELINES, path, document(old[was]), None, sentence + more, (item(path, was), None))
    for at in come:
        sentence = f"On {days(new[at].days)} mail may leave {shown(new[at])}, too"
        if not old:
            sentence = f"Mail leaves only in a window: on {days(new[at].days)} {shown(new[at])}"
        yield _change(TIMELINES, path, None, document(new[at]), sentence, (None, item(path, at)))
    if old != new and Counter(old) == Counter(new):
        yield _change(VERSION, path, [document(each) for each in old], [document(each) for each in new],
                      "The send windows are the same in another order")  # fmt: skip


def _left(ours: Several[Any], theirs: Several[Any]) -> list[int]:
    """The places of what stands here more often than there, the last of them."""
    spare = Counter(theirs)
    left = []
    for at, each in enumerate(ours):
        if spare[each]:
            spare[each] -= 1
        else:
            left.append(at)
    return left


# -- policy ---------------------------------------------------------------------------------------------------

_REPORTS = {
    "replied": "the person has replied",
    "meeting_booked": "a meeting is booked",
    "unsubscribed": "the person has unsubscribed",
    "converted": "the person has converted",
    "resource_deleted": "the lead or contact is deleted",
    "bounced": "a mail has bounced",
    "out_of_office": "the person is out of office",
    "opened": "a mail was opened",
    "clicked": "a link was clicked",
    "soft_bounced": "a mail could not be delivered for now",
}


def _does(reaction: Reaction) -> str:
    if reaction.does == "block":
        until = f"for {reaction.duration}" if reaction.duration else "until somebody resumes it"
        return f"blocked {until}"
    return {"finish": "finished", "note": "left to go on, and it is noted"}[reaction.does]


def _policy(old: Policy, new: Policy) -> _Rows:
    before, after = policy_document(old), policy_document(new)
    for kind in REPORT_KINDS:
        if not same(before["on"][kind], after["on"][kind]):
            sentence = (
                f"When {_REPORTS[kind]} ({kind}), the enrollment is {_does(new.on[kind])}; it was {_does(old.on[kind])}"
            )
            yield _change(VERSION, f"policy.on.{kind}", before["on"][kind], after["on"][kind], sentence)
    if old.exclusive != new.exclusive:
        alone = new.exclusive == "all"
        sentence = f"Who is in another sequence {'cannot' if alone else 'can'} be enrolled in this one, too"
        yield _change(VERSION, "policy.exclusive", old.exclusive, new.exclusive, sentence)
    rows: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("reenroll_after", "Somebody can be enrolled again after", _pause),
        ("retry.attempts", "What fails for a while is tried", lambda n: f"{n} times in all" if n != 1 else "once"),
        ("retry.first", "The first pause before it is tried again is", _pause),
        ("retry.factor", "Each further pause is longer than the one before by the factor", str),
        ("unsubscribe.enabled", "Mails", lambda on: f"{'carry a' if on else 'carry no'} way to unsubscribe"),
        ("unsubscribe.locale", "The language of the way to unsubscribe is", str),
    )
    for path, what, shown in rows:
        one, other = (_at(document, path) for document in (before, after))
        if not same(one, other):
            instead = "" if isinstance(other, bool) else f" instead of {shown(one)}"
            yield _change(VERSION, f"policy.{path}", one, other, f"{what} {shown(other)}{instead}")


def _pause(amount: Mapping[str, Any]) -> str:
    ((unit, n),) = amount.items()
    return f"{n} {unit.removesuffix('s') if n == 1 else unit}"


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document[key]
    return document


# -- templates -----------------------------------------------------------------------------------


def _templates(old: Sequence, new: Sequence) -> _Rows:
    ids = sorted({*old.templates, *new.templates}, key=lambda id: (isinstance(id, str), id))
    for id in ids:
        path = child("templates", id)
        before, after = old.templates.get(id), new.templates.get(id)
        name = f"mail {id}"
        if before is None and after is not None:
            sentence = f"The text of {name} is new, with the subject {value(after.subject)}"
            yield _change(TEXTS, path, None, _text(after), sentence, (None, path))
        elif after is None and before is not None:
            yield _change(TEXTS, path, _text(before), None, f"The text of {name} is gone", (path, None))
        elif before is not None and after is not None:
            if before.subject != after.subject:
                sentence = f"The subject of {name} is {value(after.subject)} instead of {value(before.subject)}"
                yield _change(TEXTS, child(path, "subject"), before.subject, after.subject, sentence)
            if before.body != after.body:
                sentence = f"The text of {name} is another one: {_lines(before.body, after.body)}"
                yield _change(TEXTS, child(path, "body"), before.body, after.body, sentence)


def _text(template: Template) -> dict[str, str]:
    return {"subject": template.subject, "body": template.body}


def _lines(before: str, after: str) -> str:
    """How many lines of a text are gone and new."""
    ours, theirs = before.splitlines(), after.splitlines()
    kept = sum(
        block.size for block in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    )
    gone, come = len(ours) - kept, len(theirs) - kept
    if not gone and not come:
        return "the same lines, ended otherwise"
    parts = [(gone, "gone"), (come, "new")]
    return listed([f"{n} {'line is' if n == 1 else 'lines are'} {what}" for n, what in parts if n])


# -- what is assumed and expected -----------------------------------------------------------------------------


def _assume(old: Mapping[str, Any], new: Mapping[str, Any]) -> _Rows:
    for key in keyed(old, new):
        path = child("assume", key)
        before, after = old.get(key), new.get(key)
        if same(before, after):
            continue
        paths = path if key in old else None, path if key in new else None
        if before is None:
            sentence = f"It is taken for granted now: {expectation({key: after})}"
        elif after is None:
            sentence = f"It is not taken for granted any more: {expectation({key: before})}"
        else:
            sentence = f"Taken for granted is {expectation({key: after})} instead of {expectation({key: before})}"
        yield _change(CHECKS, path, before, after, sentence, paths)


_Plain = Mapping[str, Any]


def _expect(old: tuple[_Plain, ...], new: tuple[_Plain, ...]) -> _Rows:
    def tell(before: _Plain | None, after: _Plain | None) -> str:
        if after is None:
            return f"It is not expected any more: {expectation(before or {})}"
        if before is None:
            return f"It is expected now: {expectation(after)}"
        return f"Expected is {expectation(after)} instead of {expectation(before)}"

    return _listed("expect", old, new, paired(old, new), tell, "The expectations stand in another order")


def _silence(old: tuple[_Plain, ...], new: tuple[_Plain, ...]) -> _Rows:
    def tell(before: _Plain | None, after: _Plain | None) -> str:
        known = before if after is None else after
        assert known is not None, "a change has a silence"
        name = f"The finding {known['finding']}" + (f" of step {value(known['step'])}" if "step" in known else "")
        if after is None:
            return f"{name} is not silenced any more"
        instead = f" instead of {value(before['because'])}" if before else ""
        return f"{name} is silenced{'' if before else ' now'}, because of {value(after['because'])}{instead}"

    pairs = paired(old, new, lambda each: (each["finding"], value(each.get("step"))))
    return _listed("silence", old, new, pairs, tell, "The silences stand in another order")


def _listed(
    path: str,
    old: tuple[_Plain, ...],
    new: tuple[_Plain, ...],
    pairs: Several[tuple[int | None, int | None]],
    tell: Callable[[_Plain | None, _Plain | None], str],
    order: str,
) -> _Rows:
    """The pairs of two lists that are not the same, and that what stays stands in another order."""
    for was, at in pairs:
        before, after = None if was is None else old[was], None if at is None else new[at]
        if before is None or after is None or not same(before, after):
            paths = None if was is None else item(path, was), None if at is None else item(path, at)
            yield _change(CHECKS, "", before, after, tell(before, after), paths)
    stay = [(was, at) for was, at in pairs if was is not None and at is not None]
    if sorted(stay) != sorted(stay, key=lambda pair: pair[1]):
        yield _change(CHECKS, path, old, new, order)


def _kind(expect: _Plain) -> object:
    """The kind of an expectation."""
    return tuple(expect)


def paired(
    old: tuple[_Plain, ...], new: tuple[_Plain, ...], kind: Callable[[_Plain], object] = _kind
) -> list[tuple[int | None, int | None]]:
    """The places of what stands in two lists: of what is the same, then of one kind, then of what only one list has.

    They are in the order of the new list; what is gone comes last.
    """
    ours, theirs = ([FrozenMapping(each) for each in some] for some in (old, new))
    gone, come = _left(ours, theirs), _left(theirs, ours)
    found: dict[int, int] = {}
    free = [was for was in range(len(old)) if was not in gone]
    for at in range(len(new)):
        if at not in come:
            found[at] = next(was for was in free if ours[was] == theirs[at])
            free.remove(found[at])
    for at in come:
        was = next((was for was in gone if kind(old[was]) == kind(new[at])), None)
        if was is not None:
            found[at] = was
            gone.remove(was)
    return [*((found.get(at), at) for at in range(len(new))), *((was, None) for was in gone)]
