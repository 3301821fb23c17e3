"""`python -m tests.faults [FAULT ...] [--store STORE] [--size SIZE] [--json | --markdown | --page]`.

Ends with 1 when a gate is missed. Prints how often each fault was made to happen, and how often something went wrong:
injected N, lost M, doubled K.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import traceback
from pathlib import Path

from tests.faults.registry import FAULTS, SIZES, STAGES, Fault, rows
from tests.faults.stages import Size
from tests.faults.tables import with_counts, written
from tests.faults.tally import Tally

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "faults.md"
SHORT = ("injected", "lost", "doubled", "allowed", "early", "order", "stuck", "corrupt")


def main() -> int:
    """Inject and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("fault", nargs="*", help=f"which: {', '.join(FAULTS)}; default: all")
    parser.add_argument("--store", choices=STAGES, action="append", help="on which store; default: each")
    parser.add_argument("--size", choices=SIZES, default="ordinary", help="how much; ordinary takes some minutes")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON document")
    shape.add_argument("--markdown", action="store_true", help="the table of docs/faults.md")
    shape.add_argument("--page", action="store_true", help="put the counts into docs/faults.md, if no gate is missed")
    given = parser.parse_args()
    unknown = [name for name in given.fault if name not in FAULTS]
    if unknown:
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    # What goes wrong is counted; that the engine says so, too, is as it should be.
    logging.getLogger("sequencer").setLevel(logging.CRITICAL)
    plain = not (given.json or given.markdown)
    size, done, missed = SIZES[given.size], [], 0
    if plain:
        print(f"{'fault':<10} {'store':<9}", *(f"{each:>9}" for each in SHORT))
    for fault, on in rows(given.fault or list(FAULTS), given.store or list(STAGES)):
        began = time.perf_counter()
        tally = _run(fault, on, size)
        row = fault.row(on, tally)
        done.append(row)
        if plain:
            counts = [f"{count:>9}" for count in tally.counts().values()]
            print(f"{fault.name:<10} {on:<9}", *counts, f"   {time.perf_counter() - began:.0f} s", flush=True)
        wrong = fault.missed(on, tally, size)
        if wrong:
            missed += 1
            print(f"{fault.name} on {on} misses its gate: {', '.join(wrong)}", file=sys.stderr)
            for note in tally.notes[:20]:
                print(f"    {note}", file=sys.stderr)
    if given.json:
        print(json.dumps(done, indent=2))
    elif given.markdown:
        print(written(done))
    elif given.page and not missed:
        PAGE.write_text(with_counts(PAGE.read_text(encoding="utf-8"), done), encoding="utf-8")
    return 1 if missed else 0


def _run(fault: Fault, on: str, size: Size) -> Tally:
    """The counts; a harness or an engine that raised has missed the gate, and holds up no other fault."""
    try:
        return fault.run(on, size)
    except Exception as error:  # noqa: BLE001 - as above
        traceback.print_exc()
        return Tally(notes=[f"it raised {error!r}"])


if __name__ == "__main__":
    sys.exit(main())
