"""The operations on enrollments: listing, reading, making, finishing and resuming."""

from __future__ import annotations

from typing import Any

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import NotFound, Outdated
from sequencer.core.signals import OUTSIDE
from sequencer.engine.engine import Engine
from sequencer.http.conditional import revisions_of, whole
from sequencer.http.envelope import Refusal, WireError
from sequencer.http.kinds import (
    ADDRESS,
    FIELDS,
    ID,
    IDENTIFIER,
    INSTANT,
    LINE,
    RETURN,
    ZONE,
    Member,
    line,
    listing,
    one_of,
    optional,
    read_members,
)
from sequencer.http.operations import Answer, Body, Call, Operation, object_body, object_schema
from sequencer.http.paging import links_of, path_of
from sequencer.http.queries import IDS, PAGING, RESOURCE_IDS, RESOURCE_TYPE, page_of
from sequencer.http.wire import collection_meta
from sequencer.http.writing import collection_text, enrollment_text

__all__ = ["OPERATIONS"]

RESOURCE = "sequence_enrollment"
_PATH = "/v2/sequence_enrollments"
_TAG = "Sequence enrollments"

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


def _written(engine: Engine, enrollments: tuple[Enrollment, ...]) -> list[str]:
    """The enrollments on the wire, each with what is known of its sequence, also of a deleted one."""
    ids = {each.version.sequence_id for each in enrollments}
    stored = {each.id: each for each in engine.stored_sequences(ids=ids, deleted=True, limit=10_000)} if ids else {}
    return [enrollment_text(each, stored[each.version.sequence_id]) for each in enrollments]


def _one(call: Call, enrollment: Enrollment, status: int = 200, **headers: str) -> Answer:
    (text,) = _written(call.engine, (enrollment,))
    return Answer(status, text.encode(), headers, enrollment.revision)


def _list(call: Call) -> Answer:
    page = page_of(call.query, call.limits)
    filters = {name: call.query[name] for name in ("ids", "resource_type", "resource_ids") if name in call.query}
    found = call.engine.enrollments(offset=page.offset, limit=page.size + 1, **filters)
    links = links_of(call.request, page, more=len(found) > page.size)
    items = _written(call.engine, found[: page.size])
    return Answer(200, collection_text(items, collection_meta(len(items), links)).encode())


def _get(call: Call) -> Answer:
    return _one(call, call.engine.get(call.id))


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
    return _one(call, enrollment, 201, Location=f"{path_of(call.request)}/{enrollment.id}")


def _update(call: Call) -> Answer:
    revision = _revision(call)
    if call.body["state"] == "finished":
        outcome = call.engine.finish(call.id, actor_id=call.grant.actor_id, revision=revision)
    else:
        outcome = call.engine.resume(call.id, revision=revision)
    return _one(call, outcome.enrollment)


def _revision(call: Call) -> int | None:
    """The revision that `If-Match` allows to be written over; raises where the enrollment is at none of those."""
    allowed = revisions_of(whole(call.request.headers.getlist("if-match")))
    if allowed is None:
        return None
    if len(allowed) == 1:
        (revision,) = allowed
        return revision
    current = call.engine.get(call.id).revision
    if current not in allowed:
        raise Outdated(max(allowed, default=0), current)
    return current


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


# -- what happened outside -------------------------------------------------------------------------------------

_REPORTED = (
    Member("key", optional(LINE), "By which the report counts once; default: the header `Idempotency-Key`.", "mail-7"),
    Member("at", optional(INSTANT), "When it happened; default: now.", "2026-03-02T09:00:00Z"),
    Member(
        "message_id", optional(line(998)), "The Message-ID of the mail that it is about, where that is known.", "<m@x>"
    ),
)
_KINDS = tuple(kind for kind in OUTSIDE if kind != "out_of_office")
_OF_ANY = (
    Member("type", one_of(*_KINDS), "What happened.", "replied", needed=True),
    *_REPORTED,
)
_OF_AN_ABSENCE = (
    Member("type", one_of("out_of_office"), "The person is away.", "out_of_office", needed=True),
    *_REPORTED,
    Member(
        "until",
        optional(RETURN),
        "When the person is back: an instant, or a local date. Default: not known.",
        "2026-03-09",
    ),
)


def _read_signal(body: dict[str, Any], timezone: str) -> dict[str, Any]:
    away = body["data"].get("type") == "out_of_office"
    found, errors = read_members(_OF_AN_ABSENCE if away else _OF_ANY, body["data"], RESOURCE)
    if errors:
        raise Refusal(422, errors)
    return found


def _signal(call: Call) -> Answer:
    data = dict(call.body)
    call.engine.get(call.id)  # one that is not there is not found; to the engine it would be a report that is noted
    key = data.pop("key", None) or call.key
    if key is None:
        message = "a report needs a key of its own, so that it counts once: here, or as Idempotency-Key"
        raise Refusal(422, [WireError("missing", message, RESOURCE, "/data/key")])
    call.engine.handle(OUTSIDE[data.pop("type")](key=key, enrollment_id=call.id, **data))
    return _one(call, call.engine.get(call.id))


OPERATIONS = (
    Operation(
        name="listSequenceEnrollments",
        method="GET",
        path=_PATH,
        summary="Enrollments, page by page",
        description="The enrollments of the account in the order of their ids. All filters have to hold.",
        act=_list,
        resource=RESOURCE,
        answer="SequenceEnrollments",
        queries=(*PAGING, IDS, RESOURCE_IDS, RESOURCE_TYPE),
        tag=_TAG,
    ),
    Operation(
        name="createSequenceEnrollment",
        method="POST",
        path=_PATH,
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
        tag=_TAG,
    ),
    Operation(
        name="finishOngoingForResource",
        method="POST",
        path=f"{_PATH}/finish_ongoing_for_resource",
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
        tag=_TAG,
    ),
    Operation(
        name="getSequenceEnrollment",
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="One enrollment",
        description="The enrollment as of now: with estimates of the steps to come, and what is overdue.",
        act=_get,
        resource=RESOURCE,
        answer="SequenceEnrollment",
        tag=_TAG,
    ),
    Operation(
        name="updateSequenceEnrollment",
        method="PUT",
        path=f"{_PATH}/{{id}}",
        summary="Finish or resume an enrollment",
        description="`finished` ends it; what is still to come is cancelled. `active` resumes a blocked one: a failed "
        "step is tried again, a pause ends. What is so already is no error. What the state does not allow is refused "
        "with `incorrect_value` for `/data/state`. With `If-Match`, only if the enrollment is at that revision.",
        act=_update,
        resource=RESOURCE,
        writes=True,
        answer="SequenceEnrollment",
        body=object_body(
            RESOURCE,
            (Member("state", one_of("finished", "active"), "What it shall be from now on.", "finished", needed=True),),
            {"to end it": {"data": {"state": "finished"}}, "to resume it": {"data": {"state": "active"}}},
        ),
        conditional=True,
        tag=_TAG,
    ),
    Operation(
        name="signalSequenceEnrollment",
        method="POST",
        path=f"{_PATH}/{{id}}/signals",
        summary="Report what happened outside (ours)",
        description="A reply, a bounce, an opt-out, a meeting and the like. What it does is the policy of the "
        "sequence, and it concerns every ongoing enrollment of the same person. A report counts once: it needs a "
        "`key`, or the header `Idempotency-Key`. Answers with the enrollment as it is after it.",
        act=_signal,
        resource=RESOURCE,
        writes=True,
        answer="SequenceEnrollment",
        body=Body(
            RESOURCE,
            _read_signal,
            {"anyOf": [object_schema(_OF_ANY), object_schema(_OF_AN_ABSENCE)]},
            {
                "a reply": {"data": {"type": "replied", "key": "inbox-4711"}},
                "an absence": {"data": {"type": "out_of_office", "key": "inbox-4712", "until": "2026-03-09"}},
            },
        ),
        tag=_TAG,
    ),
)
