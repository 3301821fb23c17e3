"""Designs that are right, and mutants of them that are not, as data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import yaml

from sequencer import Sequence, load

__all__ = ["DESIGNS", "MUTANTS", "TIGHTNESS", "Mutant", "design"]

HERE = Path(__file__).parent
DESIGNS = tuple(sorted(path.stem for path in (HERE / "designs").glob("*.yaml")))


def path_of(name: str) -> Path:
    """The file of a right design."""
    return HERE / "designs" / f"{name}.yaml"


def design(name: str) -> Sequence:
    """A right design."""
    return load(path_of(name))


@attrs.frozen(eq=False)
class Mutant:
    """A right design with a small edit, the expectation that it breaks, and why."""

    base: str
    kind: str
    edit: dict[str, Any]
    breaks: dict[str, Any]
    why: str

    def __str__(self) -> str:
        edit = ",".join(f"{path}={json.dumps(value, default=str)}" for path, value in self.edit.items())
        return f"{self.kind}:{self.base}:{edit}".replace(" ", "")

    def write(self, folder: Path) -> Path:
        """Write the edited definition to a file."""
        document = yaml.safe_load(path_of(self.base).read_text("utf-8"))
        if True in document.get("policy", ()):
            # What YAML 1.1 takes `on` for.
            document["policy"]["on"] = document["policy"].pop(True)
        for path, value in self.edit.items():
            if path in _EDITS:
                _EDITS[path](document, value)
            else:
                _put(document, path, value)
        file = folder / "mutant.json"
        file.write_text(json.dumps(document, default=str), "utf-8")
        return file


def _put(document: Any, path: str, value: Any) -> None:
    """Set what is at a path like `steps.1.delay_from_previous_step`; None takes it away."""
    *parents, last = path.split(".")
    for parent in parents:
        document = document[int(parent)] if isinstance(document, list) else document.setdefault(parent, {})
    key = int(last) if isinstance(document, list) else last
    if value is None:
        del document[key]
    else:
        document[key] = value


def _swap(document: Any, positions: list[int]) -> None:
    one, other = positions
    steps = document["steps"]
    steps[one], steps[other] = steps[other], steps[one]


def _drop(document: Any, position: int) -> None:
    del document["steps"][position]


def _again(document: Any, position: int) -> None:
    document["steps"].insert(position, document["steps"][position])


_EDITS: dict[str, Callable[[Any, Any], None]] = {"swap": _swap, "drop": _drop, "again": _again}


def _rows(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text("utf-8"))


MUTANTS = tuple(Mutant(**row) for row in _rows("mutants.yaml"))
# For each kind of expectation one that is tight, and one that is loose.
TIGHTNESS: dict[str, dict[str, dict[str, Any]]] = _rows("tightness.yaml")
