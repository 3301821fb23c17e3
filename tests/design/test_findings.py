"""Findings: each code has a design that has it, beside the nearest one that has it not."""

from __future__ import annotations

import pytest

from sequencer.core.silence import SILENCEABLE
from sequencer.design.findings.finding import KINDS, SEVERITIES
from tests.design.designs import DESIGNS
from tests.design.page import MARK, PAGE, generated


def test_every_code_has_its_designs():
    """The table, the silenceable codes and the designs here are the same codes; a silence alone cannot be silenced."""
    assert list(KINDS) == [*SILENCEABLE, "silence_unused"] == list(DESIGNS)
    assert {kind.severity for kind in KINDS.values()} == set(SEVERITIES)


@pytest.mark.parametrize("code", DESIGNS)
def test_what_has_it(code):
    """The design has the finding once, with the severity of its code, at its place, and nothing else that fails."""
    findings = DESIGNS[code].findings()
    (finding,) = [each for each in findings if each.code == code]

    assert finding.place == DESIGNS[code].place
    assert finding.severity == KINDS[code].severity
    assert [each.code for each in findings if each.fails and each.code != code] == []


@pytest.mark.parametrize("code", DESIGNS)
def test_what_has_it_not(code):
    """The neighbour has nothing to be found."""
    assert [str(each) for each in DESIGNS[code].findings_of_neighbour() if each.silenced is None] == []


def test_the_page_is_up_to_date():
    """`docs/findings.md` has every code with what the code says of it, and the example that is found here."""
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == generated()
