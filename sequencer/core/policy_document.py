"""The policy of a sequence as a document and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sequencer.core.durations import delay_document, read_amount, read_delay
from sequencer.core.policy import REPORT_KINDS, Policy, Reaction, Retry, Unsubscribe
from sequencer.core.problems import MISSING, Problems, child, shown
from sequencer.core.values import to_whole

__all__ = ["policy_document", "read_policy"]

_POLICY_KEYS = ("on", "exclusive", "reenroll_after", "retry", "unsubscribe")
_PAUSE_UNITS = {"minutes": 60, "seconds": 1, "hours": 3600}


def read_policy(problems: Problems, value: object, path: str) -> Policy:
    """The policy that a document describes; `MISSING` if it is not valid."""
    given = problems.mapping(value, path, _POLICY_KEYS)
    policy: Policy = MISSING
    if given is MISSING:
        return policy
    valid: dict[str, Any] = {}
    if "on" in given:
        valid["on"] = _read_reactions(problems, given["on"], child(path, "on"))
    if "exclusive" in given:
        valid["exclusive"] = problems.among(given["exclusive"], child(path, "exclusive"), ("sequence", "all"))
    if "reenroll_after" in given:
        unit, n = read_amount(problems, given["reenroll_after"], child(path, "reenroll_after"), ("days",))
        if unit is not MISSING:
            place = child(child(path, "reenroll_after"), "days")
            valid["reenroll_after"] = problems.attempt(place, to_whole, n, "days", least=0, most=3650)
    if "retry" in given:
        valid["retry"] = _read_retry(problems, given["retry"], child(path, "retry"))
    if "unsubscribe" in given:
        place = child(path, "unsubscribe")
        offered = problems.mapping(given["unsubscribe"], place, ("enabled", "locale"))
        valid["unsubscribe"] = _build(problems, Unsubscribe, offered, place)
    if any(each is MISSING for each in valid.values()):
        return policy
    return problems.attempt(path, lambda: Policy(**valid))


def _build(problems: Problems, kind: Callable[..., Any], given: Any, path: str) -> Any:
    """The value of that kind with the given fields, each tried by itself first; `MISSING` if one will not do."""
    if given is MISSING:
        return MISSING
    tried = [problems.attempt(child(path, key), lambda k=key, e=each: kind(**{k: e})) for key, each in given.items()]
    return MISSING if any(each is MISSING for each in tried) else kind(**given)


def _read_reactions(problems: Problems, value: object, path: str) -> dict[str, Reaction]:
    given = problems.mapping(value, path, REPORT_KINDS)
    reactions: dict[str, Reaction] = {}
    for kind, each in {} if given is MISSING else given.items():
        place = child(path, kind)
        if isinstance(each, str):
            does = problems.among(each, place, ("finish", "block", "note"))
            reaction = does if does is MISSING else Reaction(does)
        elif isinstance(each, Mapping) and "block" in each:
            problems.mapping(each, place, ("block",))
            duration = read_delay(problems, each["block"], child(place, "block"))
            reaction = duration if duration is MISSING else Reaction("block", duration=duration)
        else:
            message = f"needs finish, block, note or {{block: {{weekdays: 5}}}}, got {shown(each)}"
            problems.add("invalid_type", message, place)
            continue
        if reaction is not MISSING:
            reactions[kind] = reaction
    return reactions


def _read_retry(problems: Problems, value: object, path: str) -> Retry:
    given = problems.mapping(value, path, ("attempts", "first", "factor"))
    if given is not MISSING and "first" in given:
        place = child(path, "first")
        unit, n = read_amount(problems, given["first"], place, tuple(_PAUSE_UNITS))
        seconds = n
        if unit is not MISSING and (isinstance(n, bool) or not isinstance(n, (int, float))):
            problems.add("invalid_type", f"needs a number, got {shown(n)}", child(place, unit))
        elif unit is not MISSING:
            seconds = n * _PAUSE_UNITS[unit]
            if not 1 <= seconds <= 604_800:
                message = f"must be from one second to a week (604800 seconds), got {shown(seconds)} seconds"
                problems.add("out_of_range", message, child(place, unit))
                seconds = MISSING
        if unit is MISSING or isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            _build(problems, Retry, {key: each for key, each in given.items() if key != "first"}, path)
            missing: Retry = MISSING
            return missing
        given["first"] = seconds
    retry: Retry = _build(problems, Retry, given, path)
    return retry


def policy_document(policy: Policy) -> dict[str, Any]:
    """A policy as a document, with everything in it that it says, also by default."""
    return {
        "on": {kind: _reaction_document(policy.on[kind]) for kind in REPORT_KINDS},
        "exclusive": policy.exclusive,
        "reenroll_after": {"days": policy.reenroll_after},
        "retry": {
            "attempts": policy.retry.attempts,
            "first": _pause_document(policy.retry.first),
            "factor": policy.retry.factor,
        },
        "unsubscribe": {"enabled": policy.unsubscribe.enabled, "locale": policy.unsubscribe.locale},
    }


def _reaction_document(reaction: Reaction) -> Any:
    return reaction.does if reaction.duration is None else {"block": delay_document(reaction.duration)}


def _pause_document(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds} if seconds % 60 else {"minutes": int(seconds // 60)}
