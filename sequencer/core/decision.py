"""A decision in the making, and the moves that every way into the core shares.

`Draft` starts from an enrollment and collects events and effects. `record` is the only way in which it changes: it
makes the event and applies it at once. The moves below it (a step is over, a step fails for good, the enrollment
finishes, a step is to be handed over again) are each written once, whoever causes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.effects import CancelTask, Effect
from sequencer.core.enrollment import Enrollment, EnrollmentStep, made
from sequencer.core.events import Event, applied
from sequencer.core.instants import later_by
from sequencer.core.sequence import Step
from sequencer.core.statuses import (
    BLOCKED,
    EMAIL_TABLE,
    ENROLLMENT_TABLE,
    FAILED,
    FINISHED,
    IN_PROGRESS,
    REQUESTED,
    TASK_TABLE,
    EnrollmentState,
    StepStatus,
    step,
)
from sequencer.core.timeline import base_of, estimate, is_paced, next_wake
from sequencer.core.values import Identifier

__all__ = ["UNKNOWN", "Decision", "Draft"]

_Fields = Mapping[str, Any]
_NOTHING: _Fields = {}
UNKNOWN: _Fields = {"outcome": "unknown"}
"""What is noted of an attempt of which nobody can tell whether it happened."""


@attrs.frozen(slots=False)
class Decision:
    """What `advance` returns: the enrollment after it, what must be done outside, and what has happened.

    Without events nothing was changed: a request was "already so", or there was nothing to do.
    """

    enrollment: Enrollment
    effects: tuple[Effect, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was recorded, and so has to be stored."""
        return bool(self.events)


class Draft:
    """A decision in the making."""

    __slots__ = ("effects", "enrollment", "events", "now")

    def __init__(self, enrollment: Enrollment, now: DateTime) -> None:
        self.enrollment = enrollment
        self.now = now
        self.events: list[Event] = []
        self.effects: list[Effect] = []

    def decision(self) -> Decision:
        """The finished decision."""
        return Decision(self.enrollment, tuple(self.effects), tuple(self.events))

    def record(
        self,
        type: str,
        position: int | None = None,
        *,
        facts: _Fields = _NOTHING,
        own: _Fields = _NOTHING,
        steps: Mapping[int, _Fields] | None = None,
    ) -> None:
        """Something has happened: note it and apply it."""
        before, now, own = self.enrollment, self.now, {**own}
        event = made(
            Event,
            {
                "enrollment_id": before.id,
                "number": before.revision + 1,
                "at": now,
                "type": type,
                "position": position,
                "facts": facts,
                "own": own,
                "steps": steps or {},
                "subject": None,
                "cursor": None,
            },
        )
        after = applied(before, event)
        # When to look next follows from everything else, so it is computed here, once, for every move.
        wake_at = next_wake(after, now)
        if wake_at != before.wake_at:
            own["wake_at"] = after.__dict__["wake_at"] = wake_at
        self.events.append(event)
        self.enrollment = after

    def note(self, kind: str, position: int | None = None, **facts: Any) -> None:
        """A report changed nothing: note it."""
        self.record("noted", position, facts={"kind": kind, **facts})

    # -- statuses ----------------------------------------------------------------------------------------------

    def status(self, of: EnrollmentStep, trigger: str) -> StepStatus:
        """The status of a step after a trigger, by its machine."""
        return step(EMAIL_TABLE if of.step.is_email else TASK_TABLE, of.status, trigger)  # type: ignore[return-value]

    @staticmethod
    def skipped(of: Step, status: StepStatus) -> StepStatus:
        """The status of a step that is passed over, from this status of it, by its machine."""
        return step(EMAIL_TABLE if of.is_email else TASK_TABLE, status, "skip")  # type: ignore[return-value]

    def state(self, trigger: str) -> EnrollmentState:
        """The state of the enrollment after a trigger, by its machine."""
        return step(ENROLLMENT_TABLE, self.enrollment.state, trigger)  # type: ignore[return-value]

    # -- estimates ---------------------------------------------------------------------------------------------

    def estimated(self, of: EnrollmentStep, not_before: DateTime | None) -> DateTime:
        """The estimate of the current step (T7)."""
        enrollment = self.enrollment
        return estimate(enrollment.calendar, of.step, base_of(enrollment, of.position, self.now), not_before)

    def pause_before_retry(self, of: EnrollmentStep, failures: int) -> timedelta:
        """How long to wait after the n-th temporary failure: growing, and jittered by a hash of the key (E4)."""
        retry = self.enrollment.version.sequence.policy.retry
        # 1 + up to a quarter, so that what failed together does not come back together.
        hashed = zlib.crc32(f"{self.enrollment.key_of(of)}-{failures}".encode())
        seconds = min(retry.first * retry.factor ** min(failures - 1, 50), 30 * 86_400.0)
        return timedelta(seconds=round(seconds * (1 + hashed / 2**34), 3))

    def pause_believed(self, of: EnrollmentStep) -> DateTime | None:
        """Its `not_before`, but of a pause before a retry no more than that can be: the clock was ahead, then (E6).

        Whether it still has to wait for a cap or a catch-up is decided anew, so of those it keeps none.
        """
        if is_paced(of) and self.enrollment.updated_at is not None and self.enrollment.updated_at > self.now:
            return None
        if of.not_before is None or of.not_before_reason != "retry":
            return of.not_before
        return min(of.not_before, self._longest_pause(of, of.attempt))

    def _longest_pause(self, of: EnrollmentStep, failures: int) -> DateTime:
        # The jitter adds a quarter at most.
        return later_by(self.now, self.pause_before_retry(of, max(1, failures)) * 1.25)

    # -- moves -------------------------------------------------------------------------------------------------

    def lifted(self) -> dict[str, Any]:
        """The fields of an enrollment whose block ends; none where it is not blocked."""
        if self.enrollment.state is not BLOCKED:
            return {}
        return {
            "state": self.state("resume"),
            "blocked_at": None,
            "blocked_reason": None,
            "blocked_until": None,
        }

    def step_over(self, type: str, of: EnrollmentStep, fields: dict[str, Any], facts: _Fields, *, lift: bool) -> None:
        """The current step is completed or skipped: go on to the next, or finish (T6, L3).

        `fields` are the step's changes; `lift` ends a block that this step's failure had caused.
        """
        enrollment = self.enrollment
        position = of.position
        fields["not_before"] = fields["not_before_reason"] = None
        if enrollment.state is FINISHED:
            self.record(type, position, facts=facts, steps={position: fields})
            return
        own = self.lifted() if lift else {}
        own["position"] = position + 1
        steps: dict[int, _Fields] = {position: fields}
        if position + 1 < len(enrollment.steps):
            following = enrollment.steps[position + 1]
            # A time that a report gives is the past; a clock that was ahead is not believed (E6).
            over_at = min(fields.get("executed_at") or fields["skipped_at"], self.now)
            at = estimate(enrollment.calendar, following.step, over_at)
            steps[position + 1] = {"estimated_execute_at": at}
        self.record(type, position, facts=facts, own=own, steps=steps)
        if position + 1 == len(enrollment.steps):
            self.finish("completed", None)

    def finish(self, reason: str, actor_id: Identifier | None, facts: _Fields = _NOTHING) -> None:
        """End the enrollment (L7): cancel what has not been handed over, withdraw what has no start mark."""
        enrollment = self.enrollment
        steps: dict[int, _Fields] = {}
        for each in enrollment.steps[enrollment.position :]:
            if each.is_over or (each.status is REQUESTED and not each.is_withdrawable):
                continue
            fields: dict[str, Any] = {
                "status": self.status(each, "cancel"),
                "estimated_execute_at": None,
                "not_before": None,
                "not_before_reason": None,
            }
            if each.status is IN_PROGRESS:
                fields["cancel_task"] = True
            steps[each.position] = fields
        own = {
            "state": self.state("finish"),
            "finished_at": self.now,
            "finished_reason": reason,
            "finished_actor_id": actor_id,
            "blocked_at": None,
            "blocked_reason": None,
            "blocked_until": None,
        }
        self.record("finished", facts={"reason": reason, **facts}, own=own, steps=steps)
        self.request_cancels()

    def request_cancels(self) -> None:
        """Ask for every task that is to be taken off the board."""
        enrollment = self.enrollment
        for each in enrollment.steps[: enrollment.position + 1]:
            if not each.cancel_task:
                continue
            after = each.cancel_after
            # One that lies further ahead than a pause can last was set by a clock that was ahead (E6).
            if after is None or after <= self.now or after > self._longest_pause(each, each.cancel_failures):
                assert each.task_id is not None, "only a task that exists is cancelled"
                self.effects.append(CancelTask(each.task_id, enrollment.id, each.position))

    def fail(
        self,
        of: EnrollmentStep,
        reason: str,
        *,
        refused: bool,
        detail: str | None = None,
        blocked_reason: str | None = None,
    ) -> None:
        """The step failed for good, and blocks the enrollment; a failure replaces a pause (L5)."""
        fields = {
            "status": self.status(of, "fail"),
            "failure_reason": reason,
            "failure_detail": detail,
            "refused": refused,
            "awaits_report": False,
            "started_at": None,
        }
        blocked = self.enrollment.state is BLOCKED
        own = {
            "state": BLOCKED if blocked else self.state("block"),
            "blocked_at": self.now,
            "blocked_reason": blocked_reason or reason,
            "blocked_until": None,
        }
        facts = {"reason": reason, "blocked_reason": own["blocked_reason"]}
        self.record("step_failed", of.position, facts=facts, own=own, steps={of.position: fields})

    def pause(self, reason: str, until: DateTime | None, facts: _Fields = _NOTHING) -> None:
        """Block for a reason that is no failure; of two pauses the later `until` wins (L5).

        A block by the step's own failure is the stronger one: nothing changes then.
        """
        enrollment, current = self.enrollment, self.enrollment.current
        facts = {"reason": reason, "until": until, **facts}
        if enrollment.state is BLOCKED:
            if current is not None and current.status is FAILED:
                return
            if enrollment.blocked_until is None or (until is not None and until <= enrollment.blocked_until):
                return
            self.record("blocked", facts=facts, own={"blocked_reason": reason, "blocked_until": until})
            return
        own = {
            "state": self.state("block"),
            "blocked_at": self.now,
            "blocked_reason": reason,
            "blocked_until": until,
        }
        self.record("blocked", facts=facts, own=own)
        if current is not None and current.is_withdrawable:
            # It has no start mark, so it has not been handed over: it will be, after the block.
            self.try_again("hand_over_withdrawn", current, {}, pause=None)

    def cancel(self, of: EnrollmentStep, *, known: bool = True) -> None:
        """A hand-over that was out when the enrollment finished came to nothing (L7), as far as is `known`."""
        fields = {
            "status": self.status(of, "cancel"),
            "estimated_execute_at": None,
            "awaits_report": False,
            "started_at": None,
        }
        facts = _NOTHING if known else UNKNOWN
        self.record("step_cancelled", of.position, facts=facts, steps={of.position: fields})

    def try_again(
        self,
        type: str,
        of: EnrollmentStep,
        facts: _Fields,
        *,
        pause: timedelta | None,
        detail: str | None = None,
        counts: bool = True,
    ) -> None:
        """A hand-over comes back to pending: withdrawn, or to be repeated after a pause, under the same key.

        `detail` is what the port said; it is kept until there is an answer of another kind. `counts` says whether it
        is one of the attempts that the policy allows.
        """
        fields: dict[str, Any] = {
            "status": self.status(of, "retry"),
            "awaits_report": False,
            "started_at": None,
        }
        if pause is None:
            # It waits again, and if it was moved meanwhile, for the calendar of another version (T5).
            at = of.estimated_execute_at
            assert at is not None, "what is requested has an estimate"
            opens = self.enrollment.calendar.next_open(at, email=of.step.is_email)
            if opens != at:
                fields["estimated_execute_at"] = opens
        else:
            not_before = later_by(self.now, pause)
            fields |= {
                "failures": of.failures + counts,
                "failure_detail": detail,
                "not_before": not_before,
                "not_before_reason": "retry",
                "estimated_execute_at": self.estimated(of, not_before),
            }
        self.record(type, of.position, facts=facts, steps={of.position: fields})
