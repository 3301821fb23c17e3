"""What an engine is made of: what cannot work is refused when it is made, with what was needed (law S6)."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from sequencer import (
    Accepted,
    Cap,
    Engine,
    InvalidInput,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    RecordingTaskBoard,
    SystemClock,
)

NEEDED = {
    "store": "transaction(connection=None, *, write=True) and looking(claims) and origin",
    "mailer": "send(email, *, key, timeout)",
    "tasks": "create(task, *, key) and cancel(task_id)",
    "clock": "now()",
    "people": "people(resource)",
    "listener": "listener(event)",
    "templates": "templates(template_id, account)",
    "unsubscribe_url": "unsubscribe_url(key)",
    "cap": "cap(account, actor_id)",
}
METHODS = {
    "store": ("transaction", "looking"), "mailer": ("send",), "tasks": ("create", "cancel"), "clock": ("now",),
}  # fmt: skip
CALLED = sorted(NEEDED.keys() - METHODS.keys())


def made(**ports):
    return Engine(**{"store": MemoryStore(), **ports})


def refusal(path, given):
    with pytest.raises(InvalidInput) as raised:
        made(**{path: given})
    assert raised.value.path == path
    return raised.value.message


class Callable:
    def __call__(self, *args):
        return None


class AsyncCallable:
    async def __call__(self, *args):
        return None


async def answering(*args, **others):
    return None


async def generating(*args, **others):
    yield None


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("store", MemoryStore), ("mailer", RecordingMailer), ("tasks", RecordingTaskBoard), ("clock", SystemClock),
        ("cap", Cap), *((path, Callable) for path in CALLED),
    ],
)  # fmt: skip
def test_a_class_is_no_object(path, given):
    """A class in the place of an object of it is refused, with what to write instead."""
    said = refusal(path, given)
    assert NEEDED[path] in said
    assert said.endswith(f"got the class {given.__name__}: make one of it, {given.__name__}(...)")


@pytest.mark.parametrize("path", METHODS)
def test_a_method_that_is_missing(path):
    """What lacks a method is told which, and what the port needs; so is what has something else by that name."""
    for name in METHODS[path]:
        others = {each: print for each in METHODS[path] if each != name}
        without = SimpleNamespace(origin="1", **others)
        said = refusal(path, without)
        assert f"needs an object with {NEEDED[path]}; " in said
        assert said.endswith(f"does not have {name!r}")
        said = refusal(path, SimpleNamespace(origin="1", **{name: 1}, **others))
        assert said.endswith("cannot be called")


@pytest.mark.parametrize("path", CALLED)
def test_what_cannot_be_called(path):
    """What is to be asked is a callable."""
    said = refusal(path, object())
    assert said.startswith("needs a ")
    assert "callable" in said


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("asynchronous", [answering, generating, partial(answering, 1), AsyncCallable(), AsyncMock()])
def test_a_method_that_is_async(path, asynchronous):
    """Nobody would wait for what an async method promises."""
    for name in METHODS[path]:
        methods = {each: asynchronous if each == name else print for each in METHODS[path]}
        assert "must not be async" in refusal(path, SimpleNamespace(origin="1", **methods))
    assert "must not be async" in refusal(path, AsyncMock())


@pytest.mark.parametrize("path", CALLED)
@pytest.mark.parametrize("asynchronous", [answering, generating, partial(answering, 1), AsyncCallable(), AsyncMock()])
def test_a_callable_that_is_async(path, asynchronous):
    """The same of what is called itself."""
    assert "must not be async" in refusal(path, asynchronous)


@pytest.mark.parametrize("text", ["https://example.com/out", "https://example.com/{Key}", "https://example.com/{}", ""])
def test_a_link_names_the_mail(text):
    """A text that would be the same link in every mail, as with `{Key}`, is refused when the engine is made."""
    assert refusal("unsubscribe_url", text).startswith("needs {key} in it, which tells one mail from another, got ")


@pytest.mark.parametrize("mock", [Mock, MagicMock, lambda: create_autospec(RecordingMailer, instance=True)])
def test_what_has_the_methods_will_do(mock):
    """Mocks, bound methods, partials and classes that do it without an object are ports like any other."""
    mailer = mock()
    mailer.send.return_value = Accepted("<1@example.com>")
    made(mailer=mailer)
    for path in ("tasks", *CALLED):
        made(**{path: MagicMock()})
        if path in CALLED:
            made(**{path: Callable()})
            made(**{path: Callable().__call__})
            made(**{path: partial(print, 1)})
    made(clock=Mock(spec=ManualClock), unsubscribe_url="https://example.com/{key}")

    class Told:
        @staticmethod
        def send(email, *, key, timeout):
            return Accepted(None)

    made(mailer=Told)
