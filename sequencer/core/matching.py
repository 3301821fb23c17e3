"""Which steps of two versions of a sequence are the same step.

They are if they have the same key and are of the same kind. Where one of them has no key, they are if they do the same;
such pairs keep their order. Two different keys are two different steps, and so is a mail that became a task.

A step that is over stays over when its version is left for one that does not have it. What is remembered of it is a
mark: a line of text from which the same step is known again, if a later version brings it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from sequencer.core.sequence import AutomatedEmail, Sequence, Step

__all__ = ["mark_of", "marked", "matches", "name_of", "step_called"]

_LONGEST_TEXT = 60
_Steps = tuple[Step, ...]


def name_of(step: Step) -> str:
    """What a step is called: its key where it has one, the template of a mail, the text of a task."""
    action = step.action
    if isinstance(action, AutomatedEmail):
        what = f"mail {action.template_id}"
    else:
        text = " ".join(action.task_content.split())
        what = f"task: {text if len(text) <= _LONGEST_TEXT else f'{text[: _LONGEST_TEXT - 3].rstrip()}...'}"
    return f"{step.key} ({what})" if step.key else f"({what})"


def step_called(sequence: Sequence, position: int) -> str:
    """A step of a sequence as messages call it: its position, and its key or what it does."""
    return f"step {position} {name_of(sequence.steps[position])}"


def matches(old: _Steps, new: _Steps) -> dict[int, int]:
    """For the positions of `new` whose step is one of `old`, the position that it has there."""
    place = {step.key: i for i, step in enumerate(old) if step.key is not None}
    keys = {step.key for step in new}
    found = {
        i: place[step.key]
        for i, step in enumerate(new)
        if step.key in place and old[place[step.key]].is_email == step.is_email
    }
    # A key that both have says all that there is to say, also where it is of another kind now.
    ours = [i for i, step in enumerate(old) if step.key is None or step.key not in keys]
    theirs = [i for i, step in enumerate(new) if step.key is None or step.key not in place]
    return found | _alike(old, new, ours, theirs)


def _alike(old: _Steps, new: _Steps, ours: list[int], theirs: list[int]) -> dict[int, int]:
    """As many pairs as possible of steps that do the same, in order; the earliest of them."""

    def alike(i: int, j: int) -> bool:
        one, other = old[ours[i]], new[theirs[j]]
        return (one.key is None or other.key is None) and one.action == other.action

    # most[i][j]: how many pairs there can be from i and j on.
    most = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            paired = most[i + 1][j + 1] + 1 if alike(i, j) else 0
            most[i][j] = max(paired, most[i + 1][j], most[i][j + 1])
    found, i, j = {}, 0, 0
    while i < len(ours) and j < len(theirs):
        if alike(i, j) and most[i][j] == most[i + 1][j + 1] + 1:
            found[theirs[j]] = ours[i]
            i, j = i + 1, j + 1
        elif most[i][j] == most[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def mark_of(step: Step) -> str:
    """What is remembered of a step: its kind, a digest of what it does, and its key, where it has one."""
    action = step.action
    does = (action.template_id, action.is_reply) if isinstance(action, AutomatedEmail) else (action.task_content,)
    digest = hashlib.sha256(repr(does).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{action.action_type} {digest} {step.key or ''}".rstrip()


def marked(marks: Iterable[str], steps: _Steps, taken: Collection[int]) -> set[int]:
    """The positions of the steps that have these marks, each mark once; those `taken` are somebody else."""
    found: set[int] = set()
    for mark in marks:
        kind, does, key = [*mark.split(" ", 2), ""][:3]
        for at, step in enumerate(steps):
            if at in found or at in taken:
                continue
            other = [*mark_of(step).split(" ", 2), ""][:3]
            if (key == other[2] and kind == other[0]) if key and other[2] else (kind, does) == tuple(other[:2]):
                found.add(at)
                break
    return found
