"""Whether what an engine is made of can work at all: looked at when it is made, not when a mail is to leave (law S6).

A port is anything that has the methods, so no more is asked than that: it has them, they can be called, and they answer
rather than promise to. Whether what they answer is right shows when they are called.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, Protocol

import attrs

from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Clock, Mailer, People, TaskBoard
from sequencer.engine.storage import Store

__all__ = ["must_fit", "must_link"]


class _Listener(Protocol):
    def __call__(self, event: Any) -> None: ...


class _Templates(Protocol):
    def __call__(self, template_id: Any, account: Any) -> Any: ...


class _UnsubscribeURL(Protocol):
    def __call__(self, key: Any) -> str: ...


class _Cap(Protocol):
    def __call__(self, account: Any, actor_id: Any) -> Any: ...


_CALLED = ("__call__",)
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@attrs.frozen
class _Port:
    """A port: its protocol, the methods that it cannot do without, and its attributes, which are not called."""

    protocol: Any
    methods: tuple[str, ...] = _CALLED
    attributes: tuple[str, ...] = ()


_PORTS = {
    "store": _Port(Store, ("transaction", "looking"), ("origin",)),
    "mailer": _Port(Mailer, ("send",)),
    "tasks": _Port(TaskBoard, ("create", "cancel")),
    "people": _Port(People),
    "clock": _Port(Clock, ("now",)),
    "listener": _Port(_Listener),
    "templates": _Port(_Templates),
    "unsubscribe_url": _Port(_UnsubscribeURL),
    "cap": _Port(_Cap),
}


def must_fit(**given: Any) -> None:
    """Refuse, under the parameter's name, what cannot be that port; None is for what is not there."""
    for path, port in given.items():
        if port is not None:
            _must_fit(port, path, _PORTS[path])


def must_link(unsubscribe_url: Any) -> None:
    """Refuse what makes no link of its own for each mail: a text needs `{key}`, anything else is a port."""
    if not isinstance(unsubscribe_url, str):
        must_fit(unsubscribe_url=unsubscribe_url)
    elif "{key}" not in unsubscribe_url:
        message = f"needs {{key}} in it, which tells one mail from another, got {unsubscribe_url!r}"
        raise InvalidInput(message, path="unsubscribe_url", code="invalid_value")


def _must_fit(given: Any, path: str, port: _Port) -> None:
    if isinstance(given, type) and not all(_is_its_own(given, name) for name in port.methods):
        name = given.__name__
        raise _refusal(path, f"needs {_needed(path)}, got the class {name}: make one of it, {name}(...)")
    missing = [name for name in (*port.methods, *port.attributes) if not _has(given, name)]
    if missing and port.methods == _CALLED:
        raise _refusal(path, f"needs {_needed(path)}, got {given!r}")
    if missing:
        lacks = " and ".join(map(repr, missing))
        raise _refusal(path, f"needs {_needed(path)}; {given!r} does not have {lacks}")
    for name in port.methods:
        method: Any = given if name == "__call__" else getattr(given, name)
        if not callable(method):
            raise _refusal(path, f"needs {_needed(path)}; {name!r} of {given!r} cannot be called")
        if _is_async(method):
            raise _refusal(
                path,
                f"{_shown(path, name)} must not be async: the engine waits for its answer, on a thread on which it may "
                "take its time; use a plain `def`",
            )


def _refusal(path: str, message: str) -> InvalidInput:
    return InvalidInput(message, path=path, code="invalid_type")


def _needed(path: str) -> str:
    """What a port needs, in words."""
    port = _PORTS[path]
    if port.methods == _CALLED:
        return f"a callable {_shown(path, '__call__')}"
    return f"an object with {' and '.join([*(_shown(path, name) for name in port.methods), *port.attributes])}"


def _shown(path: str, name: str) -> str:
    """A method as its protocol has it, without the types: `send(email, *, key, timeout)`."""
    _, *parameters = inspect.signature(getattr(_PORTS[path].protocol, name)).parameters.values()
    plain = inspect.Signature([each.replace(annotation=each.empty) for each in parameters])
    return f"{path if name == '__call__' else name}{plain}"


def _has(given: Any, name: str) -> bool:
    if name == "__call__":
        return callable(given)
    # Of the class first: a property that has to ask a database is not asked here.
    return hasattr(type(given), name) or hasattr(given, name)


def _is_its_own(kind: type, name: str) -> bool:
    """Whether a class has this method itself, so that it can be a port without an object of it."""
    return isinstance(inspect.getattr_static(kind, name, None), (classmethod, staticmethod))


def _is_async(method: Any) -> bool:
    while isinstance(method, partial):
        method = method.func
    # An object's own may be async, too.
    called = getattr(type(method), "__call__", None)  # noqa: B004
    # By the flags themselves: of a mock that is made after a function, `inspect` says always that it is async.
    flags = [getattr(getattr(each, "__code__", None), "co_flags", 0) for each in (method, called)]
    return any(isinstance(each, int) and each & _ASYNC for each in flags)
