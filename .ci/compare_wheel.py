"""Compare a source folder of the package with a wheel: it holds every file of it, as it is, and no other code."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

source, wheel = Path(sys.argv[1]), Path(sys.argv[2])

wanted = {
    f"sequencer/{path.relative_to(source).as_posix()}": path.read_bytes()
    for path in source.rglob("*")
    if path.is_file()
}
with zipfile.ZipFile(wheel) as archive:
    held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}

if held.keys() != wanted.keys():
    sys.exit(f"{wheel.name} lacks {sorted(wanted.keys() - held)} and has {sorted(held.keys() - wanted)} too many")
if held != wanted:
    sys.exit(f"{wheel.name} has others than these: {sorted(name for name in wanted if held[name] != wanted[name])}")
print(f"{wheel.name} holds all {len(held)} files of the package, to the byte")
