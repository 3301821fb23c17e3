"""Hostile ids, names, texts and fields: each is refused as a whole, or stored as it is and lived through; nothing else.

Every text goes into every place that takes one. What is refused leaves nothing behind; what is taken is read back the
same, and its enrollment goes to its end beside one that has nothing hostile in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict, SequencerError, StoreError
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.signals import EmailSent, Opened, Replied, TaskCompleted
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, Rejected
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import START, World

__all__ = ["TEXTS", "hostile"]

TEXTS: tuple[Any, ...] = (
    "'; DROP TABLE sequencer_enrollments; --",
    '"; DELETE FROM sequencer_events; --',
    "1 OR 1=1",
    "Ada\r\nBcc: everybody@example.com",
    "a\nb",
    "a\0b",
    "\0",
    "\ud800",
    "a\udfffb",
    "x" * 1_000_000,
    "%s %(x)s %d {0} {x} $1 :x ?",
    "{{ name }}{% for x in y %}${x}#{x}",
    "\u202egro.elpmaxe@ada",
    "é e\u0301 \u00a0\u200b\ufeff",
    "🂡" * 20,
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\x1b[31mred",
    "null",
    "",
    " ",
    "\\x00\\u0000",
    2**63,
    -1,
    1.5,
    True,
    float("nan"),
    b"bytes",
    ["a"],
)


def _sequence(**changes: Any) -> Sequence:
    action: dict[str, Any] = {"task": "Call {{ name }}", "template": 1, "subject": "Hello", "body": "Hi"}
    action |= {key: changes.pop(key) for key in tuple(changes) if key in action}
    metadata = changes.pop("metadata", {})
    return Sequence(
        **{"name": "Hostile", "key": "hostile", **changes},
        steps=[Step(AutomatedEmail(action["template"]), metadata=metadata), Step(Task(action["task"]), Hours(1))],
        calendar=deaths.FLOW.calendar,
        templates={action["template"]: Template(action["subject"], action["body"])},
    )


def _enroll(engine: Engine, sequence: Sequence | None = None, **changes: Any) -> int:
    resource = {"type": "lead", "id": 7, "email": "seven@example.com", "fields": {"name": "Seven"}}
    resource |= {key: changes.pop(key) for key in tuple(changes) if key in resource}
    return engine.enroll(sequence or _sequence(), Resource(**resource), **changes).id


Place = Callable[[World, Any], Any]


def _place(read: Callable[[World, int], Any], **where: str) -> Place:
    """Enroll with the text in one place, and read it back."""
    ((kind, name),) = where.items()

    def put(world: World, text: Any) -> Any:
        if kind == "sequence":
            id = _enroll(world.engine, _sequence(**{name: text}))
        else:
            id = _enroll(world.engine, **{name: text})
        return read(world, id)

    return put


def _get(world: World, id: int) -> Any:
    return world.engine.get(id)


def _of_account(world: World, text: Any) -> Any:
    engine = world.engine.account(text)
    id = _enroll(engine)
    if engine.get(id).id != id or world.engine.enrollments(limit=10)[-1].id == id:
        raise AssertionError("another account sees it")
    account = engine.get(id).account
    engine.finish(id)
    return account


def _verb(call: Callable[[World, int, Any], Any]) -> Place:
    """Something that is told about an enrollment that goes on."""

    def put(world: World, text: Any) -> Any:
        return call(world, _enroll(world.engine), text)

    return put


def _blocked(world: World, id: int, text: Any) -> Any:
    world.engine.block(id, reason=text)
    reason = world.engine.get(id).blocked_reason
    world.engine.resume(id)
    return reason


def _finished(world: World, id: int, text: Any) -> Any:
    world.engine.finish(id, reason=text)
    return world.engine.get(id).finished_reason


def _finished_by(world: World, id: int, text: Any) -> Any:
    world.engine.finish(id, actor_id=text)
    return world.engine.get(id).finished_actor_id


def _reported(world: World, id: int, text: Any) -> Any:
    world.engine.handle(Opened(key=text, enrollment_id=id))
    if not world.engine.handle(Opened(key=text, enrollment_id=id)).repeated:
        raise AssertionError("its key is not recognised")
    return text


def _told_of(field: str) -> Callable[[World, int, Any], Any]:
    def told(world: World, id: int, text: Any) -> Any:
        kind: Any = {"task_id": TaskCompleted, "provider_id": EmailSent}.get(field, Replied)
        world.engine.handle(kind(key="told", **{field: text}))
        return text

    return told


def _suppressed(world: World, id: int, text: Any) -> Any:
    world.engine.suppress(text)
    (found,) = world.engine.suppressed()
    world.engine.unsuppress(text)
    return text if found.address in (text, str(text).strip().casefold()) else found.address


def _answered(answer: Callable[[Any], Any], read: Callable[[Any], Any]) -> Place:
    """What a mailer says."""

    def put(world: World, text: Any) -> Any:
        id = _enroll(world.engine)
        world.mail_answer = lambda email, key: _said(email, id, lambda: answer(text))
        world.engine.tick()
        world.mail_answer = lambda email, key: None
        return read(world.engine.get(id).steps[0])

    return put


def _said(email: Email, id: int, answer: Callable[[], Any]) -> Any:
    return answer() if email.enrollment_id == id else None


class _Any:
    """What need not come back as it was given, as long as it does no harm."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def _hashable(text: Any) -> Any:
    return tuple(text) if isinstance(text, list) else text


def _of_fields(world: World, fields: dict[Any, Any]) -> Any:
    found = dict(_get(world, _enroll(world.engine, fields=fields)).resource.fields)
    if list(found) != list(fields):
        raise AssertionError("the fields came back under other names")
    return found


def _harmless(_: Any) -> Any:
    return _Any()


PLACES: dict[str, Place] = {
    "resource id": _place(lambda world, id: _get(world, id).resource.id, enroll="id"),
    "resource type": _place(lambda world, id: _get(world, id).resource.type, enroll="type"),
    "address": _place(lambda world, id: _Any(), enroll="email"),
    "merge fields": lambda world, text: _of_fields(world, {"name": text})["name"],
    "name of a merge field": lambda world, text: _of_fields(world, {_hashable(text): "y"}) and _Any(),
    "actor": _place(lambda world, id: _get(world, id).actor_id, enroll="actor_id"),
    "account": _of_account,
    "zone": _place(lambda world, id: _get(world, id).timezone, enroll="timezone"),
    "idempotency key": _place(lambda world, id: _get(world, id).idempotency_key, enroll="idempotency_key"),
    "name of a sequence": _place(lambda world, id: _get(world, id).version.sequence.name, sequence="name"),
    "key of a sequence": _place(lambda world, id: _get(world, id).version.key, sequence="key"),
    "task": _place(lambda world, id: _get(world, id).steps[1].step.action.task_content, sequence="task"),
    "template id": _place(lambda world, id: _get(world, id).steps[0].step.action.template_id, sequence="template"),
    "subject": _place(lambda world, id: _Any(), sequence="subject"),
    "body": _place(lambda world, id: _Any(), sequence="body"),
    "metadata": lambda world, text: _get(
        world, _enroll(world.engine, _sequence(metadata={"a": text}))
    ).steps[0].step.metadata["a"],
    "reason of a block": _verb(_blocked),
    "reason of an end": _verb(_finished),
    "who ended it": _verb(_finished_by),
    "key of a report": _verb(_reported),
    "task in a report": _verb(_told_of("task_id")),
    "provider's id in a report": _verb(_told_of("provider_id")),
    "message in a report": _verb(_told_of("message_id")),
    "address in a report": _verb(_told_of("email")),
    "suppressed address": _verb(_suppressed),
    "message id": _answered(Accepted, _harmless),
    "what a mailer said": _answered(lambda text: Rejected(text, permanent=True), _harmless),
}  # fmt: skip


def hostile(on: str, size: Size) -> Tally:
    """Every text in every place."""
    total = Tally()
    for offset, (place, put) in enumerate(PLACES.items()):
        stride = 1 if size.every == 1 else {"memory": 3, "sqlite": 6}.get(on, 12)
        texts = TEXTS[offset % stride :: stride]
        for text in texts:
            tally = _tried(on, put, text)
            tally.notes = [f"{place} {_shown(text)}: {note}" for note in tally.notes]
            total.add(tally)
    return total


def _shown(text: Any) -> str:
    shown = ascii(text)
    return shown if len(shown) < 60 else f"{shown[:40]}... ({len(text)})"


def _tried(on: str, put: Place, text: Any) -> Tally:
    tally = Tally(injected=1)
    with stage(on) as made:
        world = World(made, "deduplicates")
        quiet = world.engine.enroll(_sequence(), deaths.person(1)).id
        before = _stored(world)
        try:
            back = put(world, text)
        except Conflict as error:
            tally.found("corrupt", f"a conflict, of all things: {error}")
        except StoreError as error:
            tally.found("corrupt", f"the store refused what the door had let in: {error}"[:300])
        except SequencerError:
            _went_on(world, before, tally)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.found("corrupt", f"it raised {type(error).__name__}: {error}"[:300])
        else:
            # A list is kept as a value that nobody can change.
            back = list(back) if isinstance(back, tuple) else back
            if back != text or not isinstance(back, (_Any, type(text))):
                tally.found("corrupt", f"it came back as {_shown(back)}")
        for _ in range(3):
            world.work(world.clock.now() + timedelta(days=2))
            for task in world.engine.tasks():
                world.engine.complete_task(task.id)
        found = evidence(made, enrolled=[quiet], log=world.log, waits_for=_MAY_WAIT, parked_at_most=1, once_each=False)
        tally.add(judge(found))
        if world.engine.get(quiet).finished_reason != "completed" or world.clock.now() < START:
            tally.found("stuck", "somebody else's enrollment did not come to its end")
    return tally


_MAY_WAIT = ("missing_merge_data", "delivery_failed", "mail_settings", "outcome_unknown")


def _stored(world: World) -> tuple[int, ...]:
    with world.store.transaction(write=False) as transaction:
        found = transaction.enrollments(None, limit=100)
        return (len(found), sum(len(transaction.events(each.id)) for each in found))


def _went_on(world: World, before: tuple[int, ...], tally: Tally) -> None:
    """What was refused has left nothing, but for the enrollment that it was about, where there was one."""
    after = _stored(world)
    if after not in (before, (before[0] + 1, before[1] + 1)):
        tally.found("corrupt", f"it was refused, and something was stored: {before}, then {after}")
