"""The parameters of queries, each read strictly: what is not understood is refused, not passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from sequencer.http.envelope import Refusal, WireError
from sequencer.http.kinds import IDENTIFIER, LINE, MOST_ID, Unfit, line, one_of
from sequencer.http.limits import Limits
from sequencer.http.operations import Query
from sequencer.http.paging import FIRST, LAST_PAGE, Page

__all__ = [
    "IDS",
    "NAME",
    "PAGE",
    "PAGING",
    "PER_PAGE",
    "RESOURCE_IDS",
    "RESOURCE_TYPE",
    "SEQUENCE_ID",
    "STATE",
    "page_of",
    "read_queries",
]

_WHOLE = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_MOST_IDS = 100
_MOST_ERRORS = 20
_TYPE = line(64)
_STATE = one_of("active", "blocked", "finished")


def _number(most: int, text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise ValueError(f"needs a number from 1 to {most}")
    return int(text)


def _list(text: str) -> list[str]:
    parts = text.split(",")
    if not text or len(parts) > _MOST_IDS:
        raise ValueError(f"needs 1 to {_MOST_IDS} ids with commas between them")
    return parts


def _ids(text: str, limits: Limits) -> tuple[int, ...]:
    return tuple(_number(MOST_ID, part) for part in _list(text))


def _resource_ids(text: str, limits: Limits) -> tuple[int | str, ...]:
    return tuple(_fit(IDENTIFIER, part) for part in _list(text))


def _fit(kind: Any, text: str) -> Any:
    try:
        return kind.read(text)
    except Unfit as error:
        raise ValueError(error.message) from None


PAGE = Query(
    "page",
    lambda text, limits: _number(LAST_PAGE, text),
    lambda limits: {"type": "integer", "minimum": 1, "maximum": LAST_PAGE, "default": FIRST.number},
    "Which page, counted from 1.",
    1,
)
PER_PAGE = Query(
    "per_page",
    lambda text, limits: _number(limits.per_page, text),
    lambda limits: {
        "type": "integer",
        "minimum": 1,
        "maximum": limits.per_page,
        "default": min(FIRST.size, limits.per_page),
    },
    "How many items a page has at most.",
    25,
)
PAGING = (PAGE, PER_PAGE)
IDS = Query(
    "ids",
    _ids,
    lambda limits: {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": MOST_ID},
        "minItems": 1,
        "maxItems": _MOST_IDS,
    },
    "Only those with these ids, with commas between them; ids of nothing are passed over.",
    [1, 2],
    listed=True,
)
RESOURCE_TYPE = Query(
    "resource_type",
    lambda text, limits: _fit(_TYPE, text),
    lambda limits: _TYPE.schema,
    "Only those of resources of this type, such as `lead` or `contact`.",
    "lead",
)
# In a query all is text, also an id that is a number. No commas, which would be between two of them.
_RESOURCE_ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": str(IDENTIFIER.schema["anyOf"][1]["pattern"]).replace(r"\x7f", r"\x7f,"),
}
RESOURCE_IDS = Query(
    "resource_ids",
    _resource_ids,
    lambda limits: {
        "type": "array",
        "items": _RESOURCE_ID,
        "minItems": 1,
        "maxItems": _MOST_IDS,
    },
    "Only those of resources with these ids, with commas between them; of leads and contacts where no `resource_type` "
    "says of which. An id with a comma in it cannot be asked for.",
    ["42", "43"],
    listed=True,
)
STATE = Query(
    "state",
    lambda text, limits: _fit(_STATE, text),
    lambda limits: _STATE.schema,
    "Only those in this state (ours).",
    "blocked",
)
SEQUENCE_ID = Query(
    "sequence_id",
    lambda text, limits: _number(MOST_ID, text),
    lambda limits: {"type": "integer", "minimum": 1, "maximum": MOST_ID},
    "Only those in this sequence, also where it was deleted (ours).",
    1,
)
NAME = Query(
    "name",
    lambda text, limits: _fit(LINE, text),
    lambda limits: LINE.schema,
    "Only those with exactly this name.",
    "Inbound follow-up",
)


def read_queries(request: Request, queries: tuple[Query, ...], limits: Limits) -> dict[str, Any]:
    """What the query of a request says, by name. Raises `Refusal` with everything that is wrong with it."""
    given = request.scope.get("query_string", b"")
    if not given:
        return {}
    try:
        unquote_to_bytes(given).decode("utf-8")  # what is none would be read as other characters
        pairs = request.query_params.multi_items()
    except ValueError:
        raise Refusal.of(400, "invalid_param", "the query is not one that can be read") from None
    known = {query.name: query for query in queries}
    found: dict[str, Any] = {}
    errors: list[WireError] = []
    for name, text in pairs:
        query = known.get(name)
        message = None
        if query is None:
            named = f"known are {', '.join(known)}" if known else "there are none here"
            message = f"the parameter {name[:64]!r} is not known here; {named}"
        elif name in found:
            message = f"{name} is given more than once"
        else:
            try:
                found[name] = query.read(text, limits)
            except ValueError as error:
                message = f"{name}: {error}"
        if message is not None:
            errors.append(WireError("invalid_param", message))
            if len(errors) == _MOST_ERRORS:
                break  # whoever sends thousands is not answered with thousands
    if errors:
        raise Refusal(400, errors)
    return found


def page_of(query: Mapping[str, Any], limits: Limits) -> Page:
    """The page that a query asks for."""
    return Page(query.get("page", FIRST.number), query.get("per_page", min(FIRST.size, limits.per_page)))
