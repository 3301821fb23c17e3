"""The operations on enrollments: listing, reading, making, finishing and resuming."""

from __future__ import annotations

from typing import Any

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import NotFound
from sequencer.engine.engine import Engine
from sequencer.http.conditional import revision_of
from sequencer.http.envelope import Refusal, WireError
from sequencer.http.kinds import (
    ADDRESS,
    BOOLEAN,
    FIELDS,
    ID,
    IDENTIFIER,
    INSTANT,
    ZONE,
    Member,
    Unfit,
    line,
    listing,
    one_of,
    optional,
    read_members,
)
from sequencer.http.operations import Answer, Body, Call, Operation, object_body, object_schema
from sequencer.http.paging import links_of, path_of
from sequencer.http.queries import IDS, PAGING, RESOURCE_IDS, RESOURCE_TYPE, SEQUENCE_ID, STATE, page_of
from sequencer.http.wire import collection_meta
from sequencer.http.writing import collection_text, enrollment_text

__all__ = ["OPERATIONS", "PATH", "RESOURCE", "TAG", "answered_with"]

RESOURCE = "sequence_enrollment"
PATH = "/v2/sequence_enrollments"
TAG = "Sequence enrollments"

_RESOURCE_TYPE = Member(
    "resource_type",
    line(64),
    "What is enrolled: `lead`, `contact`, or a word of the host's own.",
    "lead",
    needed=True,
)
_RESOURCE_ID = Member(
    "resource_id", IDENTIFIER, "The id of the lead or contact: a number, also as text, or other text.", 42, needed=True
)


_FILTERS = ("ids", "resource_type", "resource_ids", "state")


def _written(engine: Engine, enrollments: tuple[Enrollment, ...]) -> list[str]:
    """The enrollments on the wire, each with what is known of its sequence, also of a deleted one."""
    ids = {each.version.sequence_id for each in enrollments}
    stored = {each.id: each for each in engine.stored_sequences(ids=ids, deleted=True, limit=10_000)} if ids else {}
    return [enrollment_text(each, stored[each.version.sequence_id]) for each in enrollments]


def answered_with(call: Call, enrollment: Enrollment) -> Answer:
    """The answer with an enrollment, under its revision."""
    (text,) = _written(call.engine, (enrollment,))
    return Answer(200, text.encode(), revision=enrollment.revision)


def _list(call: Call) -> Answer:
    page = page_of(call.query, call.limits)
    filters = {name: call.query[name] for name in _FILTERS if name in call.query}
    try:
        found = call.engine.enrollments(
            offset=page.offset, limit=page.size + 1, sequence=call.query.get("sequence_id"), **filters
        )
    except NotFound:  # of a sequence that is not there, nobody is in it
        found = ()
    items = _written(call.engine, found[: page.size])
    links = links_of(call.request, page, more=len(found) > page.size)
    return Answer(200, collection_text(items, collection_meta(len(items), links)).encode())


def _get(call: Call) -> Answer:
    return answered_with(call, call.engine.get(call.id))


def _create(call: Call) -> Answer:
    data = call.body
    actor_id = data.get("actor_id")
    resource = Resource(
        data["resource_type"], data["resource_id"], email=data.get("email"), fields=data.get("fields") or {}
    )
    try:
        enrollment = call.engine.enroll(
            data["sequence_id"],
            resource,
            actor_id=call.grant.actor_id if actor_id is None else actor_id,
            timezone=data.get("timezone"),
            idempotency_key=call.key,
        )
    except NotFound as error:
        raise Refusal(422, [WireError("incorrect_value", str(error), RESOURCE, "/data/sequence_id")]) from None
    (text,) = _written(call.engine, (enrollment,))
    location = f"{path_of(call.request)}/{enrollment.id}"
    return Answer(201, text.encode(), {"Location": location}, enrollment.revision)


def _update(call: Call) -> Answer:
    revision = revision_of(call.request, lambda: call.engine.get(call.id).revision)
    more = {name: value for name, value in call.body.items() if name != "state" and value is not None}
    if call.body["state"] == "finished":
        outcome = call.engine.finish(call.id, actor_id=call.grant.actor_id, revision=revision)
    elif call.body["state"] == "blocked":
        outcome = call.engine.block(call.id, revision=revision, **more)
    else:
        outcome = call.engine.resume(call.id, revision=revision, **more)
    return answered_with(call, outcome.enrollment)


def _finish_ongoing(call: Call) -> Answer:
    data = call.body
    outcomes = call.engine.finish_ongoing(
        Resource(data["resource_type"], data["resource_id"]),
        sequences=data.get("sequence_ids"),
        actor_id=call.grant.actor_id,
        idempotency_key=call.key,
    )
    items = _written(call.engine, tuple(outcome.enrollment for outcome in outcomes))
    updated = collection_text(items, collection_meta(len(items)))
    return Answer(200, f'{{"data":{{"enrollment_action":"finish","updated_enrollments":{updated}}}}}'.encode())


_ENDED = (Member("state", one_of("finished"), "It ends.", "finished", needed=True),)
_RESUMED = (
    Member("state", one_of("active"), "It goes on.", "active", needed=True),
    Member(
        "timeline",
        optional(one_of("shift", "keep", "restart")),
        "How (ours): `shift`, the default, waits out what was left of the delay; `keep` keeps the planned instant, "
        "where it is still ahead; `restart` waits out the whole delay again.",
        "keep",
    ),
    Member("skip", optional(BOOLEAN), "Whether to pass over the current step, which failed, say (ours).", True),  # noqa: FBT003
)
_BLOCKED = (
    Member("state", one_of("blocked"), "Nothing is handed over from now on (ours).", "blocked", needed=True),
    Member("reason", optional(line(64)), "Why, in a word; default: `paused`.", "on_holiday"),
    Member(
        "until", optional(INSTANT), "When it goes on by itself; default: when it is resumed.", "2026-03-09T08:00:00Z"
    ),
)
_CHANGES = {"finished": _ENDED, "active": _RESUMED, "blocked": _BLOCKED}
_STATES = one_of(*_CHANGES)


def _read_change(body: dict[str, Any], timezone: str) -> dict[str, Any]:
    data = body["data"]
    try:
        members = _CHANGES[_STATES.read(data["state"])] if "state" in data else _ENDED
    except Unfit as error:
        raise Refusal(422, [WireError(error.code, error.message, RESOURCE, "/data/state")]) from None
    found, errors = read_members(members, data, RESOURCE)
    if errors:
        raise Refusal(422, errors)
    return found


OPERATIONS = (
    Operation(
        name="listSequenceEnrollments",
        method="GET",
        path=PATH,
        summary="Enrollments, page by page",
        description="The enrollments of the account in the order of their ids. All filters have to hold.",
        act=_list,
        resource=RESOURCE,
        answer="SequenceEnrollments",
        queries=(*PAGING, IDS, RESOURCE_IDS, RESOURCE_TYPE, STATE, SEQUENCE_ID),
        tag=TAG,
    ),
    Operation(
        name="createSequenceEnrollment",
        method="POST",
        path=PATH,
        summary="Enroll a lead or a contact",
        description="Starts a sequence for a resource. The first step is due at once, or after its own delay. Refused "
        "with `already_exists` where the resource or its address is in the sequence already; `details` names that "
        "enrollment. With an `Idempotency-Key`, the same request again answers with the enrollment that it made.",
        act=_create,
        resource=RESOURCE,
        writes=True,
        success=201,
        answer="SequenceEnrollment",
        body=object_body(
            RESOURCE,
            (
                Member("sequence_id", ID, "The id of the sequence.", 1, needed=True),
                _RESOURCE_TYPE,
                _RESOURCE_ID,
                Member(
                    "actor_id",
                    optional(IDENTIFIER),
                    "The user in whose name it happens; default: the token's.",
                    1700155,
                ),
                Member(
                    "email",
                    optional(ADDRESS),
                    "The person's address (ours). A mail step without one fails with `missing_merge_data`.",
                    "ada@example.com",
                ),
                Member(
                    "timezone",
                    optional(ZONE),
                    "The IANA time zone of the enrollment (ours); default: the sequence's.",
                    "Europe/Warsaw",
                ),
                Member("fields", optional(FIELDS), "Merge fields of the person (ours).", {"first_name": "Ada"}),
            ),
            {
                "as their clients send it": {
                    "data": {"sequence_id": 1, "resource_type": "lead", "resource_id": 42, "actor_id": None}
                },
                "with what the mails need": {
                    "data": {
                        "sequence_id": 1,
                        "resource_type": "lead",
                        "resource_id": "42",
                        "email": "ada@example.com",
                        "timezone": "Europe/Warsaw",
                        "fields": {"first_name": "Ada"},
                    }
                },
            },
        ),
        tag=TAG,
    ),
    Operation(
        name="finishOngoingForResource",
        method="POST",
        path=f"{PATH}/finish_ongoing_for_resource",
        summary="Finish all of a resource",
        description="Ends every ongoing enrollment of a lead or contact, or those in some sequences, and answers with "
        "those that it ended.",
        act=_finish_ongoing,
        resource=RESOURCE,
        writes=True,
        answer="FinishedEnrollments",
        body=object_body(
            RESOURCE,
            (
                _RESOURCE_TYPE,
                _RESOURCE_ID,
                Member("sequence_ids", optional(listing(ID, 100)), "Only in these sequences; default: in all.", [1]),
            ),
            {
                "in all sequences": {"data": {"resource_type": "lead", "resource_id": 42, "sequence_ids": None}},
                "in two": {"data": {"resource_type": "lead", "resource_id": "42", "sequence_ids": [1, "2"]}},
            },
        ),
        tag=TAG,
    ),
    Operation(
        name="getSequenceEnrollment",
        method="GET",
        path=f"{PATH}/{{id}}",
        summary="One enrollment",
        description="The enrollment as of now: with estimates of the steps to come, and what is overdue.",
        act=_get,
        resource=RESOURCE,
        answer="SequenceEnrollment",
        tag=TAG,
    ),
    Operation(
        name="updateSequenceEnrollment",
        method="PUT",
        path=f"{PATH}/{{id}}",
        summary="Finish, resume or block an enrollment",
        description="`finished` ends it; what is still to come is cancelled. `active` resumes a blocked one: a failed "
        "step is tried again or passed over, a pause ends. `blocked` (ours) holds it. What is so already is no error. "
        "What the state does not allow is refused with `incorrect_value` for `/data/state`. With `If-Match`, only if "
        "the enrollment is at that revision.",
        act=_update,
        resource=RESOURCE,
        writes=True,
        answer="SequenceEnrollment",
        body=Body(
            RESOURCE,
            _read_change,
            {"anyOf": [object_schema(each) for each in _CHANGES.values()]},
            {
                "to end it": {"data": {"state": "finished"}},
                "to resume it": {"data": {"state": "active"}},
                "to go on behind a step that failed": {"data": {"state": "active", "timeline": "keep", "skip": True}},
                "to hold it": {"data": {"state": "blocked", "reason": "on_holiday", "until": "2026-03-09T08:00:00Z"}},
            },
        ),
        conditional=True,
        tag=TAG,
    ),
)
