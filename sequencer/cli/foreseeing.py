"""What a worker can tell before it begins: the next mails of some of the enrolled, put together and not sent.

A worker that is started with something missing, or where only the host's own knows the people, blocks everybody whose
mail comes due. Mails are put together here as they will be, so that what would be refused is known before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import attrs

from sequencer.adapters.message import Unsendable, build
from sequencer.cli.output import Output
from sequencer.core.effects import SendEmail
from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import StoreError
from sequencer.core.sequence import Template
from sequencer.core.signals import EmailFailed
from sequencer.core.statuses import StepStatus
from sequencer.core.values import Identifier
from sequencer.engine.engine import Engine
from sequencer.engine.handover import HandOvers

__all__ = ["Letters", "say_what_is_foreseen"]

_LOOKED_AT = 100
_NAMED = 3
_REMEDIES = {
    "missing_merge_data": (
        "this worker knows of people only what is in the store: add it with `sequencer update`, or, where the host's "
        "engine has people=..., let a worker of the host's own hand over"
    ),
    "mail_settings": "stop this worker (Ctrl-C), and start it with what is missing: `sequencer run --help`",
}


@attrs.frozen
class Letters:
    """How a worker makes its mails. Without a `sender` they are printed, however they are."""

    sender: str | None
    templates: Callable[[Identifier, Identifier | None], Template | None] | None
    unsubscribe_url: str | None
    unsubscribe_mailto: str | None


def say_what_is_foreseen(engine: Engine, letters: Letters, out: Output) -> None:
    """A line on standard error for each reason for which the next mail of somebody would be refused, and a remedy."""
    refused: dict[tuple[str, str], list[int]] = {}
    with engine.together(write=False) as one:
        found = _looked_at(one)

        def text(enrollment: Enrollment, template_id: Identifier) -> Template | None:
            own = one.transaction.template(enrollment.version.sequence_id, template_id)
            return letters.templates(template_id, enrollment.account) if own is None and letters.templates else own

        hand_overs = HandOvers(None, text, letters.unsubscribe_url)
        for each in found:
            refusal = _refusal(each, hand_overs, letters)
            if refusal is not None:
                refused.setdefault(refusal, []).append(each.id)
    for (reason, detail), ids in refused.items():
        whose = ", ".join(map(str, ids[:_NAMED])) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
        out.aside(f"of {len(found)} looked at, {len(ids)} will be blocked at the next mail: {reason}: {detail}")
        out.aside(
            f"  enrollment{'s' if len(ids) > 1 else ''} {whose}; {_REMEDIES.get(reason, 'see `sequencer explain`')}"
        )


def _looked_at(engine: Engine) -> list[Enrollment]:
    """Some who are active: those who have been so for longest, and those whose turn it is."""
    found = list(engine.enrollments(state="active", limit=_LOOKED_AT))
    with suppress(StoreError):  # in a store of the release before there is no such list
        found += engine.due(limit=_LOOKED_AT)
    return list({each.id: each for each in found}.values())


def _refusal(enrollment: Enrollment, hand_overs: HandOvers, letters: Letters) -> tuple[str, str] | None:
    """The reason and the detail with which the next mail of an enrollment would be refused."""
    ahead = (each for each in enrollment.steps if each.step.is_email and each.status is StepStatus.PENDING)
    step = next(ahead, None)
    if step is None:
        return None
    effect = SendEmail(enrollment.key_of(step), enrollment.id, step.position, 1)
    email = hand_overs.email(enrollment, effect)
    if isinstance(email, EmailFailed):
        return email.reason, email.detail
    if letters.sender is None:
        return None
    try:
        build(email, effect.key, sender=letters.sender, unsubscribe_mailto=letters.unsubscribe_mailto)
    except Unsendable as error:
        return error.rejected.reason, error.rejected.detail
    return None
