"""What is sent of an event: one JSON object, written once and the same bytes in every attempt.

There is nothing personal in it, as there is not in events (law S8): no address, no merge field, no text of a mail. The
account is left out: a webhook belongs to one, and its id is the host's own business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pendulum import DateTime

from sequencer.core.events import Event
from sequencer.core.instants import to_iso

__all__ = ["body_of", "message_id"]

# What an enrollment begins with and every event says under its own name; and the account.
_SAID_ELSEWHERE = frozenset({"account", "origin", "resource_id", "resource_type"})


def message_id(origin: str, cursor: int) -> str:
    """The id of an event for receivers: the same at every attempt and at every webhook; of no other event."""
    return f"evt_{origin}_{cursor}"


def body_of(event: Event, origin: str) -> str:
    """The body for an event as the feed tells it. ASCII, without blanks."""
    subject = event.subject
    assert subject is not None, "the feed says whose an event is"
    assert event.cursor is not None, "the feed says where it was"
    facts = {name: value for name, value in event.facts.items() if name not in _SAID_ELSEWHERE}
    document = {
        "id": message_id(origin, event.cursor),
        "type": f"enrollment.{event.type}",
        "timestamp": to_iso(event.at),
        "data": {
            "enrollment_id": event.enrollment_id,
            "number": event.number,
            "position": event.position,
            "resource_type": subject.resource_type,
            "resource_id": subject.resource_id,
            "sequence_key": subject.sequence_key,
            "sequence_version": subject.version,
            "actor_id": subject.actor_id,
            "facts": _plain(facts),
        },
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """A fact as JSON has it."""
    if isinstance(value, DateTime):
        return to_iso(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
