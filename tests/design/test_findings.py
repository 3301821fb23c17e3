"""Findings: each code has a design that has it, beside the nearest one that has it not."""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime, timedelta

import attrs
import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.silence import SILENCEABLE
from sequencer.design.findings.finding import KINDS, SEVERITIES
from sequencer.design.findings.static import static_findings
from tests.design.designs import DESIGNS, SINCE
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


NO_PLACES = re.compile(r"[EMH]ST|(Etc/)?(GMT0?|GMT[+-]0|Greenwich)|Etc/GMT[+-][1-9]\d?")


def test_zones_that_are_no_places():
    """Found are the zones that are an abbreviation or an offset but UTC, each of which never changes, and no others."""
    for zone in sorted(zoneinfo.available_timezones() - {"localtime"}):
        design = attrs.evolve(DESIGNS["templates_elsewhere"].has, calendar=Calendar(zone))
        said = [
            each.message for each in static_findings(design, SINCE, None, None) if each.code == "zone_never_changes"
        ]
        assert len(said) == bool(NO_PLACES.fullmatch(zone)), zone
        for message in said:
            (offset,) = {zoneinfo.ZoneInfo(zone).utcoffset(datetime(2026, month, 15)) for month in range(1, 13)}
            assert offset is not None
            hours = abs(offset) // timedelta(hours=1)
            where = f"{hours} hour{'s' * (hours > 1)} {'behind' if offset.days else 'ahead of'} UTC" if hours else "UTC"
            assert message.startswith(f"{zone} is {where}")
            assert ("did you mean" in message) != bool(re.search("[1-9]", zone))


def test_the_page_is_up_to_date():
    """`docs/findings.md` has every code with what the code says of it, and the example that is found here."""
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == generated()
