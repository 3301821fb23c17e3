"""Whose turn it is: caps for each actor, and catch-up after downtime, for what a worker has claimed (laws E5, E7).

It is asked in the very transaction of the claim and its decisions. There, what left in an actor's name and what is out
is counted while nobody else can count it, and what may leave is out with the commit: so a cap is exact, however many
workers there are. The arithmetic is the core's (`core/pacing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager
from datetime import timedelta

import attrs
from pendulum import DateTime

from sequencer.core.answers import without_addresses
from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.errors import Conflict, InvalidInput, StoreError
from sequencer.core.instants import between, later_by
from sequencer.core.pacing import Cap, CatchUp, DueMail, admitted, in_order, is_follow_up, planned
from sequencer.core.signals import Defer
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import is_due
from sequencer.core.values import Identifier
from sequencer.engine.fitting import must_fit
from sequencer.engine.logs import WORKER, log_raised, subject_fields
from sequencer.engine.port_answers import WrongAnswer
from sequencer.engine.storage import Transaction
from sequencer.engine.stored import Actor, ActorMail, Held

__all__ = ["CapRule", "Pacing", "Turns"]

CapRule = Cap | Callable[[Identifier | None, Identifier], Cap | None] | None
"""A cap for every actor; a callable that is given an account and an actor's id; or None."""

_Mail = tuple[Enrollment, EnrollmentStep]
_MOMENT = timedelta(microseconds=1)
# What leaves now leaves during this pass. A plan that counts on a little later finds the room there, all at once.
_LONGEST_PASS = timedelta(minutes=1)


@attrs.frozen
class Turns:
    """What claimed enrollments are told instead of `Due`; those `held_up` nothing, since nobody can tell."""

    deferred: dict[int, Defer] = attrs.Factory(dict)
    held_up: frozenset[int] = frozenset()


@attrs.frozen
class Pacing:
    """The rules of one engine; `lease` in seconds, the difference that is allowed between the clocks of workers."""

    cap: CapRule
    catch_up: CatchUp | None
    lease: float

    def __attrs_post_init__(self) -> None:
        if not (self.cap is None or isinstance(self.cap, Cap) or callable(self.cap)):
            raise InvalidInput(
                f"needs a Cap, a callable from account and actor to one, or None, got {self.cap!r}",
                path="cap",
                code="invalid_type",
            )
        if callable(self.cap):
            must_fit(cap=self.cap)
        if not (self.catch_up is None or isinstance(self.catch_up, CatchUp)):
            raise InvalidInput(f"needs a CatchUp or None, got {self.catch_up!r}", path="catch_up", code="invalid_type")

    def turns(self, transaction: Transaction, claimed: Several[Held], now: DateTime, *, full: bool) -> Turns:
        """Who has to wait, of those claimed at `now`. `full` says that there may be more that is due."""
        deferred: dict[int, Defer] = {}
        held_up: set[int] = set()
        by_actor: dict[Actor, list[_Mail]] = {}
        for held in claimed:
            enrollment = held.enrollment
            try:
                step = _due_step(enrollment, now)
                late = None if step is None else self._late(enrollment, step, now)
            except Exception as error:  # noqa: BLE001 - it must not hold up the others
                message, fields = "enrollment %d could not be decided: %s", subject_fields(enrollment)
                log_raised(WORKER, message, enrollment.id, error, **fields)
                held_up.add(enrollment.id)
                continue
            if late is not None:
                deferred[enrollment.id] = late
            elif step is not None and step.step.is_email and enrollment.actor_id is not None and self.cap is not None:
                by_actor.setdefault((enrollment.account, enrollment.actor_id), []).append((enrollment, step))
        caps: dict[Actor, Cap] = {}
        for actor, mails in by_actor.items():
            with _apart(mails, held_up):
                cap = self._cap(actor)
                if cap is not None:
                    caps[actor] = cap
        if not caps:
            return Turns(deferred, frozenset(held_up))
        ahead = later_by(now, timedelta(seconds=2 * self.lease))
        since = {each: later_by(now, -caps[each].per) for each in caps}
        # Whoever is due and not claimed was to be looked at later than the last of these.
        last = max((each.enrollment.wake_at for each in claimed if each.enrollment.wake_at), default=now)
        counted = transaction.mails_counted(since, now, ahead=ahead, expected_since=last if full else None)
        # Most are far from their caps, all counted together: only of the others it matters which mails there are.
        near = {
            actor: since[actor]
            for actor, cap in caps.items()
            if cap.gap or cap.jitter or counted[actor] + len(by_actor[actor]) > cap.emails
        }
        left = transaction.mails_left(near, now, ahead=ahead) if near else {}
        expected = transaction.mails_expected(near, last) if near and full else {}
        for actor, found in left.items():
            mails = by_actor[actor]
            with _apart(mails, held_up):
                deferred |= _capped(transaction, actor, caps[actor], mails, now, found, expected.get(actor))
        return Turns(deferred, frozenset(held_up))

    def _cap(self, actor: Actor) -> Cap | None:
        cap: object = self.cap(*actor) if callable(self.cap) else self.cap
        if cap is None or isinstance(cap, Cap):
            return cap
        raise WrongAnswer("`cap` answers a Cap or None", cap)

    def _late(self, enrollment: Enrollment, step: EnrollmentStep, now: DateTime) -> Defer | None:
        rule, at = self.catch_up, step.estimated_execute_at
        if rule is None or at is None:
            return None
        calendar, email = enrollment.calendar, step.step.is_email
        # While the calendar was closed nobody was late, whoever looked then.
        if between(at, now) <= rule.after or now <= calendar.after_open(at, rule.after, email=email):
            return None
        until = rule.until(enrollment.key_of(step), now, calendar, email=email)
        return Defer(until, "catch_up", rule.why()) if until > now else None


@contextmanager
def _apart(mails: Several[_Mail], held_up: set[int]) -> Iterator[None]:
    """Whatever is wrong about one actor must not hold up the others: its mails are looked at again after the lease."""
    try:
        yield
    except (StoreError, Conflict):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is
        # The host's callable is at fault, or what is stored. Mails that nobody can count do not leave.
        message = "the actor of enrollment %d cannot be capped, so its mails wait for their lease: %s"
        first = mails[0][0]
        log_raised(WORKER, message, first.id, error, _said(error), **subject_fields(first))
        held_up.update(enrollment.id for enrollment, _ in mails)


def _said(error: Exception) -> str | None:
    """What may be logged of what it says: ours about the answer, or about a `Cap` that was being made of numbers."""
    ours = isinstance(error, WrongAnswer) or (isinstance(error, InvalidInput) and error.path.startswith("cap."))
    return without_addresses(str(error)) if ours else None


def _capped(
    transaction: Transaction,
    actor: Actor,
    cap: Cap,
    mails: Several[_Mail],
    now: DateTime,
    found: Several[ActorMail],
    expected: Several[ActorMail] | None,
) -> dict[int, Defer]:
    """Which of the mails of one actor have to wait; `expected` is given where more may be due than was claimed."""
    left = [each for each in found if each.standing == "sent"]
    holding = {(each.enrollment_id, each.step) for each in left}
    due = in_order(_due_mail(cap, enrollment, step, holding, now) for enrollment, step in mails)
    claimed = {mail.id for mail in due}
    reserved = 0
    if expected is not None and not due[-1].follow_up:
        reserved = sum(each.follow_up and each.at <= now for each in _others(expected, claimed))
    instants, out = [each.at for each in left], len(found) - len(left)
    going = admitted(cap, due, now, instants, out, reserved)
    if going == len(due):
        return {}
    if expected is None:
        expected = transaction.mails_expected([actor], now)[actor]
    ahead_of_us = [each for each in _others(expected, claimed) if each.at > now]
    # Between two mails the gap is counted from the one; a window finds its room where all have left.
    by = now if cap.gap or cap.jitter else later_by(now, min(_LONGEST_PASS, cap.per / 60))
    places = planned(
        cap,
        due[going:],
        later_by(now, _MOMENT),
        [*instants, *[by] * (out + going + reserved)],
        [each.at for each in ahead_of_us if each.follow_up],
        [each.at for each in ahead_of_us if not each.follow_up],
    )
    return {
        mail.id: Defer(
            None if place.full and cap.exceeding == "block" else place.at,
            "cap",
            cap.why(full=place.full, actor=actor[1]),
        )
        for mail, place in zip(due[going:], places, strict=True)
    }


def _due_step(enrollment: Enrollment, now: DateTime) -> EnrollmentStep | None:
    """The step that would be handed over at this instant."""
    current = enrollment.current
    if current is None or current.status is not StepStatus.PENDING or enrollment.state is not EnrollmentState.ACTIVE:
        return None
    return current if is_due(enrollment, now) else None


def _due_mail(
    cap: Cap, enrollment: Enrollment, step: EnrollmentStep, holding: Container[tuple[int, int]], now: DateTime
) -> DueMail:
    return DueMail(
        enrollment.id,
        enrollment.calendar,
        is_follow_up(enrollment, step),
        step.estimated_execute_at or now,
        cap.wait_before(enrollment.key_of(step)),
        # Before its first attempt it is another mail than the one under its former key.
        held=step.attempt > 0 and (enrollment.id, step.number) in holding,
    )


def _others(mails: Iterable[ActorMail], claimed: Container[int]) -> list[ActorMail]:
    return [each for each in mails if each.enrollment_id not in claimed]
