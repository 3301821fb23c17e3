"""A few sequences and leads for the tests of the engine."""

from __future__ import annotations

from sequencer import AutomatedEmail, Hours, Policy, Resource, Sequence, Step, Task, Template

HELLO = {1: Template("Hello {{ name }}", "Hi"), 2: Template("Again", "Hi again")}


def mails(key="mails", count=2, **fields):
    steps = [Step(AutomatedEmail(1), Hours(0 if i == 0 else 24)) for i in range(count)]
    return Sequence(key, steps, templates={1: Template("Hello", "There")}, **fields)


def tasks(key="tasks", **fields):
    return Sequence(key, [Step(Task("Call")), Step(Task("Call again"), Hours(1))], **fields)


def exclusive(key, **fields):
    return mails(key, policy=Policy(exclusive="all"), **fields)


def lead(id=1, email="ada@example.com", **fields):
    return Resource("lead", id, email=email, **fields)
