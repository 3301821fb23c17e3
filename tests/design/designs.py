"""For each finding the plainest design that has it, and the nearest one that has it not."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.pacing import Cap
from sequencer.core.policy import Policy
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.windows import Window
from sequencer.design import find

SINCE = date(2026, 3, 2)
"""A Monday, four weeks before the clocks change in Europe."""

AT_ONCE = Hours(0)
WEEK = ("mon", "tue", "wed", "thu", "fri")
# Open by day, so that nothing is at night anywhere and little waits for long.
OFFICE = Calendar("Europe/Warsaw", send_windows=[Window(WEEK, "09:00", "17:00")])
MORNINGS = Calendar("Europe/Warsaw", send_windows=[Window(WEEK, "09:00", "11:00")])
ANY_TIME = Calendar("Europe/Warsaw")
MONDAYS = Calendar("UTC", send_windows=[Window(["mon"], "09:00", "17:00")])
MONDAYS_AND_WEDNESDAYS = Calendar("UTC", send_windows=[Window(["mon", "wed"], "09:00", "17:00")])
FAR_AWAY = {"timezones": ["America/Los_Angeles", "Asia/Kolkata", "Europe/London"]}
ON_MONDAYS = {"enrolled": {"days": ["mon"]}}
TEXTS = {id: Template("Hello", f"Body {id}") for id in range(1, 7)}


def sequence(*steps: Step, calendar: Calendar = OFFICE, **more: Any) -> Sequence:
    """A sequence of these steps whose mails have texts, all of which are used."""
    used = {step.action.template_id: None for step in steps if isinstance(step.action, AutomatedEmail)}
    more = {"templates": {id: TEXTS[id] for id in used if id in TEXTS}} | more
    return Sequence("Follow-up", steps, calendar=calendar, **more)


def mail(id: int = 1, after: Delay = AT_ONCE, *, is_reply: bool = False) -> Step:
    """A mail with one of the texts."""
    return Step(AutomatedEmail(id, is_reply=is_reply), after)


def call(after: Delay = AT_ONCE, text: str = "Call", **more: Any) -> Step:
    """A task that is skipped by itself after two weeks, if nothing else is said."""
    return Step(Task(text, **{"skip_after": Weekdays(10), **more}), after)


@attrs.frozen
class Pair:
    """A design with a finding, and its neighbour without it; the place of the finding; what else is asked of `find`."""

    has: Sequence
    has_not: Sequence
    place: str
    asked: dict[str, Any] = attrs.field(factory=dict)

    def findings(self) -> list:
        """What is found about the design that has it."""
        return list(find(self.has, since=SINCE, **self.asked))

    def findings_of_neighbour(self) -> list:
        """What is found about the other."""
        return list(find(self.has_not, since=SINCE, **self.asked))


def hello(name: str, **more: Any) -> Sequence:
    """A sequence of one mail, which asks for a merge field."""
    return sequence(mail(), templates={1: Template("Hello", f"Dear {{{{ {name} }}}},")}, **more)


def replied(subject: str) -> Sequence:
    """A sequence of a mail about a request, and of a reply with some subject."""
    texts = {1: Template("Your request", "Thank you."), 2: Template(subject, "Hello again.")}
    return sequence(mail(1), mail(2, Weekdays(1), is_reply=True), templates=texts)


LONG = [mail(1), mail(2, Weekdays(30)), mail(3, Weekdays(30))]

DESIGNS: dict[str, Pair] = {
    "first_mail_is_reply": Pair(
        sequence(call(), mail(1, is_reply=True)),
        sequence(call(), mail(1), mail(2, Weekdays(1), is_reply=True)),
        "steps[1].action_properties.is_reply",
    ),
    "reply_changes_subject": Pair(
        replied("Any news?"),
        replied("re: RE:  your  request"),
        "steps[1].action_properties.is_reply",
    ),
    "task_waits_for_ever": Pair(
        sequence(call(skip_after=None), mail(1, Weekdays(1))),
        sequence(call(), mail(1, Weekdays(1))),
        "steps[0].action_properties",
    ),
    "skipped_before_overdue": Pair(
        sequence(call(skip_after=Hours(8))),
        sequence(call(skip_after=Weekdays(1))),
        "steps[0].action_properties.skip_after",
    ),
    "template_missing": Pair(
        sequence(mail(1), mail(2, Weekdays(1)), templates={1: TEXTS[1]}),
        sequence(mail(1), mail(2, Weekdays(1))),
        "steps[1].action_properties.email_template_id",
    ),
    "templates_elsewhere": Pair(
        sequence(mail(1), templates={}),
        sequence(mail(1)),
        "steps",
    ),
    "template_unused": Pair(
        sequence(mail(1), templates={1: TEXTS[1], 2: TEXTS[2]}),
        sequence(mail(1), templates={1: TEXTS[1]}),
        "templates.2",
    ),
    "template_repeated": Pair(
        sequence(mail(1), mail(1, Weekdays(1))),
        sequence(mail(1), mail(2, Weekdays(1))),
        "steps[1].action_properties.email_template_id",
    ),
    "foreign_placeholder": Pair(
        sequence(mail(), templates={1: Template("Hello", "Dear {first_name},")}),
        hello("first_name"),
        "templates.1.body",
    ),
    "merge_field_unknown": Pair(
        hello("frist_name"),
        hello("first_name"),
        "templates.1.body",
        {"fields": {"first_name", "company"}},
    ),
    "merge_field_breaks": Pair(
        sequence(mail(), templates={1: Template("Hello {{ first_name }}", "We wrote to you.")}),
        hello("first_name"),
        "templates.1.subject",
        {"values": [{"first_name": "Ada\nBcc: eve@example.com"}, {"first_name": "Ben"}]},
    ),
    "zone_never_changes": Pair(
        sequence(mail(), calendar=attrs.evolve(OFFICE, timezone="EST")),
        sequence(mail(), calendar=attrs.evolve(OFFICE, timezone="America/New_York")),
        "timezone",
    ),
    "holidays_past": Pair(
        sequence(mail(), calendar=attrs.evolve(OFFICE, holidays=[date(2025, 12, 25), date(2026, 3, 1)])),
        sequence(mail(), calendar=attrs.evolve(OFFICE, holidays=[date(2025, 12, 25), date(2026, 3, 2)])),
        "calendar.holidays",
    ),
    "reply_only_noted": Pair(
        sequence(mail(1), mail(2, Weekdays(1)), policy=Policy(on={"replied": "note"})),
        sequence(mail(1), mail(2, Weekdays(1)), policy=Policy(on={"replied": "block"})),
        "policy.on.replied",
    ),
    "unsubscribe_only_noted": Pair(
        sequence(mail(1), call(), policy=Policy(on={"unsubscribed": "note"})),
        sequence(mail(1), call(), policy=Policy(on={"unsubscribed": "finish"})),
        "policy.on.unsubscribed",
    ),
    "mails_close": Pair(
        sequence(mail(1), mail(2, Hours(3))),
        sequence(mail(1), mail(2, Hours(24))),
        "steps[1].delay_from_previous_step",
    ),
    "mail_at_night": Pair(
        sequence(mail(1), mail(2, Hours(32)), calendar=ANY_TIME, assume={"timezones": ["Europe/Warsaw"]}),
        sequence(mail(1), mail(2, Hours(24)), calendar=ANY_TIME, assume={"timezones": ["Europe/Warsaw"]}),
        "steps[1].delay_from_previous_step",
    ),
    "mail_at_night_elsewhere": Pair(
        sequence(mail(1), mail(2, Weekdays(1)), calendar=ANY_TIME, assume=FAR_AWAY),
        sequence(mail(1), mail(2, Weekdays(1)), calendar=OFFICE, assume=FAR_AWAY),
        "steps[0]",
    ),
    "mail_waits_for_days": Pair(
        sequence(mail(1), mail(2, Weekdays(1)), calendar=MONDAYS, assume=ON_MONDAYS),
        sequence(mail(1), mail(2, Weekdays(1)), calendar=MONDAYS_AND_WEDNESDAYS, assume=ON_MONDAYS),
        "steps[1].delay_from_previous_step",
    ),
    "weekday_becomes_two": Pair(
        sequence(mail(1), call(Hours(4)), mail(2, Weekdays(1)), calendar=MORNINGS),
        sequence(mail(1), call(Weekdays(0)), mail(2, Weekdays(1)), calendar=MORNINGS),
        "steps[2].delay_from_previous_step",
    ),
    "longer_than_a_quarter": Pair(
        sequence(*LONG, mail(4, Weekdays(7))),
        sequence(*LONG, mail(4, Weekdays(5))),
        "steps[3].delay_from_previous_step",
    ),
    "cap_exceeded": Pair(
        sequence(mail(1), mail(2, Hours(23))),
        sequence(mail(1), mail(2, Hours(24))),
        "steps[1].delay_from_previous_step",
        {"cap": Cap(emails=1)},
    ),
    "silence_unused": Pair(
        sequence(mail(1), call(), silence=[{"finding": "task_waits_for_ever", "because": "they are few"}]),
        sequence(
            mail(1), call(skip_after=None), silence=[{"finding": "task_waits_for_ever", "because": "they are few"}]
        ),
        "silence[0]",
    ),
}
