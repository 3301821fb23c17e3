"""The holidays of a country, from the package `holidays` (the extra `calendars`).

They are looked up when a definition is read, and the sequence has their dates from then on: what is enrolled does not
change when the package does. Since nothing here knows what year it is, the years are always the same: 2020 to 2050.
"""

from __future__ import annotations

import functools
import re
from datetime import date

from sequencer.core.errors import InvalidInput

__all__ = ["FIRST_YEAR", "LAST_YEAR", "holidays_of"]

FIRST_YEAR = 2020
LAST_YEAR = 2050

_CODE = re.compile(r"([A-Z]{2})(?:-([A-Za-z0-9]{1,12}))?")


@functools.lru_cache(maxsize=64)
def holidays_of(country: str) -> tuple[date, ...]:
    """The public holidays of a country (`PL`) or of a part of it (`US-CA`), from 2020 to 2050, in order.

    Raises `InvalidInput` for what is no such code, and if the package is not installed.
    """
    try:
        import holidays
    except ImportError:
        remedy = "a country's holidays need the extra calendars: pip install 'sequencer[calendars]', or list the dates"
        raise InvalidInput(remedy, path="country", code="missing_extra") from None
    parts = _CODE.fullmatch(country)
    supported = holidays.list_supported_countries(include_aliases=False)
    if parts is None or parts.group(1) not in supported:
        message = f"there is no country {country!r}; use its code of two capital letters, like PL, or list the dates"
        raise InvalidInput(message, path="country", code="unknown_country")
    subdivision = parts.group(2)
    known = supported[parts.group(1)]
    if subdivision is not None and subdivision not in known:
        remedy = f"known are {', '.join(known)}" if known else "none is known"
        message = f"there is no part {subdivision} of {parts.group(1)}; {remedy}"
        raise InvalidInput(message, path="country", code="unknown_country")
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    return tuple(sorted(holidays.country_holidays(parts.group(1), subdiv=subdivision, years=years)))
