"""The naive model: a book kept by hand of who is enrolled, who has opted out, which keys were used (L5 to L10).

It is written from the laws, with dicts and lists, and predicts the answer of every verb and report from what it last
saw of an enrollment. It knows nothing of machines, events or stores.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sequencer.core.enrollment import Enrollment, Resource, fold_address
from sequencer.core.sequence import Sequence
from sequencer.testing.machine.cast import Cast

FAILURES = {
    "delivery_failed",
    "quota_reached",
    "mail_settings",
    "missing_merge_data",
    "task_failed",
    "task_deleted",
    "outcome_unknown",
}


def whose(enrollment: Enrollment) -> tuple[str, type, Any]:
    """Whose an enrollment is, to be compared."""
    return who(enrollment.resource)


def who(resource: Resource) -> tuple[str, type, Any]:
    """Who somebody is, to be compared: 1 and "1" are two."""
    return (resource.type, type(resource.id), resource.id)


class Book:
    """What the model has noted."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.seen: dict[int, Enrollment] = {}
        self.address: dict[int, str | None] = {}
        self.former: dict[int, set[str]] = {}
        self.suppressed: set[str] = set()
        self.idempotency: dict[str, int] = {}
        self.reports: dict[str, tuple[Any, tuple[int, ...]]] = {}
        self.past: dict[int, set[str | None]] = {}

    # -- enrolling: L9

    def ongoing(self) -> list[int]:
        return [id for id, each in self.seen.items() if each.state.value != "finished"]

    def same_person(self, id: int, resource: Resource) -> bool:
        address = fold_address(resource.email)
        return whose(self.seen[id]) == who(resource) or (address is not None and self.address[id] == address)

    def expect_enroll(self, key: str, resource: Resource, idempotency: str | None, now: Any) -> tuple[str, set[int]]:
        """What enrolling should answer, and which enrollments may be named in it."""
        if idempotency in self.idempotency:
            before = self.seen[self.idempotency[idempotency]]
            same = before.version.key == key and whose(before) == who(resource)
            return ("known" if same else "conflict"), {before.id}
        if fold_address(resource.email) in self.suppressed:
            return "suppressed", set()
        mine = {id for id in self.ongoing() if self.same_person(id, resource)}
        alone = self.cast.sequences[key].policy.exclusive == "all"
        in_the_way = {
            id
            for id in mine
            if self.seen[id].version.key == key or alone or self.seen[id].version.sequence.policy.exclusive == "all"
        }
        if in_the_way:
            return "already", in_the_way
        pause = timedelta(days=self.cast.sequences[key].policy.reenroll_after)
        ended = {
            id: each.finished_at
            for id, each in self.seen.items()
            if each.state.value == "finished" and each.version.key == key and self.same_person(id, resource)
        }
        if pause and any(at is not None and now < at + pause for at in ended.values()):
            latest = max(at for at in ended.values() if at is not None)
            if now < latest + pause:
                return "already", {id for id, at in ended.items() if at == latest}
        return "new", set()

    # -- verbs: L5, L6, L7, L10

    def expect_verb(self, verb: str, id: int, until: Any = None) -> str:
        """done, already or illegal."""
        seen = self.seen[id]
        state, current = seen.state.value, seen.current
        status = None if current is None else current.status.value
        if state == "finished":
            return "already" if verb == "finish" else "illegal"
        if verb == "finish":
            return "done"
        if verb == "block":
            return self._pause(seen, until)
        held = status == "requested"
        if verb == "skip":
            return "illegal" if held else "done"
        if state == "active":
            return "already"
        return "illegal" if verb == "resume, skip" and held else "done"

    def _pause(self, seen: Enrollment, until: Any) -> str:
        if seen.state.value == "active":
            return "done"
        current = seen.current
        if current is not None and current.status.value == "failed":
            return "already"
        if seen.blocked_until is None:
            return "already"
        return "done" if until is None or until > seen.blocked_until else "already"

    def expect_resume_blocked(self, reason: str, key: str | None, *, skip: bool) -> list[int]:
        """Who goes on again."""
        return [
            id
            for id, each in sorted(self.seen.items())
            if (each.state.value, each.blocked_reason) == ("blocked", reason)
            and key in (None, each.version.key)
            and not (skip and each.current is not None and each.current.status.value == "requested")
        ]

    # -- the person: L1, L9

    def expect_update(self, resource: Resource) -> tuple[str, set[int]]:
        """What correcting a person should answer; of whom, or beside whom."""
        mine = {id for id in self.ongoing() if whose(self.seen[id]) == who(resource)}
        address = fold_address(resource.email)
        coming = {id for id in mine if self.address[id] != address}
        if not mine:
            return "nobody", set()
        if address is None or not coming:
            return "done", mine
        if address in self.suppressed:
            return "suppressed", set()
        others = {id for id in self.ongoing() if id not in mine and self.address[id] == address}
        in_the_way = {other for other in others for id in coming if self.tolerate_not(other, self.seen[id].version)}
        return ("already", in_the_way) if in_the_way else ("done", mine)

    def tolerate_not(self, other: int, version: Any) -> bool:
        """Whether what goes on and an enrollment in this version cannot be beside each other (L9)."""
        beside = self.seen[other].version
        alone = "all" in (beside.sequence.policy.exclusive, version.sequence.policy.exclusive)
        return alone or beside.key == version.key

    # -- another version: L1, L2

    def expect_in_plan(self, sequence: Sequence) -> list[int]:
        """Who would be moved to this version of a sequence, or be refused."""
        mine = [id for id in self.ongoing() if self.seen[id].version.key == sequence.key]
        return sorted(id for id in mine if self.seen[id].version.sequence != sequence)

    def must_stay_alone(self, id: int, sequence: Sequence) -> bool:
        """Whether somebody would come into a version that tolerates no other sequence, and is in one (L9)."""
        seen = self.seen[id]
        if sequence.policy.exclusive != "all" or seen.version.sequence.policy.exclusive == "all":
            return False
        return any(
            whose(self.seen[other]) == whose(seen)
            or (self.address[other] is not None and self.address[other] == self.address[id])
            for other in self.ongoing()
            if other != id
        )

    def had(self, id: int) -> set[str | None]:
        """The keys of the steps that are over, in whatever version; those that a move passed over never were."""
        steps = self.seen[id].steps
        return self.past.get(id, set()) | {step.step.key for step in steps if step.is_over and not step.is_passed_over}

    def expect_place(self, id: int, sequence: Sequence) -> tuple[str, int]:
        """Where somebody in a sequence with keys would go on in another version of it, or that it must wait."""
        seen, keys = self.seen[id], [step.key for step in sequence.steps]
        behind = 1 + max((at for at, key in enumerate(keys) if key in self.had(id)), default=-1)
        if any(step.cancel_task and step.step.key not in keys for step in seen.steps[: seen.position]):
            return "refused", behind
        current = seen.steps[seen.position]
        begun = current.status.value != "pending" or current.attempt > 0 or current.generation > 0
        if not begun:
            return "moved", behind
        key = current.step.key
        if key not in keys or keys.index(key) < behind:
            return "refused", behind
        return "moved", keys.index(key)

    # -- reports: L8

    def concerned(self, report: Any) -> tuple[list[int], list[int]]:
        """The enrollments that a report names, and every ongoing one of the same person.

        Where that is nobody, what ended last of the person's counts as named: there it is noted.
        """
        named = [report.enrollment_id] if report.enrollment_id in self.seen else []
        if named and report.kind in ("opened", "clicked", "soft_bounced"):
            return named, [id for id in named if id in self.ongoing()]
        people = {whose(self.seen[id]) for id in named}
        addresses = {fold_address(report.email)} | {self.address[id] for id in named}
        if report.resource is not None:
            people.add(who(report.resource))
            addresses.add(fold_address(report.resource.email))
        if report.kind == "unsubscribed":
            addresses |= {self.address[id] for id, each in self.seen.items() if whose(each) in people}
            self.suppressed |= {each for each in addresses if each is not None}
            self.suppressed |= {
                each for id, seen in self.seen.items() if whose(seen) in people for each in self.former.get(id, ())
            }
        addresses.discard(None)
        found = [
            id
            for id in self.ongoing()
            if id in named or whose(self.seen[id]) in people or self.address[id] in addresses
        ]
        if not named and not found:
            ended = [
                (each.finished_at, id)
                for id, each in self.seen.items()
                if whose(each) in people or self.address[id] in addresses
            ]
            named = [max(ended)[1]] if ended else []
        return named, found

    def reaction(self, id: int, report: Any, now: Any) -> tuple[str, Any]:
        """What a report does to one ongoing enrollment: finish, block until, or note."""
        seen = self.seen[id]
        sequence = seen.version.sequence
        reaction = sequence.policy.on[report.kind]
        if reaction.does != "block":
            return reaction.does, None
        calendar = sequence.calendar.in_zone(seen.timezone)
        until = getattr(report, "until", None)
        if until is None:
            until = None if reaction.duration is None else calendar.after(now, reaction.duration)
        elif not hasattr(until, "hour"):
            until = calendar.start_of(until)
        if until is not None and until <= now:
            return "note", None
        return ("block", until) if self._pause(seen, until) == "done" else ("note", None)
