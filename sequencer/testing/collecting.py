"""Sequence files as tests: one item an expectation, and one for the findings.

What fails says what a person needs to see it again, and no line of a traceback: the case in a sentence, its timeline
with the reasons, the command that shows it, and a test that keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from sequencer.core.errors import DefinitionError
from sequencer.definitions.files import Located, load_located
from sequencer.testing.plugin import MARKER, profile_of, since_of

if TYPE_CHECKING:
    from sequencer.design import Finding, Verdict

__all__ = ["ExpectationItem", "FindingsItem", "SequenceFile", "names"]


class SequenceFile(pytest.File):
    """A file that is collected. One that is not valid is one error, with all that is wrong with it."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self._verdicts: dict[int, Verdict] = {}

    def collect(self) -> Iterator[pytest.Item]:
        """The expectations in their order, then the findings."""
        try:
            found = load_located(self.path)
        except DefinitionError as error:
            # As whoever started pytest would type it, in place of the whole path.
            problems = [attrs.evolve(problem, file=shown_path(self)) for problem in error.problems]
            raise self.CollectError("\n".join(str(problem) for problem in problems)) from None
        for i, name in enumerate(names(found.sequence.expect)):
            yield ExpectationItem.from_parent(self, name=name, found=found, index=i)
        yield FindingsItem.from_parent(self, name="findings", found=found)

    def verdict(self, asked: ExpectationItem) -> Verdict:
        """What an expectation comes to. Those of the file that are to run are decided together, which takes half."""
        if asked.index not in self._verdicts:
            from sequencer.design.deciding.scope import to_scope
            from sequencer.design.deciding.searching import decide_all

            sequence = asked.found.sequence
            chosen = [each for each in self.session.items if isinstance(each, ExpectationItem) and each.parent is self]
            indices = sorted({each.index for each in (*chosen, asked)})
            expects = [sequence.expect[index] for index in indices]
            verdicts = decide_all(sequence, expects, to_scope(sequence, **asked.scope))
            self._verdicts |= zip(indices, verdicts, strict=True)
        return self._verdicts[asked.index]


def shown_path(node: pytest.Item | pytest.Collector) -> str:
    """The path of a file as who started pytest would type it."""
    try:
        return os.path.relpath(node.path, node.config.invocation_params.dir)
    except ValueError:  # on another drive
        return str(node.path)


def names(expectations: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the items of expectations are called: by kind and what it says, and by number where that comes again."""
    found: list[str] = []
    times = dict[str, int]()
    for expect in expectations:
        ((kind, what),) = expect.items()
        said = f"{kind}[{_said(what)}"
        times[said] = times.get(said, 0) + 1
        found.append(f"{said}]" if times[said] == 1 else f"{said} #{times[said]}]")
    return found


def _said(what: Any) -> str:
    """What an expectation says, in a few characters: `24 hours`, `3 in 7 days`, `fri from 15:00`."""
    if not isinstance(what, Mapping):
        return ", ".join(what) if isinstance(what, list | tuple) else str(what)
    if what.keys() == {"count", "days"}:
        return f"{what['count']} in {_counted(what['days'], 'days')}"
    return " ".join(_part(key, value) for key, value in what.items())


def _part(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(value)
    return f"{key} {value}" if isinstance(value, str) else _counted(value, key)


def _counted(number: object, unit: str) -> str:
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


class Refused(Exception):
    """An item has failed: on which line, in a sentence, and with all that there is to say, which is what is shown."""

    def __init__(self, line: int, sentence: str, report: str) -> None:
        super().__init__(report)
        self.line = line
        self.sentence = sentence


class _SequenceItem(pytest.Item):
    """What the items of a sequence file have in common."""

    def __init__(self, *, found: Located, **facts: Any) -> None:
        super().__init__(**facts)
        self.found = found
        self.add_marker(MARKER)

    @property
    def place(self) -> tuple[int, int]:
        """The line and the column of what the item is about."""
        return 1, 1

    @property
    def scope(self) -> dict[str, Any]:
        """What was asked of every check: how many cases, and from which date on."""
        since = since_of(self.config)
        return {"profile": profile_of(self.config), "since": date.fromisoformat(since) if since else None}

    def at(self, place: tuple[int, int]) -> str:
        """A place in the file, as editors and terminals make a link of it."""
        line, column = place
        return f"{shown_path(self)}:{line}:{column}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file and the line, from 0, at which the item stands."""
        return self.path, self.place[0] - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was refused, for a person and without a traceback; anything else with one."""
        refused = excinfo.value
        if not isinstance(refused, Refused):
            # From here on: how pytest comes to call this says nothing.
            excinfo.traceback = excinfo.traceback.cut(path=__file__)
            return super().repr_failure(excinfo, style or "short")
        shown = excinfo.getrepr(style="value", chain=False)
        if shown.reprcrash is not None:  # what the line of a summary, and others that read reports, go by
            shown.reprcrash.path = str(self.path)
            shown.reprcrash.lineno = refused.line
            shown.reprcrash.message = refused.sentence
        return shown


class ExpectationItem(_SequenceItem):
    """One expectation: fails when it is refuted, with the counterexample."""

    def __init__(self, *, index: int, **facts: Any) -> None:
        super().__init__(**facts)
        self.index = index

    @property
    def place(self) -> tuple[int, int]:
        """Where the expectation stands in the list of them."""
        return self.found.place(f"expect[{self.index}]")

    def runtest(self) -> None:
        """Decide the expectation."""
        assert isinstance(self.parent, SequenceFile)
        verdict = self.parent.verdict(self)
        self.user_properties += [("verdict", verdict.verdict), ("cases", verdict.cases)]
        if verdict.assuming:
            self.user_properties.append(("assuming", " and ".join(verdict.assuming)))
        case = verdict.counterexample
        if case is None:
            self.add_report_section("call", "verdict", str(verdict))
            return
        file = shown_path(self)
        report = (
            f"{self.at(self.place)}: refuted: {case}\n\n"
            f"On the command line:\n\n{indent(case.command(file), '    ')}\n\n"
            f"As a test:\n\n{indent(case.test(file), '    ')}"
        )
        raise Refused(self.place[0], case.sentence, report.rstrip())


class FindingsItem(_SequenceItem):
    """What is wrong with a sequence, or unwise: fails on errors and warnings, unless they are silenced."""

    def runtest(self) -> None:
        """Look for everything that can be found."""
        from sequencer.design import find

        fields = self.config.getini("sequence_fields") or None
        findings = find(self.found.sequence, fields=fields, **self.scope)
        found = sorted(findings, key=lambda each: self.found.place(each.place))
        failing = [each for each in found if each.fails]
        if len(failing) < len(found):
            self.add_report_section("call", "findings", self._listed(each for each in found if not each.fails))
        if failing:
            first, more = failing[0], len(failing) - 1
            sentence = f"{first.severity}[{first.code}]: {first.message}{f' (and {more} more)' if more else ''}"
            raise Refused(self.found.place(first.place)[0], sentence, self._listed(failing))

    def _listed(self, findings: Iterable[Finding]) -> str:
        """Findings with their places, as `sequencer check` lists them: each remedy is said once."""
        lines: list[str] = []
        for each in findings:
            where = self.at(self.found.place(each.place))
            if each.silenced is not None:
                lines.append(f"{where}: silenced[{each.code}]: {each.silenced}")
                continue
            lines.append(f"{where}: {each.severity}[{each.code}]: {each.message}")
            remedy = f"    remedy: {each.remedy}"
            if remedy not in lines:
                lines.append(remedy)
        return "\n".join(lines)
