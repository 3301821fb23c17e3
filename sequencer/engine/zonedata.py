"""Which version of the IANA zone data is in use: stored with each enrollment, and compared by `doctor` (law T2).

Python's zoneinfo takes the system's files first and the `tzdata` package after them, so that is how the version is
found, too. The two can differ by years.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from pathlib import Path

__all__ = ["packaged_version", "version_in_use"]


@functools.cache
def version_in_use() -> str:
    """The version of the zone data that zoneinfo reads, like `2026b`; `unknown` where the files do not say."""
    for folder in zoneinfo.TZPATH:
        if not Path(folder, "UTC").exists():
            continue
        # Debian and the IANA's own Makefile name it on the first line of tzdata.zi; macOS keeps a file +VERSION.
        for name, pattern in (("tzdata.zi", r"# version (\S+)"), ("+VERSION", r"(\S+)")):
            try:
                with Path(folder, name).open(encoding="ascii", errors="replace") as file:
                    found = re.match(pattern, file.readline())
            except OSError:
                continue
            if found:
                return found.group(1)
        return "unknown"
    return packaged_version()


@functools.cache
def packaged_version() -> str:
    """The version of the `tzdata` package."""
    try:
        import tzdata
    except ImportError:
        return "unknown"
    return str(tzdata.IANA_VERSION)
