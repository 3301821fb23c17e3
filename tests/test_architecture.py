"""Who may import whom, who may ask what time it is, and other rules of the house that nobody should have to remember.

The layers are declared in `pyproject.toml` and checked by import-linter. What it cannot say is checked here, on the
syntax trees of the package as it is installed.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement

import sequencer

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(next(iter(sequencer.__path__)))

# What the core may import of the standard library: what computes, and nothing that reaches outside.
PURE = {
    "__future__", "abc", "bisect", "calendar", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "math",
    "operator", "re", "reprlib", "statistics", "string", "textwrap", "types", "typing", "unicodedata", "zlib",
    "zoneinfo",
}  # fmt: skip
CORE_DEPENDENCIES = {"attrs", "pendulum", "transitions"}

# The only module that may ask what time it is.
SYSTEM_CLOCK = "sequencer.engine.clock"

AMBIENT = re.compile(
    r"""
      datetime\.(datetime|date)\.(now|utcnow|today)
    | pendulum(\.\w+)*\.(now|today|tomorrow|yesterday|utcnow)
    | time\.(time|time_ns|clock_gettime|clock_gettime_ns|localtime|gmtime|ctime|asctime|strftime)
    | email\.utils\.(localtime|formatdate)
    """,
    re.VERBOSE,
)
WAITING = re.compile(r"time\.(sleep|monotonic|monotonic_ns|perf_counter|perf_counter_ns|process_time)|asyncio\.sleep")

# Who may wait, or measure how long something takes, with a clock that is not the engine's; and why.
MAY_WAIT: dict[str, str] = {
    "sequencer.adapters.procrastinate": "a job ends after so many real seconds, before the next ones begin",
    "sequencer.engine.calls": "a port has so many real seconds to come back",
    "sequencer.engine.delivery": "answers are brought back at least so often, and `max_seconds` are real",
    "sequencer.engine.worker": "`max_seconds` limits the time that a tick really takes",
    "sequencer.http.limits": "a caller may ask so often in a real second",
    "sequencer.http.logs": "how long a request has really taken is logged",
    "sequencer.http.webhooks.passing": "`max_seconds` limits the time that a pass really takes",
    "sequencer.stores.sqlite_log": "a log that is held up is emptied a real second later",
    "sequencer.stores.sqlite_writer": "who waits for a writer has so many real seconds, and who has written, fewer",
    "sequencer.http.webhooks.posting": "an endpoint has so many real seconds to answer",
}


def modules(below: str = "sequencer") -> Iterator[tuple[str, ast.Module]]:
    """Each module of the package, by its name, parsed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("sequencer", *path.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name == below or name.startswith(f"{below}."):
            yield name, ast.parse(path.read_text(encoding="utf-8"), str(path))


def bindings(tree: ast.Module) -> dict[str, str]:
    """What the imported names of a module stand for: `{"dt": "datetime", "DateTime": "pendulum.DateTime"}`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def references(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each use of something imported, as the line and the full dotted name: called or only passed on."""
    names = bindings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            attributes, value = [node.attr], node.value
            while isinstance(value, ast.Attribute):
                attributes.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in names:
                yield node.lineno, ".".join([names[value.id], *reversed(attributes)])
        elif isinstance(node, ast.Name) and node.id in names:
            yield node.lineno, names[node.id]


def uses(pattern: re.Pattern[str], tree: ast.Module) -> list[str]:
    """The references of a module that match, as text for a failure message."""
    return [f"line {line}: {name}" for line, name in references(tree) if pattern.fullmatch(name)]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each module that a module imports, with the line; relative imports do not occur (the linter refuses them)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def test_layers(capsys, monkeypatch):
    """Every import goes down the layers, and every subpackage has its place in them."""
    monkeypatch.chdir(ROOT)
    # The linter puts the folder that it runs in first; the package that is tested must stay the one it looks at.
    monkeypatch.setattr(sys, "path", [*sys.path])
    # It sets up logging as for a process of its own, and so silences the loggers that other tests listen to.
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda config: None)

    status = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)

    assert status == 0, capsys.readouterr().out


def test_core_imports_only_what_computes():
    """The core imports its three dependencies and those parts of the standard library that do nothing but compute."""
    allowed = PURE | CORE_DEPENDENCIES
    strange = [
        f"{name}, line {line}: {module}"
        for name, tree in modules("sequencer.core")
        for line, module in imported(tree)
        if module.partition(".")[0] not in allowed and not module.startswith("sequencer.core")
    ]

    assert strange == []


def test_stores_and_adapters_see_only_the_ports():
    """Of the engine, stores and adapters import the ports and what the ports themselves import, nothing else."""
    graph = grimp.build_graph("sequencer")
    ports = {"sequencer.engine.ports", "sequencer.engine.storage"}
    allowed = ports | {module for port in ports for module in graph.find_modules_directly_imported_by(port)}
    seen = [
        f"{importer} imports {module}"
        for importer in sorted(graph.modules)
        if importer.startswith(("sequencer.stores", "sequencer.adapters"))
        for module in sorted(graph.find_modules_directly_imported_by(importer))
        if f"{module}.".startswith("sequencer.engine.") and module not in allowed
    ]

    assert seen == []


def test_nobody_inside_uses_the_public_door():
    """No layer below the command line imports from `sequencer` itself, which would hide what it depends on."""
    graph = grimp.build_graph("sequencer")
    inside = [
        module
        for module in sorted(graph.find_modules_that_directly_import("sequencer"))
        if not f"{module}.".startswith(("sequencer.__main__.", "sequencer.cli."))
    ]

    assert inside == []


def test_only_the_system_clock_knows_the_time():
    """Nobody but the system clock asks the machine what time it is, under any name and not even by reference."""
    found = {
        name: lines for name, tree in modules() if name != SYSTEM_CLOCK for lines in [uses(AMBIENT, tree)] if lines
    }

    assert found == {}


def test_nobody_waits_unless_listed():
    """Sleeping and stopwatches occur in the modules that are listed with their reason, and only there."""
    found = {name: lines for name, tree in modules() for lines in [uses(WAITING, tree)] if lines}

    assert {name: lines for name, lines in found.items() if name not in MAY_WAIT} == {}
    assert MAY_WAIT.keys() - found.keys() == set(), "listed, but needs it no more"


@pytest.mark.parametrize(
    "source",
    [
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import date\ntoday = date.today",
        "import pendulum\npendulum.now()",
        "from pendulum import DateTime as D\nclock = D.now",
        "from time import time\nstamp = time()",
        "import time\nattrs_default = time.time",
    ],
)
def test_the_search_for_clocks_finds_them(source):
    """Whatever a module calls the clock that it reads, the search sees through it."""
    assert uses(AMBIENT, ast.parse(source))


@pytest.mark.parametrize("source", ["clock.now()", "self.clock.now()", "import time\ntime.sleep(1)"])
def test_the_search_for_clocks_finds_nothing_else(source):
    """Asking a clock that was handed in is no ambient read."""
    assert not uses(AMBIENT, ast.parse(source))


def test_sql_does_not_ask_the_time_either():
    """No statement reads the database's clock: every instant comes from the engine's one reading."""
    asks = re.compile(r"\b(now|clock_timestamp|statement_timestamp)\s*\(|\bcurrent_(time|date)|'now'", re.IGNORECASE)
    found = [
        f"{path.relative_to(PACKAGE)}, line {number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.sql"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if asks.search(line.partition("--")[0])
    ]

    assert found == []


def test_examples_hold_no_code():
    """`sequencer/examples` is data: its only code is the function that says where each file is."""
    assert [path.name for path in (PACKAGE / "examples").rglob("*.py")] == ["__init__.py"]
    tree = ast.parse((PACKAGE / "examples" / "__init__.py").read_text("utf-8"))

    assert [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)] == ["path"]


def test_core_dependencies():
    """The package without extras depends on attrs, pendulum, transitions and tzdata, and on nothing else."""
    requirements = [Requirement(text) for text in importlib.metadata.requires("sequencer") or ()]

    assert {each.name for each in requirements if not each.marker or "extra" not in str(each.marker)} == {
        "attrs",
        "pendulum",
        "transitions",
        "tzdata",
    }


def test_every_test_says_what_it_proves():
    """Every test has a docstring whose first paragraph is one sentence."""
    silent = [
        f"{path.relative_to(ROOT)}, line {node.lineno}: {node.name}"
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not re.fullmatch(r"\S[^\n]*(\n[^\n]+)*[.?!]", (ast.get_docstring(node) or "").split("\n\n")[0])
    ]

    assert silent == []
