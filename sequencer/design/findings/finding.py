"""What may be found about a design: the table of codes, and one finding.

Validity is one thing, wisdom another: a design that has one of these does what it says, and somebody will wish that it
did not. Where a line had to be drawn, it is a constant here, with its reason, and stands in the explanation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import attrs

__all__ = [
    "KINDS",
    "NIGHT_BEGINS",
    "NIGHT_ENDS",
    "QUARTER",
    "RELIABLY",
    "SEVERITIES",
    "TOO_CLOSE",
    "WORKING_DAYS_PASSED",
    "Finding",
    "Kind",
    "found",
]

SEVERITIES = ("error", "warning", "advice")
"""An error stops everybody who gets there; a warning is what people will complain about; advice is worth a thought."""

NIGHT_BEGINS, NIGHT_ENDS = 22, 6
"""The hours of the night, 22:00 to 06:00: the quiet hours that rules about calls and noise commonly name. A phone that
rings with a mail then does harm, while one in the evening or at seven is merely early or late."""

WORKING_DAYS_PASSED = 3
"""How many whole working days must go by while a mail waits for its window, for it to be odd. Who sends from Tuesday to
Thursday, as many do, lets two go by after a Thursday; three are more than half of a week."""

QUARTER = timedelta(days=92)
"""The longest quarter of a year, July to September or October to December: who plans by quarters sees no later step."""

RELIABLY = Fraction(3, 4)
"""The share of starts from which on something is how the design works, rather than what happens to late starts: a
window of half a day is missed by half of them, whatever the delay."""

TOO_CLOSE = timedelta(hours=23)
"""How far apart two mails have to be. One weekday leads to the same clock time on the next working day, and that is 23
hours later when the clocks go forward in between. A weekend between two mails is longer than it, and so is no trouble.
"""


@attrs.frozen
class Kind:
    """What is true of all findings of a code."""

    severity: str
    explanation: str
    remedy: str


_NIGHT = f"from {NIGHT_BEGINS}:00 to {NIGHT_ENDS:02}:00"

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "first_mail_is_reply": Kind(
            "warning",
            "The first mail is marked as a reply, but there is no mail before it that it could be in a thread with.",
            "set is_reply: false; the mails after it may be replies",
        ),
        "reply_changes_subject": Kind(
            "advice",
            "A reply has another subject than the mail that it replies to: mailboxes that go by the subject, as Gmail "
            "does, show it as a new conversation.",
            "give both texts the same subject (a Re: before it is put there by itself), or set is_reply: false",
        ),
        "task_waits_for_ever": Kind(
            "advice",
            "A task holds everybody until somebody completes it: with no skip_after, a task that is forgotten holds "
            "that person for ever.",
            "give it a skip_after, like {weekdays: 10}",
        ),
        "skipped_before_overdue": Kind(
            "advice",
            "A task is always skipped by itself before it counts as overdue, so nobody is ever reminded of it.",
            "make due_after shorter than skip_after",
        ),
        "template_missing": Kind(
            "warning",
            "A mail names a template that is not among the templates of the definition, though others are.",
            "add the text under templates, or correct email_template_id",
        ),
        "templates_elsewhere": Kind(
            "advice",
            "The definition has no texts at all: it runs only where the mailer, or a folder of templates, knows its "
            "template ids.",
            "add templates to try it by itself, or hand it a folder of them",
        ),
        "template_unused": Kind(
            "advice",
            "A text is among the templates, but no mail uses it.",
            "remove it, or use it in a step",
        ),
        "template_repeated": Kind(
            "advice",
            "Two mails of the sequence use the same template, so everybody gets the same text twice.",
            "give the later mail a text of its own",
        ),
        "foreign_placeholder": Kind(
            "warning",
            "A text has something that other products fill in, like {first_name}, [[name]], %NAME%, *|FNAME|* or "
            "{% if ... %}: here it reaches people as it stands.",
            "write merge fields as {{ first_name }}, the only thing that is filled in; nothing in a text decides, so "
            "give each case a text of its own",
        ),
        "merge_field_unknown": Kind(
            "error",
            "A text asks for a merge field that no column of the leads provides: the step fails for everybody, and "
            "waits for a person.",
            "add the column to the leads, or write the text without the field",
        ),
        "merge_field_breaks": Kind(
            "warning",
            "A subject asks for a merge field that has a line break or control character in it for some leads: a "
            "subject is one line, so for them the step fails, and waits for a person.",
            "mend the cells of the leads, or leave the field out of the subject",
        ),
        "zone_never_changes": Kind(
            "advice",
            "The zone is an abbreviation or an offset, which is the same in summer and winter: where people's clocks "
            "change, everything comes an hour off for half of the year. UTC says so itself, and is not meant here.",
            "name the zone of a place, like America/New_York, or silence it where the offset is what you want",
        ),
        "holidays_past": Kind(
            "warning",
            "All holidays are over, so from now on steps run on whatever holidays come.",
            "add the dates of this year and the next",
        ),
        "reply_only_noted": Kind(
            "warning",
            "Who answers gets the rest of the mails all the same, since a reply is only noted.",
            "set policy.on.replied: finish, or block if somebody looks at each answer",
        ),
        "unsubscribe_only_noted": Kind(
            "warning",
            "Who opts out gets no mail any more, but stays in the sequence until the next mail would leave: the tasks "
            "before it, such as calls, still come.",
            "set policy.on.unsubscribed: finish",
        ),
        "mails_close": Kind(
            "warning",
            "Two mails come within a working day: the second less than "
            f"{TOO_CLOSE // timedelta(hours=1)} hours after the first (a day, less the hour of a clock change).",
            "let the second one wait for a weekday or more",
        ),
        "mail_at_night": Kind(
            "warning",
            f"A mail leaves at night, {_NIGHT} on the sequence's own clock, though people are enrolled by day: mostly "
            "a delay in hours has led there, and if it ends at a weekend, the mail keeps the clock time, and leaves on "
            "Monday at 00:05.",
            "set send_windows, or count the delay in weekdays, which keep the clock time",
        ),
        "mail_at_night_elsewhere": Kind(
            "advice",
            "A timeline runs on the clock of the person's own zone, and nothing keeps this mail from the night there, "
            f"{_NIGHT}, if somebody far away is enrolled during the day.",
            "set send_windows, which hold on each person's own clock",
        ),
        "mail_waits_for_days": Kind(
            "warning",
            "The send days and windows make a mail unreachable for days: it waits while "
            f"{WORKING_DAYS_PASSED} whole working days or more go by.",
            "send on more days, or let the delay end on a day with a window",
        ),
        "weekday_becomes_two": Kind(
            "warning",
            "A delay lands after the last window of its day has closed, so that one day becomes two, for at least "
            f"{RELIABLY.numerator} of {RELIABLY.denominator} starts: that is how the design works, not what it says.",
            "close the window later, or take the hours that lead past it out of the delays before",
        ),
        "longer_than_a_quarter": Kind(
            "advice",
            f"The sequence takes longer than a quarter of a year, {QUARTER.days} days, even if each task is done when "
            "it is due.",
            "end it earlier, and begin another sequence with who is still of interest",
        ),
        "cap_exceeded": Kind(
            "warning",
            "One enrollment alone sends more than the cap of its sender allows, so its own mails wait for each other.",
            "raise the cap, or put more time between the mails",
        ),
        "silence_unused": Kind(
            "advice",
            "A silence silences nothing: what it was for is not found any more, or never was at that step.",
            "remove it",
        ),
    }
)

_OF_A_STEP = re.compile(r"steps\[(\d+)\]")


@attrs.frozen
class Finding:
    """Something about a valid design that is unwise.

    `place` is a path into the definition, like `steps[2].action_properties.email_template_id`. `message` says what is
    found, with a case; `remedy` what to do. `silenced` is the reason that the definition gives for living with it.
    """

    code: str
    severity: str
    place: str
    message: str
    remedy: str
    silenced: str | None = None

    @property
    def position(self) -> int | None:
        """The position of the step that it is about; None for what is about no single one."""
        match = _OF_A_STEP.match(self.place)
        return None if match is None else int(match[1])

    @property
    def fails(self) -> bool:
        """Whether a check fails because of it: advice and what is silenced is only said."""
        return self.silenced is None and self.severity != "advice"

    def __str__(self) -> str:
        return f"{self.severity}[{self.code}]: {self.place}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `check --json`."""
        return attrs.asdict(self)


def found(code: str, place: str, message: str, remedy: str | None = None) -> Finding:
    """A finding of a kind, with the general remedy unless there is a better one."""
    kind = KINDS[code]
    return Finding(code, kind.severity, place, message, kind.remedy if remedy is None else remedy)
