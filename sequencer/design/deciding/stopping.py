"""Whether reports end a sequence, as `stops_on` expects: what the policy makes of them, whenever they come (L8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pendulum import DateTime

from sequencer.core.matching import step_called
from sequencer.core.policy import Reaction
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.design.deciding.counterexample import Counterexample

__all__ = ["decide_stops"]


def decide_stops(
    sequence: Sequence, expect: Mapping[str, Any], *, start: DateTime, timezone: str | None
) -> Counterexample | None:
    """The first of the reports that does not finish an enrollment, as a case from a start on; None: all of them do."""
    for kind in expect["stops_on"]:
        reaction = sequence.policy.on[kind]
        if reaction.does != "finish":
            timeline = plan(sequence, start, timezone=timezone)
            # Who has opted out gets no mail whatever the policy says: the next one ends it (L8). Tasks still come.
            opted_out = kind == "unsubscribed"
            following = next((step for step in timeline if step.step.is_email is not opted_out), timeline[0])
            called = step_called(sequence, following.position)
            goes_on = f"goes on{' after that' if reaction.does == 'block' else ''}"
            how = "until it would leave" if opted_out and following.step.is_email else "with that step"
            sentence = (
                f"{kind} {_does(reaction)}: when that is reported before {called}, the "
                f"enrollment {goes_on}, {how} on {following.local:%a %Y-%m-%d %H:%M %Z}; expected: it is finished"
            )
            return Counterexample(
                expect, timeline.started_at, timeline.timezone, {}, timeline, sentence, kind, following.position
            )
    return None


def _does(reaction: Reaction) -> str:
    if reaction.does == "note":
        return "is only noted"
    return f"only blocks for {reaction.duration}" if reaction.duration else "only blocks until somebody resumes"
