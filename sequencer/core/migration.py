"""Moving an enrollment to another version of its sequence: what becomes of each step (laws L1, L2, E2, T6).

Nothing moves by itself. Somebody asks `plan_migration` what would become of an enrollment, and if that is right, the
signal `Migrate` does it: one decision, with an event from which the move is replayed.

Which step of the new version is one of the old one, `matching.py` says.

The *frontier* is the furthest place, in the new version, of what is over; a step that was handed over already stays the
current one, wherever that is beyond it. Whatever of the new version lies before is passed over, for order is what a
sequence is (L4): nothing is sent that belongs before what was sent. What lies behind is ahead. So a step that is new
there runs, one that is no longer there does not, and nobody gets anything twice.

Keys of effects must never come again (E2), and a late answer must find its step. So a step keeps its number when its
position changes, and a new step gets one that no step of this enrollment ever had: it is made of the number of the
event that brought it and of its position, and no event has the number of another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.decision import Draft
from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.instants import to_iso, to_zone
from sequencer.core.matching import mark_of, marked, matches, name_of
from sequencer.core.sequence import MOST_STEPS, SequenceVersion, Step
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import base_of, estimate, projected
from sequencer.core.values import Identifier

__all__ = ["EnrollmentMove", "StepMove", "migrate", "plan_migration"]

# -- the move -------------------------------------------------------------------------------------------------


@attrs.frozen
class _Match:
    """Which steps of a version are known to an enrollment.

    `was` has the old position of those that it goes on with, by their new one; `past` those that were over in a version
    before. A step that an earlier move has passed over never happened, so it is as new as any other.
    """

    was: Mapping[int, int]
    past: frozenset[int]
    over_until: int
    """The first position behind everything that is over."""

    def place_of(self, step: EnrollmentStep) -> int | None:
        """Where in the new version a step of the old one is."""
        return next((at for at, was in self.was.items() if was == step.position), None)


def _match(enrollment: Enrollment, version: SequenceVersion) -> _Match:
    steps, new = enrollment.steps, version.sequence.steps
    was = {at: old for at, old in _matches(enrollment.version, version).items() if not steps[old].is_passed_over}
    past = frozenset(marked(enrollment.past, new, was)) if enrollment.past else frozenset()
    over = past.union(at for at, old in was.items() if steps[old].is_over)
    return _Match(was, past, 1 + max(over, default=-1))


def _matches(old: SequenceVersion, new: SequenceVersion) -> dict[int, int]:
    """The steps that are the same, remembered with the new version: a plan asks for every enrollment."""
    known: dict[int, Any] = new.__dict__.setdefault("_matches", {})
    found = known.get(old.id)
    if found is None or found[0] is not old:
        found = known[old.id] = (old, matches(old.sequence.steps, new.sequence.steps))
    pairs: dict[int, int] = found[1]
    return pairs


def migrate(draft: Draft, version: SequenceVersion) -> None:
    """Go on in another version of the sequence; in this one it is "already so".

    Raises `IllegalTransition` for what is finished, and where a step that has begun cannot go on there.
    """
    enrollment = draft.enrollment
    if enrollment.is_finished:
        raise IllegalTransition(enrollment.state, "migrate", "what is finished stays in its version")
    if version.sequence_id != enrollment.version.sequence_id:
        raise InvalidInput(f"is of {version.key!r}, the enrollment is in {enrollment.version.key!r}", path="version")
    if version.id == enrollment.version.id:
        return
    match = _match(enrollment, version)
    refusal = _refusal(enrollment, match)
    if refusal is not None:
        raise IllegalTransition(refusal[0].status, "migrate", refusal[1])
    _move(draft, version, match)


def _refusal(enrollment: Enrollment, match: _Match) -> tuple[EnrollmentStep, str] | None:
    """The step that stands in the way, and what to do about it."""
    for step in enrollment.steps[: enrollment.position]:
        if step.cancel_task and match.place_of(step) is None:
            return step, f"the task of step {step.position} is still being taken off the board; try again after that"
    current = enrollment.steps[enrollment.position]
    if not current.has_begun:
        return None
    place = match.place_of(current)
    if place is not None and place >= match.over_until:
        return None
    where = "is not in the new version" if place is None else "comes before what is over in the new version"
    name = f"step {current.position} {name_of(current.step)}"
    return current, f"{name} {_BEGUN[current.status][0]} and {where}; {_BEGUN[current.status][1]}"


_BEGUN = {
    StepStatus.PENDING: ("was handed over once and will be again", "skip it first, or wait until it is over"),
    StepStatus.REQUESTED: ("was handed over and its answer is out", "wait for that"),
    StepStatus.IN_PROGRESS: ("is waiting to be done", "complete or skip it first"),
    StepStatus.FAILED: ("has failed", "skip it first, or try it again"),
}


def _move(draft: Draft, version: SequenceVersion, match: _Match) -> None:
    enrollment, now, olds, new = draft.enrollment, draft.now, draft.enrollment.steps, version.sequence.steps
    current = olds[enrollment.position]
    place = match.place_of(current)
    position = place if place is not None and current.has_begun else match.over_until
    fresh = (enrollment.revision + 1) * MOST_STEPS
    steps: dict[int, dict[str, Any]] = {}
    for at, step in enumerate(new):
        old = olds[match.was[at]] if at in match.was else None
        fields = _numbered(at, old, fresh)
        if old is None or not (old.is_over or at == position):
            if old is current:
                fields |= {"estimated_execute_at": None, "not_before": None, "not_before_reason": None, "base_at": None}
            if at < position:
                status = StepStatus.PENDING if old is None else old.status
                fields |= {"status": draft.skipped(step, status), "skipped_at": now}
        if fields:
            steps[at] = fields
    if position < len(new):
        base = base_of(enrollment, current.position, now)
        before = None if position - 1 not in match.was else olds[match.was[position - 1]]
        end = enrollment.started_at if position == 0 else _end_of(before, now)
        timed = _timed(draft, version, position, base, current if place == position else None)
        if base != end or current.base_at is not None:
            # What it counts from stays, also where the step before it is another now.
            timed["base_at"] = None if base == end else base
        steps[position] = steps.get(position, {}) | timed
    own: dict[str, Any] = {"version": version, "left": enrollment.version, "position": position}
    gone = [old for old in olds if old.is_over and not old.is_passed_over and match.place_of(old) is None]
    if gone:
        own["past"] = (*enrollment.past, *(mark_of(old.step) for old in gone))
    facts = {
        "kept": [at for at, old in sorted(match.was.items()) if olds[old].is_over or at >= position],
        "added": [at for at in range(position, len(new)) if at not in match.was],
        "passed_over": [at for at, fields in steps.items() if "skipped_at" in fields],
        "dropped": [old.position for old in olds if not old.is_over and _is_behind(match.place_of(old), position)],
    }
    numbers = {"from": enrollment.version.version, "to": version.version}
    draft.record("migrated", facts=numbers | {name: each for name, each in facts.items() if each}, own=own, steps=steps)
    if position == len(new):
        draft.finish("completed", None)
    elif draft.enrollment.steps[position].is_withdrawable:
        # It has no start mark, so it has not been handed over: it will be, when it is due in the new version.
        draft.try_again("hand_over_withdrawn", draft.enrollment.steps[position], {}, pause=None)


def _is_behind(place: int | None, position: int) -> bool:
    return place is None or place < position


def _numbered(at: int, old: EnrollmentStep | None, fresh: int) -> dict[str, Any]:
    """Which step it is: one of the old version, with the number that it has; or a new one, with a fresh number."""
    number = fresh + at if old is None else old.number
    fields: dict[str, Any] = {} if old is None else {"was": old.position}
    if number != at or (old is not None and old.serial is not None):
        fields["serial"] = None if number == at else number
    return fields


def _end_of(step: EnrollmentStep | None, now: DateTime) -> DateTime:
    """When the step before the current one ended; one that is passed over ends now."""
    if step is None or not step.is_over:
        return now
    end = step.executed_at or step.skipped_at
    assert end is not None, "what is over ended at some time"
    return min(end, now)


def _timed(
    draft: Draft, version: SequenceVersion, position: int, base: DateTime, same: EnrollmentStep | None
) -> dict[str, Any]:
    """When the current step is due; `same` is it as it was, if it was the current one before."""
    enrollment, now = draft.enrollment, draft.now
    calendar = version.calendar_in(enrollment.timezone)
    steps = version.sequence.steps
    fields: dict[str, Any] = {}
    at = None if same is None else same.estimated_execute_at
    kept = same is not None and same.step.after == steps[position].after and enrollment.calendar == calendar
    if not kept and (same is None or same.status is StepStatus.PENDING or same.is_withdrawable):
        not_before = None if same is None else same.not_before
        at = estimate(calendar, steps[position], base, not_before)
        if at < now and enrollment.state is EnrollmentState.ACTIVE:
            # Not overdue: it only came to stand here now. While blocked, the resume settles what is past.
            at = estimate(calendar, steps[position], base, now)
            fields = {"not_before": now, "not_before_reason": "moved"}
        fields["estimated_execute_at"] = at
    assert at is not None, "a current step has an estimate"
    for step in steps[position + 1 :]:
        # A timeline that leaves the years 1970 to 9000 is refused here (T11).
        at = estimate(calendar, step, at)
    return fields


# -- the plan -------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class StepMove:
    """What becomes of one step. Positions and estimates (UTC) are those before and after the move, where it has any."""

    step: Step
    position_before: int | None = None
    position_after: int | None = None
    before: DateTime | None = None
    after: DateTime | None = None
    over: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "key": self.step.key,
            "action_type": self.step.action.action_type,
            "position_before": self.position_before,
            "position_after": self.position_after,
            "before": self.before and to_iso(self.before),
            "after": self.after and to_iso(self.after),
            "over": self.over,
        }


@attrs.frozen(kw_only=True)
class EnrollmentMove:
    """What would become of one enrollment, as it was at `revision`; printing it prints a line for each step.

    - `kept`: steps that go on as they are; what is over is over in the new version, too.
    - `retimed`: steps that go on at another time. `added`: steps that are new, and ahead.
    - `dropped`: steps that were ahead, and will not happen. `passed_over`: steps of the new version that will not
      happen, since they come before what has happened already.
    - `refused`: why it cannot be moved, and what to do first; None where it can.
    - `finishes`: nothing is left to do in the new version, so it would finish as `completed`.
    """

    enrollment_id: int
    revision: int
    resource_type: str
    resource_id: Identifier
    timezone: str
    from_version: int
    to_version: int
    kept: tuple[StepMove, ...] = ()
    retimed: tuple[StepMove, ...] = ()
    added: tuple[StepMove, ...] = ()
    dropped: tuple[StepMove, ...] = ()
    passed_over: tuple[StepMove, ...] = ()
    finishes: bool = False
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = {
            "id": self.enrollment_id,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "from_version": self.from_version,
            "to_version": self.to_version,
            "refused": self.refused,
            "finishes": self.finishes,
        }
        return values | {name: [step.to_dict() for step in getattr(self, name)] for name in _KINDS}

    def __str__(self) -> str:
        head = f"Enrollment {self.enrollment_id} ({self.resource_type} {self.resource_id}), version {self.from_version}"
        if self.refused is not None:
            return f"{head} stays there: {self.refused}."
        lines = [f"{head} to {self.to_version}{', and finishes' if self.finishes else ''}:"]
        for name in _KINDS:
            lines += [f"  {self._line(name, step)}" for step in getattr(self, name)]
        return "\n".join(lines)

    def _line(self, kind: str, step: StepMove) -> str:
        was, becomes = step.position_before, step.position_after
        line = f"{_KINDS[kind]:<12} step {was if becomes is None else becomes} {name_of(step.step)}"
        if None not in (was, becomes) and was != becomes:
            line += f", was step {was}"
        if step.over:
            return f"{line}: over"
        if kind == "retimed":
            return f"{line}: {self._show(step.after)} instead of {self._show(step.before)}"
        at = step.after or step.before
        return line if at is None or kind == "passed_over" else f"{line}: {self._show(at)}"

    def _show(self, at: DateTime | None) -> str:
        if at is None:
            return "no estimate"
        local = to_zone(at, self.timezone)
        return f"{local:%a %Y-%m-%d %H:%M} {local:%Z}".rstrip()


_KINDS = {
    "kept": "keeps",
    "retimed": "re-times",
    "added": "adds",
    "dropped": "drops",
    "passed_over": "passes over",
}


def plan_migration(
    enrollment: Enrollment, version: SequenceVersion, now: DateTime, beside: Enrollment | None = None
) -> EnrollmentMove:
    """What would become of an enrollment in another version of its sequence, by doing it and looking.

    `beside` is another one of the same person that the new version would not tolerate (L9).

    Raises `InvalidInput` for a version of another sequence.
    """
    draft = Draft(enrollment, now)
    plan: dict[str, Any] = {
        "enrollment_id": enrollment.id,
        "revision": enrollment.revision,
        "resource_type": enrollment.resource.type,
        "resource_id": enrollment.resource.id,
        "timezone": enrollment.timezone,
        "from_version": enrollment.version.version,
        "to_version": version.version,
    }
    if enrollment.is_finished:
        return EnrollmentMove(**plan, refused="it is finished")
    if version.id == enrollment.version.id:
        return EnrollmentMove(**plan, refused="it is in this version already")
    match = _match(enrollment, version)
    refusal = _refusal(enrollment, match)
    if refusal is not None:
        return EnrollmentMove(**plan, refused=refusal[1])
    if beside is not None:
        name = beside.version.sequence.name
        why = f"the new version tolerates no other sequence, and enrollment {beside.id} in {name!r} goes on"
        return EnrollmentMove(**plan, refused=f"{why}; finish one of the two first")
    try:
        migrate(draft, version)
    except InvalidInput as error:
        if error.path == "version":
            raise
        return EnrollmentMove(**plan, refused=str(error))
    return EnrollmentMove(**plan, finishes=draft.enrollment.is_finished, **_fates(enrollment, draft, match, now))


def _fates(enrollment: Enrollment, draft: Draft, match: _Match, now: DateTime) -> dict[str, Any]:
    """The steps, filed by what becomes of them."""
    moved, before, after = draft.enrollment, projected(enrollment, now), projected(draft.enrollment, now)
    passed_over = draft.events[0].facts.get("passed_over", ())
    filed: dict[str, list[StepMove]] = {kind: [] for kind in _KINDS}
    for step, at in zip(moved.steps, after, strict=True):
        was = match.was.get(step.position)
        if step.position in passed_over:
            kind, was = "passed_over", None
        elif was is None:
            kind = "added"
        else:
            kind = "kept" if step.is_over or at == before[was] else "retimed"
        filed[kind].append(
            StepMove(
                step=step.step,
                position_before=was,
                position_after=step.position,
                before=None if was is None or step.is_over else before[was],
                after=None if step.is_over else at,
                over=step.is_over and kind == "kept",
            )
        )
    for was in draft.events[0].facts.get("dropped", ()):
        filed["dropped"].append(StepMove(step=enrollment.steps[was].step, position_before=was, before=before[was]))
    return {kind: tuple(steps) for kind, steps in filed.items()}
