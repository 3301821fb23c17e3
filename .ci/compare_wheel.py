"""Compare a source folder of the package with a wheel: the wheel holds every file of it, and no other code."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

source, wheel = Path(sys.argv[1]), Path(sys.argv[2])

wanted = {f"sequencer/{path.relative_to(source).as_posix()}" for path in source.rglob("*") if path.is_file()}
held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

if held != wanted:
    sys.exit(f"{wheel.name} lacks {sorted(wanted - held)} and has {sorted(held - wanted)} too many")
print(f"{wheel.name} holds all {len(held)} files of the package")
