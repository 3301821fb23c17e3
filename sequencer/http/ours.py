"""What is our own choice: the model service does not say, or the part of its documentation that does could not be had.

Everything else on the wire is the service's. A row is never presented as theirs; the documentation has this table.
"""

from __future__ import annotations

import attrs

__all__ = ["OURS", "Ours"]


@attrs.frozen
class Ours:
    """One choice: about what, which, and why."""

    what: str
    choice: str
    reason: str


OURS = (
    Ours(
        "status of a mail",
        "`pending`, `failed` and `skipped` beside their `completed` and `cancelled`",
        "only those two are known, and a mail has more of a life than that",
    ),
    Ours(
        "status of a task",
        "`pending`, `failed`, `cancelled` and `skipped` beside their `in_progress` and `completed`",
        "as above",
    ),
    Ours(
        "what was handed over and is not answered yet",
        "reads `pending`",
        "it is a state of ours between two of theirs, and a client could do nothing else with it",
    ),
    Ours(
        "`finished_reason`",
        "every reason of law L7 beside their `manual`",
        "only that one is known",
    ),
    Ours(
        "`failure_reason`",
        "the literals of law L5",
        "the causes are known, their literals are not",
    ),
    Ours(
        "`current_step_position` past the last step",
        "stays at the last",
        "it has to be the position of a step that there is",
    ),
    Ours(
        "`task_id`",
        "there as soon as the task exists, and then for good",
        "they show it for `in_progress` and `completed`; who looks for a cancelled task needs it, too",
    ),
    Ours(
        "`enrollment_action`",
        "`finish`",
        "the literal is not known",
    ),
    Ours(
        "ids of steps in a sequence",
        "the number of the version times 256, and the position",
        "steps of ours have no ids; these are unique, and new with every version, as the steps are",
    ),
    Ours(
        "ids of a host (resources, actors, templates)",
        "integers or text of up to 64 characters; text that spells an integer of 64 bits is that integer",
        "they know integers only; hosts have keys of other kinds",
    ),
    Ours(
        "`resource_type`",
        "any text of up to 64 characters beside their `lead` and `contact`",
        "hosts enroll other things, too",
    ),
    Ours(
        "`email`, `timezone` and `fields` of a new enrollment",
        "optional, and kept as the person's until it is erased",
        "the service knows its leads; an engine has to be told",
    ),
    Ours(
        "writing sequences",
        "`POST`, `PUT` and `DELETE` on `/v2/sequences`, in their shape or as a definition file has it",
        "they have none, and a host needs a way in",
    ),
    Ours(
        "`timezone` and `key` of a sequence in their shape",
        "optional: the zone of its calendar, and its identity where that is not the name",
        "their sequences have no zone of their own, and ours need one",
    ),
    Ours(
        "`PUT` in their shape",
        "keeps what that shape cannot say: the calendar (but for a `timezone` that is sent), the policy, metadata, "
        "templates, and the rest of each step that is the same at its position",
        "what was read must not be lost by writing it back",
    ),
    Ours(
        "`GET /v2/sequences/:id/definition`",
        "all of a sequence, as a definition file has it; writes take it as it is",
        "their shape shows the half of ours",
    ),
    Ours(
        "a sequence that was deleted and is made again",
        "is there under the same id, with its old `created_at`",
        "its key is what it is known by, and its enrollments are still its own",
    ),
    Ours(
        "`POST /v2/sequence_enrollments/:id/signals`",
        "what happened outside: a reply, a bounce, an opt-out, a meeting, a task that is done",
        "they see their own mailboxes; an engine has to be told",
    ),
    Ours(
        "`PUT` of an enrollment: `blocked`, with `reason` and `until`; `active` with `timeline` and `skip`",
        "optional but for the state: hold it, until when; go on how, and whether behind the step that failed",
        "they say neither who can block one nor what becomes of its estimates",
    ),
    Ours(
        "`blocked_reason` and `blocked_until` of an enrollment",
        "why it is blocked, and when it goes on by itself; null where it is not, or does not",
        "they show the reason of a step that failed, and not every block is that",
    ),
    Ours(
        "`state` and `sequence_id` of enrollments, in the query",
        "only those in that state, and only those in that sequence",
        "what is blocked has to be found, and without looking at everything",
    ),
    Ours(
        "statuses of success",
        "201 with `Location` for what was made, 204 without a body for what was deleted",
        "what their writes answer with is not known; clients take any success",
    ),
    Ours(
        "`meta.count`",
        "the number of items on the page",
        "counting them all would cost what paging saves",
    ),
    Ours(
        "`first_page`",
        "on every page, also on the first",
        "which links do not apply there is not said",
    ),
    Ours(
        "unknown parameters of a query, and those given twice",
        "400 `invalid_param`",
        "their client takes an unknown one for a request error; a filter that is misspelt must not show everything",
    ),
    Ours(
        "`Idempotency-Key`",
        "on every `POST`: the same key again does nothing twice",
        "they have none, and networks repeat requests",
    ),
    Ours(
        "`ETag`, `If-None-Match`, `If-Match`; 412 `precondition_failed`",
        "on enrollments and sequences, and `If-None-Match` wherever is read",
        "they have none; two people must not undo each other's work",
    ),
    Ours(
        "405 `incorrect_path`, 413 `invalid_payload`",
        "the nearest of their codes under the status that HTTP has for it",
        "they name no codes for these",
    ),
    Ours(
        "`links.more_info` of errors",
        "the description of that error in this server's own `openapi.json`",
        "theirs leads to their documentation",
    ),
)
