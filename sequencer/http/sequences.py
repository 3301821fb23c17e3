"""The operations on sequences. Reading is the model service's; writing is ours, in its shape or as a file has it."""

from __future__ import annotations

import attrs

from sequencer.core.document import to_document
from sequencer.core.errors import Conflict, Outdated
from sequencer.core.sequence import Sequence
from sequencer.engine.stored import StoredSequence
from sequencer.http.bodies import with_integers
from sequencer.http.conditional import revision_of
from sequencer.http.operations import Answer, Call, Operation, answered, json_bytes
from sequencer.http.paging import links_of, path_of
from sequencer.http.queries import IDS, NAME, PAGING, page_of
from sequencer.http.sequence_bodies import BODY, RESOURCE
from sequencer.http.wire import collection, sequence_document

__all__ = ["OPERATIONS"]

_PATH = "/v2/sequences"
_TAG = "Sequences"


def _list(call: Call) -> Answer:
    page = page_of(call.query, call.limits)
    found = call.engine.stored_sequences(
        ids=call.query.get("ids"), name=call.query.get("name"), offset=page.offset, limit=page.size + 1
    )
    links = links_of(call.request, page, more=len(found) > page.size)
    return answered(collection(map(sequence_document, found[: page.size]), links))


def _one(stored: StoredSequence, status: int = 200, **headers: str) -> Answer:
    return answered(sequence_document(stored), status, revision=stored.version.id, headers=headers)


def _get(call: Call) -> Answer:
    return _one(call.engine.stored_sequence(call.id))


def _definition(call: Call) -> Answer:
    version_id = call.engine.stored_sequence(call.id).version.id
    data = to_document(call.engine.definition(call.id))
    # Read first, so that who has read what came after it is told so at the next write.
    return answered({"data": data, "meta": {"type": RESOURCE}}, revision=version_id)


def _create(call: Call) -> Answer:
    creator_id = call.body.creator_id
    stored = call.engine.create_sequence(
        call.body.sequence,
        creator_id=call.grant.actor_id if creator_id is None else creator_id,
        idempotency_key=call.key,
    )
    return _one(stored, 201, Location=f"{path_of(call.request)}/{stored.id}")


def _replace(call: Call) -> Answer:
    wanted = seen = _version(call)
    if wanted is None and call.body.sell is not None:
        seen = call.engine.stored_sequence(call.id).version.id
    stored = call.engine.definition(call.id)
    sequence = attrs.evolve(call.body.instead_of(stored), key=stored.key)
    try:
        replaced = call.engine.replace_sequence(
            call.id, stored if _is_alike(sequence, stored) else sequence, version_id=seen
        )
    except Outdated as error:
        if wanted is not None:
            raise
        # Nobody asked for a condition: what is kept of the sequence has to be that of the version that is there now.
        raise Conflict(str(error)) from error
    return _one(replaced)


def _is_alike(one: Sequence, other: Sequence) -> bool:
    """Whether two sequences are one on the wire: a factor of 4.0, which reads as 4 there, is no new content."""
    return json_bytes(with_integers(to_document(one))) == json_bytes(with_integers(to_document(other)))


def _delete(call: Call) -> Answer:
    version_id = _version(call)
    if version_id is not None:
        call.engine.stored_sequence(call.id)  # one that is not there is not found, whatever was seen of it
    call.engine.delete_sequence(call.id, actor_id=call.grant.actor_id, version_id=version_id)
    return Answer(204)


def _version(call: Call) -> int | None:
    return revision_of(call.request, lambda: call.engine.stored_sequence(call.id).version.id)


_SHAPES = (
    "In the service's shape, where the zone (`timezone`) and the identity (`key`) of ours may be added, or as a "
    "definition file has it, with calendar, policy and templates. Everything that is wrong is listed, with pointers."
)

OPERATIONS = (
    Operation(
        name="listSequences",
        method="GET",
        path=_PATH,
        summary="Sequences, page by page",
        description="The sequences of the account in the order of their ids, each as its current version has it.",
        act=_list,
        resource=RESOURCE,
        answer="Sequences",
        queries=(*PAGING, IDS, NAME),
        tag=_TAG,
    ),
    Operation(
        name="createSequence",
        method="POST",
        path=_PATH,
        summary="Make a sequence (ours)",
        description=f"{_SHAPES} Refused with `already_exists` where there is one of this key. One that was "
        "deleted is there again: under its id, with when it was first made.",
        act=_create,
        resource=RESOURCE,
        writes=True,
        success=201,
        answer="Sequence",
        body=BODY,
        tag=_TAG,
    ),
    Operation(
        name="getSequence",
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="One sequence",
        description="The sequence with its steps, as its current version has it.",
        act=_get,
        resource=RESOURCE,
        answer="Sequence",
        tag=_TAG,
    ),
    Operation(
        name="getSequenceDefinition",
        method="GET",
        path=f"{_PATH}/{{id}}/definition",
        summary="All of a sequence (ours)",
        description="The sequence as a definition file has it: with its calendar, its policy, its templates, and what "
        "its steps have beyond the service's shape. `POST` and `PUT` take it as it is.",
        act=_definition,
        resource=RESOURCE,
        answer="SequenceDefinition",
        tag=_TAG,
    ),
    Operation(
        name="replaceSequence",
        method="PUT",
        path=f"{_PATH}/{{id}}",
        summary="Replace a sequence (ours)",
        description=f"{_SHAPES} What is new about it is a new version of it; whoever is enrolled goes on in the "
        "version that they are in. Its key stays what it is. So does, in the service's shape, what that shape cannot "
        "say: the calendar (its zone, too, unless one is sent), the policy, metadata, templates, and all else about "
        "each step that is the same at its position; a definition replaces all. With `If-Match`, only if the version "
        "that was seen is still the current one.",
        act=_replace,
        resource=RESOURCE,
        writes=True,
        answer="Sequence",
        body=BODY,
        conditional=True,
        tag=_TAG,
    ),
    Operation(
        name="deleteSequence",
        method="DELETE",
        path=f"{_PATH}/{{id}}",
        summary="Delete a sequence (ours)",
        description="At once: it is listed no more, and every ongoing enrollment in it ends as `sequence_deleted`. "
        "With `If-Match`, only if the version that was seen is still the current one.",
        act=_delete,
        resource=RESOURCE,
        writes=True,
        success=204,
        conditional=True,
        tag=_TAG,
    ),
)
