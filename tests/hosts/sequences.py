"""The sequence that the hosts of the tests enroll into, and when."""

import pendulum

from sequencer import AutomatedEmail, Calendar, Sequence, Step, Task, Template, Weekdays

WELCOME = Sequence(
    "Welcome",
    [Step(AutomatedEmail(1)), Step(Task("Call {{ name }}"), after=Weekdays(1))],
    calendar=Calendar("Europe/Warsaw"),
    templates={1: Template("Hello {{ name }}", "Nice to meet you.")},
)
MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="Europe/Warsaw")
