"""The definition: a `Sequence` of `Step`s with a `Calendar` and a `Policy`. It is valid, or it is not built.

Everything here is frozen, compares by value, and has a repr that is valid Python. Of a sequence, the steps, the
calendar's rules, the policy, the name and the metadata make its *content*: changed content under the same key is a new
version (laws L1, L9). Templates and expectations are not part of it: texts are looked up when a mail leaves, and
expectations do not run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.errors import DefinitionError, InvalidInput, Problem
from sequencer.core.expectations import to_assumptions, to_expectations

__all__ = [
    "Action",
    "AutomatedEmail",
    "Policy",
    "Reaction",
    "Retry",
    "Sequence",
    "SequenceVersion",
    "Step",
    "Task",
    "Template",
    "Unsubscribe",
]

Identifier = int | str
_Kind = TypeVar("_Kind")
MOST_STEPS = 200
_LONGEST_IDENTIFIER = 64
_MOST_TASK_TEXT = 10_000
_MOST_DEPTH = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL_BUT_NEWLINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


# -- validators, shared by every public value -----------------------------------------------------------------


def to_identifier(value: Any, path: str) -> Identifier:
    """A host's own id: an integer of 64 bits, or text of 1 to 64 characters; kept as given (S7)."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidInput(f"needs a whole number or text, got {value!r}", path=path, code="invalid_type")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput("needs a number of at most 64 bits", path=path, code="out_of_range")
        return int(value)
    if not 1 <= len(value) <= _LONGEST_IDENTIFIER:
        raise InvalidInput(
            f"needs 1 to {_LONGEST_IDENTIFIER} characters, got {len(value)}", path=path, code="invalid_length"
        )
    return to_line(value, path)


def to_line(value: Any, path: str, *, longest: int = 255) -> str:
    """One line of text, without control characters."""
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, got {value!r}", path=path, code="invalid_type")
    if not value.strip():
        raise InvalidInput("must not be blank", path=path, code="blank")
    if len(value) > longest:
        raise InvalidInput(f"has {len(value)} characters, at most {longest}", path=path, code="invalid_length")
    if _CONTROL.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    return value


def to_text(value: Any, path: str, *, longest: int) -> str:
    """Text of several lines, without NUL, other control characters and lone surrogates."""
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, got {value!r}", path=path, code="invalid_type")
    if len(value) > longest:
        raise InvalidInput(f"has {len(value)} characters, at most {longest}", path=path, code="invalid_length")
    if _CONTROL_BUT_NEWLINES.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    return value


def to_whole(value: Any, path: str, *, least: int, most: int) -> int:
    """A whole number in a range; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"needs a whole number, got {value!r}", path=path, code="invalid_type")
    if not least <= value <= most:
        raise InvalidInput(f"must be from {least} to {most}, got {value}", path=path, code="out_of_range")
    return value


def _to_bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"needs true or false, got {value!r}", path=path, code="invalid_type")
    return value


def to_metadata(value: Any, path: str = "metadata") -> Mapping[str, Any]:
    """The host's own mapping: plain JSON values under text keys, at most 16 KiB; handed to the ports as it is."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path=path, code="invalid_type")
    try:
        text = json.dumps(_thawed(value), allow_nan=False, sort_keys=True)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        raise _not_plain(value, path) from None
    if len(text) > 16_384:
        raise InvalidInput("is longer than 16 KiB", path=path, code="invalid_length")
    found = json.loads(text)
    _refuse_odd_values(found, path, 1)
    frozen: Mapping[str, Any] = _frozen(found)
    return frozen


def _not_plain(value: Mapping[Any, Any], path: str) -> InvalidInput:
    """The refusal of a mapping that has something other than plain JSON values in it, naming the first of them."""
    for key, each in value.items():
        try:
            json.dumps(_thawed({key: each}), allow_nan=False).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            at = f"{path}.{key}" if isinstance(key, str) and key.isascii() else path
            break
    else:
        at, each = path, value
    return InvalidInput(
        f"needs text keys and plain JSON values (text, finite numbers, true and false, null, lists and mappings of "
        f"them), got {each!a:.80}; write a date as text",
        path=at,
        code="invalid_type",
    )


def _refuse_odd_values(value: Any, path: str, depth: int) -> None:
    # What is kept must come back, also from a store that shortens text at NUL, and from files as strict as they are.
    if depth > _MOST_DEPTH:
        raise InvalidInput(f"is nested more than {_MOST_DEPTH} levels deep", path=path, code="too_deep")
    if isinstance(value, str) and _CONTROL_BUT_NEWLINES.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInput("has a number of more than 64 bits in it", path=path, code="out_of_range")
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_odd_values(key, path, depth)
            _refuse_odd_values(each, path, depth + 1)
    if isinstance(value, list):
        for each in value:
            _refuse_odd_values(each, path, depth + 1)


class _Frozen(dict):  # type: ignore[type-arg]
    """A mapping that cannot be changed, hashable by its canonical text, printed as a plain dict."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this mapping is frozen")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(_thawed(self), sort_keys=True, default=str))

    def __reduce__(self) -> Any:
        return _Frozen, (dict(self),)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Frozen({key: _frozen(each) for key, each in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(each) for each in value)
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, got {key!r}")
        return {key: _thawed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_thawed(each) for each in value]
    return value


_EMPTY: Mapping[str, Any] = _Frozen()


# -- actions and steps ----------------------------------------------------------------------------------------


def _automated_email_is_reply(value: Any) -> bool:
    return _to_bool(value, "is_reply")


def _automated_email_template_id(value: Any) -> Identifier:
    return to_identifier(value, "email_template_id")


@attrs.frozen
class AutomatedEmail:
    """A mail that leaves by itself. `template_id` is the host's own; `is_reply` keeps it in the thread before it."""

    template_id: Identifier = attrs.field(converter=_automated_email_template_id)
    is_reply: bool = attrs.field(default=False, converter=_automated_email_is_reply, kw_only=True)
    action_type = "automated_email"


def _to_optional_delay(value: Any, path: str) -> Delay | None:
    if value is not None and not isinstance(value, (Hours, Weekdays)):
        raise InvalidInput(f"needs Hours or Weekdays, got {value!r}", path=path, code="invalid_type")
    return value


def _task_skip_after(value: Any) -> Delay | None:
    return _to_optional_delay(value, "skip_after")


def _task_due_after(value: Any) -> Delay:
    return _to_optional_delay(value, "due_after") or Weekdays(1)


def _task_task_content(value: Any) -> str:
    return to_text(to_content(value), "task_content", longest=_MOST_TASK_TEXT)


@attrs.frozen
class Task:
    """Something that a person does. It holds the enrollment until it is completed or skipped (law L4).

    `due_after` is how long after its estimate it counts as overdue (T9); `skip_after`, where there is one, is how
    long after its estimate the engine skips it by itself.
    """

    task_content: str = attrs.field(converter=_task_task_content)
    due_after: Delay = attrs.field(default=Weekdays(1), converter=_task_due_after, kw_only=True)
    skip_after: Delay | None = attrs.field(default=None, converter=_task_skip_after, kw_only=True)
    action_type = "task"


def to_content(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise InvalidInput("must not be blank", path="task_content", code="blank")
    return value


Action = AutomatedEmail | Task


def _to_action(value: Any) -> Action:
    if not isinstance(value, (AutomatedEmail, Task)):
        raise InvalidInput(f"needs AutomatedEmail or Task, got {value!r}", path="action", code="invalid_type")
    return value


def _to_delay(value: Any) -> Delay:
    if not isinstance(value, (Hours, Weekdays)):
        raise InvalidInput(
            f"needs Hours or Weekdays, got {value!r}", path="delay_from_previous_step", code="invalid_type"
        )
    return value


def _step_key(value: Any) -> str | None:
    return None if value is None else to_line(value, "key", longest=64)


@attrs.frozen
class Step:
    """One position of a sequence: an action, so long after the step before it is over (T6).

    `key` is optional: what a migration to another version matches on. `metadata` is handed to the port.
    """

    action: Action = attrs.field(converter=_to_action)
    after: Delay = attrs.field(default=Hours(0), converter=_to_delay)
    key: str | None = attrs.field(default=None, converter=_step_key, kw_only=True)
    metadata: Mapping[str, Any] = attrs.field(default=_EMPTY, converter=to_metadata, kw_only=True)

    @property
    def is_email(self) -> bool:
        """Whether its action is a mail."""
        return type(self.action) is AutomatedEmail


def _template_body(value: Any) -> str:
    return to_text(value, "body", longest=200_000)


def _template_subject(value: Any) -> str:
    return to_line(value, "subject", longest=998)


@attrs.frozen
class Template:
    """The text behind a template id, with merge fields like `{{ first_name }}`."""

    subject: str = attrs.field(converter=_template_subject)
    body: str = attrs.field(converter=_template_body)


# -- policy ---------------------------------------------------------------------------------------------------

REPORT_KINDS = (
    "replied",
    "meeting_booked",
    "unsubscribed",
    "converted",
    "resource_deleted",
    "bounced",
    "out_of_office",
    "opened",
    "clicked",
    "soft_bounced",
)


def _reaction_duration(value: Any) -> Delay | None:
    return _to_optional_delay(value, "duration")


@attrs.frozen
class Reaction:
    """What a report does to an enrollment: "finish", "block" or "note" it. A block may have a duration (L8)."""

    does: str = attrs.field()
    duration: Delay | None = attrs.field(default=None, converter=_reaction_duration, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.does not in ("finish", "block", "note"):
            raise InvalidInput(f"must be finish, block or note, got {self.does!r}", path="on", code="invalid_value")
        if self.duration is not None and self.does != "block":
            raise InvalidInput("only a block has a duration", path="on", code="invalid_value")


_FINISH, _BLOCK, _NOTE = Reaction("finish"), Reaction("block"), Reaction("note")
DEFAULT_REACTIONS: Mapping[str, Reaction] = MappingProxyType(
    {
        "replied": _FINISH,
        "meeting_booked": _FINISH,
        "unsubscribed": _FINISH,
        "converted": _FINISH,
        "resource_deleted": _FINISH,
        "bounced": _BLOCK,
        "out_of_office": Reaction("block", duration=Weekdays(5)),
        "opened": _NOTE,
        "clicked": _NOTE,
        "soft_bounced": _NOTE,
    }
)


def _to_reactions(value: Any) -> Mapping[str, Reaction]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path="on", code="invalid_type")
    for kind, reaction in value.items():
        if kind not in REPORT_KINDS:
            raise InvalidInput(
                f"{kind!r} cannot be reported; known are {', '.join(REPORT_KINDS)}", path="on", code="unknown_key"
            )
        if isinstance(reaction, str):
            continue
        if not isinstance(reaction, Reaction):
            raise InvalidInput(f"needs a Reaction, got {reaction!r}", path=f"on.{kind}", code="invalid_type")
    given = {kind: Reaction(each) if isinstance(each, str) else each for kind, each in value.items()}
    return _Frozen({kind: given.get(kind, DEFAULT_REACTIONS[kind]) for kind in REPORT_KINDS})


def _to_number(value: Any, path: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidInput(f"needs a number from {least} to {most}, got {value!r}", path=path, code="out_of_range")
    return value


def _retry_factor(value: Any) -> float:
    return _to_number(value, "factor", 1, 100)


def _retry_first(value: Any) -> float:
    return _to_number(value, "first", 1, 604_800)


def _retry_attempts(value: Any) -> int:
    return to_whole(value, "attempts", least=1, most=100)


@attrs.frozen
class Retry:
    """How a temporary failure is retried (law E4): `attempts` in all, the first pause in seconds, and its growth.

    A factor of 1 keeps the pauses even; the jitter on top (up to a quarter) is a hash of the effect's key.
    """

    attempts: int = attrs.field(default=5, converter=_retry_attempts)
    first: float = attrs.field(default=60, converter=_retry_first)
    factor: float = attrs.field(default=4, converter=_retry_factor)


def _unsubscribe_locale(value: Any) -> str:
    return to_line(value, "locale", longest=35)


def _unsubscribe_enabled(value: Any) -> bool:
    return _to_bool(value, "enabled")


@attrs.frozen
class Unsubscribe:
    """Whether the mails of a sequence carry a way to opt out, and in which language."""

    enabled: bool = attrs.field(default=False, converter=_unsubscribe_enabled)
    locale: str = attrs.field(default="en-US", converter=_unsubscribe_locale)


def _an(kind: type[_Kind], value: Any, path: str) -> _Kind:
    if not isinstance(value, kind):
        raise InvalidInput(f"needs {kind.__name__}, got {value!r}", path=path, code="invalid_type")
    return value


def _to_retry(value: Any) -> Retry:
    return _an(Retry, value, "retry")


def _to_unsubscribe(value: Any) -> Unsubscribe:
    return _an(Unsubscribe, value, "unsubscribe")


def _policy_reenroll_after(value: Any) -> int:
    return to_whole(value, "reenroll_after", least=0, most=3650)


@attrs.frozen(kw_only=True)
class Policy:
    """What reports do, who may be enrolled again when, and how failures are retried (laws L8, L9, E4).

    `on` maps a kind of report to a `Reaction` (or its name); what is left out keeps its default. `exclusive` is
    "sequence" (one ongoing enrollment of a resource in this sequence) or "all" (in any). `reenroll_after` is in days.
    """

    on: Mapping[str, Reaction] = attrs.field(default=DEFAULT_REACTIONS, converter=_to_reactions)
    exclusive: str = attrs.field(default="sequence")
    reenroll_after: int = attrs.field(default=0, converter=_policy_reenroll_after)
    retry: Retry = attrs.field(default=Retry(), converter=_to_retry)
    unsubscribe: Unsubscribe = attrs.field(default=Unsubscribe(), converter=_to_unsubscribe)

    def __attrs_post_init__(self) -> None:
        if self.exclusive not in ("sequence", "all"):
            raise InvalidInput(
                f"must be sequence or all, got {self.exclusive!r}", path="exclusive", code="invalid_value"
            )


# -- the sequence ---------------------------------------------------------------------------------------------


def _to_templates(value: Any) -> Mapping[Identifier, Template]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path="templates", code="invalid_type")
    return _Frozen(
        {
            to_identifier(key, "templates"): _an(Template, template, f"templates.{key}")
            for key, template in value.items()
        }
    )


@attrs.frozen(slots=False)
class Sequence:
    """A list of steps with the calendar and the policy that they run under. Valid, or not built.

    `key` is its identity within an account and defaults to its name; `calendar` defaults to Monday to Friday in UTC.
    Raises `DefinitionError` with every problem at once.
    """

    name: str
    steps: tuple[Step, ...]
    calendar: Calendar = attrs.field(default=None, kw_only=True)
    key: str = attrs.field(default=None, kw_only=True)
    policy: Policy = attrs.field(default=Policy(), kw_only=True)
    metadata: Mapping[str, Any] = attrs.field(default=_EMPTY, kw_only=True)
    templates: Mapping[Identifier, Template] = attrs.field(default=_EMPTY, kw_only=True)
    assume: Mapping[str, Any] = attrs.field(default=_EMPTY, kw_only=True)
    expect: tuple[Mapping[str, Any], ...] = attrs.field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []

        def settle(name: str, convert: Any) -> None:
            try:
                self.__dict__[name] = convert(getattr(self, name))
            except InvalidInput as error:
                path = error.path if error.path.startswith(name) else name
                problems.append(Problem(error.code, error.message, path))
            except DefinitionError as error:
                problems.extend(error.problems)

        settle("name", lambda value: to_line(value, "name"))
        settle("key", lambda value: self.name if value is None else to_line(value, "key"))
        settle("calendar", lambda value: Calendar("UTC") if value is None else _an(Calendar, value, "calendar"))
        settle("policy", lambda value: _an(Policy, value, "policy"))
        settle("metadata", to_metadata)
        settle("templates", _to_templates)
        settle("assume", lambda value: to_metadata(to_assumptions(value), "assume"))
        settle("expect", lambda value: tuple(to_metadata(each, "expect") for each in to_expectations(value)))
        self._settle_steps(problems)
        if problems:
            raise DefinitionError(problems)

    def _settle_steps(self, problems: list[Problem]) -> None:
        if isinstance(self.steps, (str, Mapping)) or not isinstance(self.steps, Iterable):
            problems.append(Problem("invalid_type", f"needs a list of Step, got {self.steps!r}", "steps"))
            return
        steps: tuple[Any, ...] = tuple(self.steps)
        self.__dict__["steps"] = steps
        if not 1 <= len(steps) <= MOST_STEPS:
            problems.append(
                Problem(
                    "too_few_steps" if not steps else "too_many_steps",
                    f"needs 1 to {MOST_STEPS} steps, got {len(steps)}",
                    "steps",
                )
            )
        seen: dict[str, int] = {}
        for i, step in enumerate(steps):
            if not isinstance(step, Step):
                problems.append(Problem("invalid_type", f"needs a Step, got {step!r}", f"steps[{i}]"))
            elif step.key is not None and seen.setdefault(step.key, i) != i:
                problems.append(
                    Problem(
                        "duplicate_key", f"{step.key!r} is the key of step {seen[step.key]}, too", f"steps[{i}].key"
                    )
                )

    def __repr__(self) -> str:
        parts = [repr(self.name), repr(list(self.steps)), f"calendar={self.calendar!r}"]
        if self.key != self.name:
            parts.append(f"key={self.key!r}")
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name in ("policy", "metadata", "templates", "assume", "expect")
            if getattr(self, name) != getattr(_PLAIN, name)
        ]
        return f"Sequence({', '.join(parts)})"


_PLAIN = Sequence("plain", [Step(Task("plain"))])  # type: ignore[arg-type]


@attrs.frozen(slots=False)
class SequenceVersion:
    """One immutable content of a sequence, stored once, which enrollments refer to (law L1).

    `id` is the store's id of this version, `sequence_id` that of the sequence, `version` counts from 1 within it.
    """

    id: int
    key: str
    version: int
    sequence: Sequence = attrs.field(repr=False)
    sequence_id: int = 0

    def calendar_in(self, timezone: str) -> Calendar:
        """The calendar's rules on the clock of a zone; the same object for the same zone."""
        calendars: dict[str, Calendar] = self.__dict__.setdefault("_calendars", {})
        found = calendars.get(timezone)
        if found is None:
            found = calendars.setdefault(timezone, self.sequence.calendar.in_zone(timezone))
        return found
