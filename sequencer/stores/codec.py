"""The stored form: domain values as plain rows of integers and text, and back (law S5).

There is one stored form for all stores. Instants are whole microseconds since 1970 in UTC; a host's own ids are JSON
text, so that 42 and "42" differ; what is looked up has a column of its own; the rest is compact JSON that begins with
the number of its format. A format that this release does not know is refused by name, never guessed.

Of an enrollment, what is personal is a column of its own, so that it can be erased, and a step is written only if it
is not the version's own untouched one. What is derived (`overdue`, the estimates of later steps) is not written.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource, initial_steps
from sequencer.core.errors import StoreError
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import SequenceVersion
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.values import FrozenMapping, Identifier, frozen
from sequencer.engine.stored import Held

__all__ = [
    "COLUMNS",
    "FORMAT",
    "Row",
    "actor_of",
    "decode_held",
    "decode_id",
    "encode_enrollment",
    "encode_id",
    "encode_personal",
    "encode_progress",
    "encoder",
    "instant_of",
    "micros_of",
    "quoted",
    "unreadable",
    "wrong_format",
]

FORMAT = 1

COLUMNS = (
    "id", "account", "sequence_id", "version_id", "resource_type", "resource_id", "address", "state", "reason",
    "wake_at", "lease_until", "fence", "revision", "created_at", "updated_at", "finished_at", "personal", "doc",
)  # fmt: skip
"""The columns of an enrollment, in the order of its rows."""

Row = tuple[Any, ...]

# A status is written as its place in this list: add at the end only.
_STATUSES = ("pending", "requested", "completed", "failed", "skipped", "cancelled", "in_progress")
_STATUS_CODE = {StepStatus(status): code for code, status in enumerate(_STATUSES)}
_STATUS_OF = tuple(StepStatus(status) for status in _STATUSES)
_STATE_OF = {state.value: state for state in EnrollmentState}
_REASON_OF_STATE = {"blocked": "blocked_reason", "finished": "finished_reason"}

# The fields that few steps ever have are written by name, if they differ from these.
_SELDOM: Mapping[str, Any] = {
    "skipped_at": None,
    "awaits_report": False,
    "not_before": None,
    "not_before_reason": None,
    "generation": 0,
    "failures": 0,
    "failure_reason": None,
    "failure_detail": None,
    "refused": False,
    "cancel_task": False,
    "cancel_failures": 0,
    "cancel_after": None,
    "serial": None,
    "base_at": None,
}
_seldom_of = operator.itemgetter(*_SELDOM)
_USUAL = tuple(_SELDOM.values())
_hand_over_of = operator.itemgetter(
    "executed_at", "requested_at", "started_at", "attempt", "message_id", "provider_id", "task_id"
)
_NO_HAND_OVER = (None, None, None, 0, None, None, None)
_SELDOM_INSTANTS = frozenset({"skipped_at", "not_before", "cancel_after", "base_at"})


def encoder(default: Callable[[Any], Any] | None = None) -> Callable[[Any], str]:
    """Compact JSON. `JSONEncoder.encode` makes the encoder in C anew at every call; here it is made once."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        plain = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default)
        return plain.encode
    sort_keys = skip_keys = allow_nan = False
    chunks = make(None, default, json.encoder.encode_basestring, None, ":", ",", sort_keys, skip_keys, allow_nan)
    return lambda value: "".join(chunks(value, 0))


_dumps = encoder()
quoted = json.encoder.encode_basestring
_scan: Callable[[str, int], tuple[Any, int]] = vars(json.JSONDecoder())["scan_once"]
# The same instant stands in many rows of a batch, and several times in one row.
instant_of = functools.lru_cache(maxsize=16_384)(from_microseconds)
micros_of = functools.lru_cache(maxsize=16_384)(to_microseconds)


def wrong_format(what: str, found: Any) -> StoreError:
    """What is said of a format that this release does not know."""
    return StoreError(f"the store holds {what} of format {found!r}, this release reads {FORMAT}: upgrade the package")


def unreadable(what: str, text: str) -> StoreError:
    """What is said of stored text that is no longer what was written."""
    return StoreError(f"what the store holds of {what} cannot be read: {text!r}")


# -- ids ------------------------------------------------------------------------------------------------------


def encode_id(value: Identifier | None) -> str:
    """A host's own id as JSON text: 42 and "42" differ; None, the default account or nobody, is `null`."""
    if type(value) is int:
        return str(value)
    return "null" if value is None else quoted(str(value))


def decode_id(text: str) -> Any:
    """The id of a stored text."""
    return int(text) if text.isdecimal() and text.isascii() else _decode_text(text)


@functools.lru_cache(maxsize=4096)
def _decode_text(text: str) -> Any:
    return json.loads(text)


# -- enrollments ----------------------------------------------------------------------------------------------


def encode_enrollment(enrollment: Enrollment) -> Row:
    """The row of a new enrollment, unclaimed, in the order of `COLUMNS`."""
    state, reason, wake_at, revision, updated_at, finished_at, doc = encode_progress(enrollment)
    resource, version = enrollment.resource, enrollment.version
    return (
        enrollment.id,
        encode_id(enrollment.account),
        version.sequence_id,
        version.id,
        resource.type,
        encode_id(resource.id),
        resource.address,
        state,
        reason,
        wake_at,
        None,
        0,
        revision,
        micros_of(enrollment.created_at),
        updated_at,
        finished_at,
        encode_personal(resource),
        doc,
    )


def encode_progress(enrollment: Enrollment) -> Row:
    """What a decision can change: state, reason, wake_at, revision, updated_at, finished_at, doc.

    Who it is about is not among it, so that a decision which was under way during `erase` brings nothing back.
    """
    fields = enrollment.__dict__
    state = fields["state"]._value_
    updated_at, wake_at, finished_at = fields["updated_at"], fields["wake_at"], fields["finished_at"]
    return (
        state,
        None if state == "active" else fields[_REASON_OF_STATE[state]],
        None if wake_at is None else micros_of(wake_at),
        fields["revision"],
        None if updated_at is None else micros_of(updated_at),
        None if finished_at is None else micros_of(finished_at),
        _encode_doc(fields),
    )


# A doc is a few lines of JSON: what never changes, what may, and a line for each step that something has happened to;
# before those, where there is one, a line with what is past, which begins with no position of a step.
# An enrollment remembers the lines of its steps, as its version remembers the initial ones: most are written again
# unchanged. A line is known by the very objects that it was made of, so it cannot be stale. At -1 is the first line.
_LINES = "_stored_lines"
_PAST = -1
_fixed_of = operator.itemgetter("started_at", "origin", "timezone", "tzdata", "idempotency_key")


def _encode_doc(fields: dict[str, Any]) -> str:
    known = fields.get(_LINES)
    if known is None:
        known = fields[_LINES] = {}
    fixed = known.get(-1)
    if fixed is None or not all(map(operator.is_, fixed[0], _fixed_of(fields))):
        of = _fixed_of(fields)
        fixed = known[-1] = (of, _encode_fixed(*of))
    lines = [fixed[1], _encode_standing(fields)]
    past = fields["past"]
    if past:
        lines.append(_dumps([_PAST, *past]))
    initial = initial_steps(fields["version"])
    for position, step in enumerate(fields["steps"]):
        if step is not initial[position]:
            line = known.get(position)
            if line is None or line[0] is not step:
                line = known[position] = (step, _encode_step(step.__dict__))
            lines.append(line[1])
    return "\n".join(lines)


def _encode_fixed(
    started_at: DateTime, origin: str, timezone: str, tzdata: str, idempotency_key: Identifier | None
) -> str:
    return (
        f"{FORMAT},{quoted(origin)},{quoted(timezone)},{quoted(tzdata)},"
        f"{micros_of(started_at)},{encode_id(idempotency_key)}"
    )


def _encode_standing(fields: dict[str, Any]) -> str:
    actor_id, finished_actor_id = fields["actor_id"], fields["finished_actor_id"]
    blocked_at, blocked_until = fields["blocked_at"], fields["blocked_until"]
    return (
        f"{actor_id if actor_id.__class__ is int else encode_id(actor_id)},{fields['position']},"
        f"{'null' if finished_actor_id is None else encode_id(finished_actor_id)},"
        f"{'null' if blocked_at is None else micros_of(blocked_at)},"
        f"{'null' if blocked_until is None else micros_of(blocked_until)}"
    )


def _encode_step(fields: dict[str, Any]) -> str:
    """A step as [position, status, estimate], then what a hand-over adds, then what few steps have, if anything."""
    estimated_at = fields["estimated_execute_at"]
    text = (
        f"[{fields['position']},{_STATUS_CODE[fields['status']]},"
        f"{'null' if estimated_at is None else micros_of(estimated_at)}"
    )
    seldom, hand_over = _seldom_of(fields), _hand_over_of(fields)
    if hand_over == _NO_HAND_OVER and seldom == _USUAL:
        return text + "]"
    executed_at, requested_at, started_at, attempt, message_id, provider_id, task_id = hand_over
    text += (
        f",{'null' if executed_at is None else micros_of(executed_at)}"
        f",{'null' if requested_at is None else micros_of(requested_at)}"
        f",{'null' if started_at is None else micros_of(started_at)},{attempt}"
        f",{'null' if message_id is None else encode_id(message_id)}"
        f",{'null' if provider_id is None else encode_id(provider_id)}"
        f",{'null' if task_id is None else encode_id(task_id)}"
    )
    if seldom != _USUAL:
        named = {name: fields[name] for name, usual in _SELDOM.items() if fields[name] != usual}
        for name in _SELDOM_INSTANTS & named.keys():
            named[name] = micros_of(named[name])
        text += f",{_dumps(named)}"
    return text + "]"


def encode_personal(resource: Resource) -> str | None:
    """What is personal: e-mail address, zone, merge fields; None where there is nothing."""
    if resource.email is None and resource.timezone is None and not resource.fields:
        return None
    return _dumps([FORMAT, resource.email, resource.timezone, resource.fields])


def actor_of(id: int, doc: str) -> Any:
    """The actor of a stored enrollment, without reading all of it. Raises `StoreError` as `decode_held` does."""
    try:
        fixed, standing, *_ = doc.split("\n", 2)
        format, _ = _scan(fixed, 0)
        if format != FORMAT:
            raise wrong_format(f"enrollment {id}", format)
        return _scan(standing, 0)[0]
    except (StopIteration, ValueError, TypeError) as error:
        raise unreadable(f"enrollment {id}", doc) from error


def decode_held(row: Row, version: SequenceVersion, claim: tuple[int, int] | None = None) -> Held:
    """The enrollment of a row, with its claim; or with a newer `claim` (until, fence).

    Raises `StoreError` for a format that is not this release's, and for what nobody has written like that.
    """
    try:
        return _decode_held(row, version, claim)
    except (StopIteration, ValueError, TypeError, LookupError) as error:
        raise unreadable(f"enrollment {row[0]}", row[-1]) from error


def _decode_held(row: Row, version: SequenceVersion, claim: tuple[int, int] | None) -> Held:
    (
        id, account, _, _, resource_type, resource_id, _, state, reason, wake_at, lease_until, fence, revision,
        created_at, updated_at, finished_at, personal, doc,
    ) = row  # fmt: skip
    if claim is not None:
        lease_until, fence = claim
    lines = doc.split("\n")
    (format, *read), _ = _scan(f"[{','.join(lines)}]", 0)
    if format != FORMAT:
        raise wrong_format(f"enrollment {id}", format)
    (
        origin, timezone, tzdata, started_at, idempotency_key,
        actor_id, position, finished_actor_id, blocked_at, blocked_until, *touched,
    ) = read  # fmt: skip
    start = instant_of(started_at)
    known: dict[int, Any] = {-1: ((start, origin, timezone, tzdata, idempotency_key), lines[0])}
    steps = list(initial_steps(version))
    past: tuple[str, ...] = ()
    for at, encoded in enumerate(touched, 2):
        place = encoded[0]
        if place == _PAST:
            past = tuple(encoded[1:])
            continue
        steps[place] = step = _decode_step(steps[place].__dict__.copy(), encoded)
        known[place] = (step, lines[at])
    # Made without the constructors: they take longer than everything else here, and what is stored was valid when it
    # was written.
    enrollment: Enrollment = _new(Enrollment)
    _set(
        enrollment,
        "__dict__",
        {
            "id": id,
            "origin": origin,
            "account": decode_id(account),
            "version": version,
            "resource": _decode_resource(resource_type, resource_id, personal),
            "actor_id": actor_id,
            "timezone": timezone,
            "tzdata": tzdata,
            "created_at": instant_of(created_at),
            "started_at": start,
            "steps": tuple(steps),
            "state": _STATE_OF[state],
            "position": position,
            "idempotency_key": idempotency_key,
            "updated_at": None if updated_at is None else instant_of(updated_at),
            "wake_at": None if wake_at is None else instant_of(wake_at),
            "blocked_at": None if blocked_at is None else instant_of(blocked_at),
            "blocked_reason": reason if state == "blocked" else None,
            "blocked_until": None if blocked_until is None else instant_of(blocked_until),
            "finished_at": None if finished_at is None else instant_of(finished_at),
            "finished_reason": reason if state == "finished" else None,
            "finished_actor_id": finished_actor_id,
            "past": past,
            "revision": revision,
            _LINES: known,
        },
    )
    return Held(enrollment, fence, None if lease_until is None else instant_of(lease_until))


_new = object.__new__
_set = object.__setattr__


def _decode_step(fields: dict[str, Any], encoded: list[Any]) -> EnrollmentStep:
    """The step of a line; `fields` are a copy of the untouched one's."""
    fields["status"] = _STATUS_OF[encoded[1]]
    estimated_at = encoded[2]
    if estimated_at is not None:
        fields["estimated_execute_at"] = instant_of(estimated_at)
    if len(encoded) > 3:
        executed_at, requested_at, started_at = encoded[3:6]
        if executed_at is not None:
            fields["executed_at"] = instant_of(executed_at)
        if requested_at is not None:
            fields["requested_at"] = instant_of(requested_at)
        if started_at is not None:
            fields["started_at"] = instant_of(started_at)
        fields["attempt"], fields["message_id"], fields["provider_id"], fields["task_id"] = encoded[6:10]
        if len(encoded) > 10:
            for name, value in encoded[10].items():
                fields[name] = instant_of(value) if name in _SELDOM_INSTANTS else value
    step: EnrollmentStep = _new(EnrollmentStep)
    _set(step, "__dict__", fields)
    return step


_NO_FIELDS = Resource("none", 0).fields
_NESTED = {dict, list}
_set_type, _set_id, _set_email, _set_fields, _set_timezone = (
    Resource.__dict__[name].__set__ for name in ("type", "id", "email", "fields", "timezone")
)


def _decode_resource(type: str, id: str, personal: str | None) -> Resource:
    resource: Resource = object.__new__(Resource)
    _set_type(resource, type)
    _set_id(resource, decode_id(id))
    email = timezone = None
    fields = _NO_FIELDS
    if personal is not None:
        (format, email, timezone, given), _ = _scan(personal, 0)
        if format != FORMAT:
            raise wrong_format("personal data", format)
        if given:
            # Most are plain texts and numbers: what is frozen then is the mapping alone.
            nested = not _NESTED.isdisjoint([each.__class__ for each in given.values()])
            fields = frozen(given) if nested else FrozenMapping(given)
    _set_email(resource, email)
    _set_fields(resource, fields)
    _set_timezone(resource, timezone)
    return resource
