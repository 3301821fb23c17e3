"""What is different between the steps of two definitions, matched as a migration matches them, and in metadata."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from sequencer.core.durations import delay_document
from sequencer.core.matching import matches, name_of
from sequencer.core.problems import child, item
from sequencer.core.sequence import AutomatedEmail, Step, Task
from sequencer.core.step_document import step_document
from sequencer.core.values import frozen
from sequencer.design.comparing.wording import TIMELINES, VERSION, Change, same, value

__all__ = ["changed_metadata", "changed_steps", "keyed"]

_Steps = tuple[Step, ...]


def changed_steps(old: _Steps, new: _Steps) -> Iterator[Change]:
    """The changes of each step in the order of the new version; what is gone comes where it was."""
    was = matches(old, new)
    place = {old_at: at for at, old_at in was.items()}
    gone: dict[int, list[int]] = {}
    for old_at in range(len(old)):
        if old_at not in place:
            before = next((place[i] for i in reversed(range(old_at)) if i in place), -1)
            gone.setdefault(before, []).append(old_at)
    stay = _in_order([was.get(at) for at in range(len(new))])
    for old_at in gone.get(-1, ()):
        yield _gone(old, old_at)
    for at, step in enumerate(new):
        if at in was:
            yield from _changed(old[was[at]], step, was[at], at, moved=at not in stay)
        else:
            document = frozen(step_document(step))
            sentence = (
                f"{_name(at, step)} is new: {step.after} after {_base(at)}{_perhaps(old, step, _near(gone, was, at))}"
            )
            yield Change("added", TIMELINES, None, item("steps", at), None, document, sentence)
        for old_at in gone.get(at, ()):
            yield _gone(old, old_at)


def _near(gone: Mapping[int, list[int]], was: Mapping[int, int], at: int) -> list[int]:
    """The old positions of what is gone where a step is new."""
    return gone.get(max((each for each in was if each < at), default=-1), [])


def _perhaps(old: _Steps, step: Step, near: list[int]) -> str:
    """What to do if a new step, to its author, is one of those that are gone: without a key nobody can know."""
    for at in near:
        if old[at].is_email == step.is_email and None in {old[at].key, step.key}:
            return f"; if it is step {at} {name_of(old[at])}, which is gone, give both the same key"
    return ""


def _gone(old: _Steps, at: int) -> Change:
    step = old[at]
    return Change(
        "removed", TIMELINES, item("steps", at), None, frozen(step_document(step)), None, f"{_name(at, step)} is gone"
    )


def _name(at: int, step: Step) -> str:
    return f"Step {at} {name_of(step)}"


def _base(at: int) -> str:
    return "the start" if at == 0 else "the step before it"


def _in_order(was: list[int | None]) -> set[int]:
    """As many places as possible at which the old positions, where there are any, only rise."""
    # The last place of the longest row that ends with each old position, by its length; and what comes before it.
    ends: list[int] = []
    lasts: list[int] = []
    before: dict[int, int | None] = {}
    for at, old_at in enumerate(was):
        if old_at is None:
            continue
        length = bisect_left(ends, old_at)
        before[at] = lasts[length - 1] if length else None
        ends[length:] = [old_at, *ends[length + 1 :]]
        lasts[length:] = [at, *lasts[length + 1 :]]
    found: set[int] = set()
    place = lasts[-1] if lasts else None
    while place is not None:
        found.add(place)
        place = before[place]
    return found


def _changed(old: Step, new: Step, old_at: int, at: int, *, moved: bool) -> Iterator[Change]:
    old_path, new_path = item("steps", old_at), item("steps", at)
    name = _name(at, new)

    def change(consequence: str, key: str, before: Any, after: Any, sentence: str, kind: str = "changed") -> Change:
        paths = (f"{old_path}.{key}", f"{new_path}.{key}") if key else (old_path, new_path)
        return Change(kind, consequence, *paths, frozen(before), frozen(after), f"{name} {sentence}")

    if moved:
        yield change(TIMELINES, "", old_at, at, f"has changed places: it was step {old_at}", "moved")
    if old.key != new.key:
        sentence = f"has the key {value(new.key)} now" if new.key else f"has no key any more; it was {value(old.key)}"
        yield change(VERSION, "key", old.key, new.key, sentence)
    if old.after != new.after:
        before, after = delay_document(old.after), delay_document(new.after)
        sentence = f"comes {new.after} instead of {old.after} after {_base(at)}"
        yield change(TIMELINES, "delay_from_previous_step", before, after, sentence)
    yield from (
        change(VERSION, f"action_properties.{key}", before, after, sentence)
        for key, before, after, sentence in _does(old.action, new.action)
    )
    yield from changed_metadata(
        old.metadata, new.metadata, child(old_path, "metadata"), child(new_path, "metadata"), f"{name}:"
    )


def _does(old: Any, new: Any) -> Iterator[tuple[str, Any, Any, str]]:
    """What is different in an action: the property, what it was and is, and the rest of a sentence about its step."""
    if isinstance(old, AutomatedEmail):
        if old.template_id != new.template_id:
            ids = [str(old.template_id), str(new.template_id)]
            if ids[0] == ids[1]:
                ids = [value(old.template_id), value(new.template_id)]
            sentence = f"sends mail {ids[1]} instead of mail {ids[0]}"
            yield "email_template_id", old.template_id, new.template_id, sentence
        if old.is_reply != new.is_reply:
            ways = "as a mail of its own", "as a reply, in the thread of the mail before it"
            sentence = f"leaves {ways[new.is_reply]} instead of {ways[old.is_reply]}"
            yield "is_reply", old.is_reply, new.is_reply, sentence
    elif isinstance(old, Task):
        if old.task_content != new.task_content:
            sentence = f"says {value(new.task_content)} instead of {value(old.task_content)}"
            yield "task_content", old.task_content, new.task_content, sentence
        if old.due_after != new.due_after:
            sentence = f"counts as overdue after {new.due_after} instead of {old.due_after}"
            yield "due_after", delay_document(old.due_after), delay_document(new.due_after), sentence
        if old.skip_after != new.skip_after:
            ends = [f"after {each}" if each else "never" for each in (old.skip_after, new.skip_after)]
            before, after = (each and delay_document(each) for each in (old.skip_after, new.skip_after))
            yield "skip_after", before, after, f"is skipped by itself {ends[1]} instead of {ends[0]}"


# -- metadata ----------------------------------------------------------------------------------------------------


def keyed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys of two mappings, those of the first in its order before what only the second has."""
    return [*before, *(key for key in after if key not in before)]


def changed_metadata(
    old: Mapping[str, Any], new: Mapping[str, Any], old_path: str, new_path: str, whose: str
) -> Iterator[Change]:
    """What is different in metadata, key by key."""
    for key in keyed(old, new):
        paths = child(old_path, key) if key in old else None, child(new_path, key) if key in new else None
        before, after = old.get(key), new.get(key)
        if None not in paths and same(before, after):
            continue
        name = f"{whose} metadata {value(key)}"
        if paths[0] is None:
            sentence = f"{name} is new: {value(after)}"
        elif paths[1] is None:
            sentence = f"{name} is gone: it was {value(before)}"
        else:
            sentence = f"{name} is {value(after)} instead of {value(before)}"
        kind = "added" if paths[0] is None else "removed" if paths[1] is None else "changed"
        yield Change(kind, VERSION, *paths, before, after, sentence)
