"""What holds of `find` for every design: it answers, it names places that exist, and silences do what they say."""

from __future__ import annotations

import re
from datetime import date

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.document import to_document
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.pacing import Cap
from sequencer.core.problems import child, item
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.definitions.files import _in_document
from sequencer.design import check, find
from sequencer.design.deciding.ground import Ground
from sequencer.design.findings.finding import KINDS
from sequencer.design.findings.samples import samples, stretches
from sequencer.testing.strategies import sequences
from tests.design.designs import DESIGNS, SINCE, call, mail, sequence

# A design has many findings of many kinds already in a few steps.
FEW = settings(max_examples=20)
INSIDE = re.compile(r"\bNone\b|Frozen|DateTime|datetime|Weekdays\(|Hours\(|automated_email|Timezone|<[a-z]+ ")


def paths(value, path: str = ""):
    """The path of every value in a document."""
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, child(path, key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from paths(each, item(path, i))


def silenced(design: Sequence, silence) -> Sequence:
    """The same design with other silences."""
    return attrs.evolve(design, silence=silence)


@FEW
@given(sequences(), st.sampled_from([None, set(), {"first_name", "company"}]), st.sampled_from([None, Cap(emails=1)]))
def test_every_design_gets_its_findings(design, fields, cap):
    """Whatever is valid is answered: the same each time, the gravest first, at places that the document has."""
    findings = find(design, since=SINCE, fields=fields, cap=cap)

    assert findings == find(design, since=SINCE, fields=fields, cap=cap)
    order = ["error", "warning", "advice"]
    assert [each.severity for each in findings] == sorted((each.severity for each in findings), key=order.index)
    document = to_document(design)
    known = set(paths(document))
    for finding in findings:
        assert _in_document(document, finding.place) in known
        assert finding.severity == KINDS[finding.code].severity


@pytest.mark.parametrize("code", DESIGNS)
def test_messages_are_for_people(code):
    """A message is a sentence without what only the code knows, and names the step that it is about."""
    for finding in DESIGNS[code].findings():
        assert not INSIDE.search(finding.message)
        assert "\n" not in finding.message
        assert finding.remedy
        if finding.position is not None:
            assert re.search(rf"\b(step|text of step) {finding.position}\b", finding.message)


@FEW
@given(sequences(), st.data())
def test_a_silence_silences_what_it_names(design, data):
    """Everything of the code, at the step if it names one, has the reason; all else is as it was."""
    bare = find(silenced(design, ()), since=SINCE, fields=(), cap=Cap(emails=1))
    named = data.draw(st.sampled_from(bare)) if bare else None
    if named is None:
        return
    entry = {"finding": named.code, "because": "we know"}
    if named.position is not None and data.draw(st.booleans()):
        key = design.steps[named.position].key
        entry["step"] = named.position if key is None or data.draw(st.booleans()) else key
    findings = find(silenced(design, [entry]), since=SINCE, fields=(), cap=Cap(emails=1))

    def covered(each) -> bool:
        return each.code == named.code and ("step" not in entry or each.position == named.position)

    assert list(findings) == [attrs.evolve(each, silenced="we know") if covered(each) else each for each in bare]
    assert not any(each.fails for each in findings if covered(each))


def test_a_silence_for_another_step_is_unused():
    """Where the finding is at other steps only, the message says so."""
    design = sequence(call(), call(skip_after=None))
    entry = {"finding": "task_waits_for_ever", "step": 0, "because": "it is quick"}

    task, unused = find(silenced(design, [entry]), since=SINCE)

    assert (task.code, task.silenced) == ("task_waits_for_ever", None)
    assert unused.message == "task_waits_for_ever is not found at step 0, only elsewhere"


@pytest.mark.parametrize(
    ("code", "asked"),
    [("merge_field_unknown", {"fields": ()}), ("merge_field_breaks", {"values": ()}), ("cap_exceeded", {"cap": Cap()})],
)
def test_what_was_not_asked_needs_no_silence(code, asked):
    """A silence for what only a leads file or a cap can show is not called unused by a check without one."""
    design = sequence(mail(), silence=[{"finding": code, "because": "so"}])

    assert find(design, since=SINCE) == ()
    assert [each.code for each in find(design, since=SINCE, **asked)] == ["silence_unused"]


def test_silences_are_no_content():
    """A design with other silences is the same content, so that silencing makes no new version."""
    from sequencer.stores.contents import content_of

    design = DESIGNS["mails_close"].has
    entry = {"finding": "mails_close", "because": "so"}

    assert content_of(design) == content_of(silenced(design, [entry]))


@given(st.permutations([date(2025, 12, 25), date(2025, 1, 1), date(2026, 3, 1)]))
def test_the_order_of_holidays_does_not_matter(holidays):
    """Holidays are a set: in whatever order they are written, the findings are the same."""
    pair = DESIGNS["holidays_past"]
    calendar = attrs.evolve(pair.has.calendar, holidays=holidays)

    assert [each.code for each in find(attrs.evolve(pair.has, calendar=calendar), since=SINCE)] == ["holidays_past"]


@FEW
@given(sequences(), st.sampled_from(["Europe/Warsaw", "Pacific/Apia", "America/St_Johns"]))
def test_the_timelines_looked_at_are_the_plans(design, zone):
    """What findings are found on is what `plan` gives, step by step, at the edges of each piece and between them."""
    enrolled = stretches(design, SINCE, 2)
    ground = Ground(design.calendar.in_zone(zone), enrolled[0][0])

    for sample in samples(design, ground, enrolled)[::31]:
        planned = plan(design, from_microseconds(sample.start), timezone=zone, reasons=False)
        assert sample.at == tuple(to_microseconds(step.estimated_execute_at) for step in planned)


@FEW
@given(sequences(), st.dates(date(1971, 1, 1), date(8998, 12, 31)))
def test_people_are_enrolled_when_the_definition_says(design, since):
    """Stretches of starts are on the days and in the hours that are assumed, not before the date nor after the last."""
    enrolled = {"days": ("mon", "tue", "wed", "thu", "fri"), "from": "09:00", "to": "17:00"}
    enrolled |= design.assume.get("enrolled", {})
    found = stretches(design, since, 2)

    assert list(found) == sorted(set(found))
    for begins, ends in found:
        assert begins < ends
        local = design.calendar.local(from_microseconds(begins))
        assert local.date() <= date.fromisoformat(enrolled.get("until", "9999-12-31"))
        if "until" not in enrolled:
            assert local.date() >= max(since, date.fromisoformat(enrolled.get("since", "1970-01-01")))
            assert f"{local:%a}".lower() in enrolled["days"]


def test_every_quarter_of_an_hour_counts_once():
    """However many pieces the starts fall into, those that count are the quarters of the hours of enrolling."""
    design = DESIGNS["mail_at_night"].has
    enrolled = stretches(design, SINCE, 2)
    found = samples(design, Ground(design.calendar, enrolled[0][0]), enrolled)

    assert sum(sample.counts for sample in found) == 2 * 5 * 8 * 4
    assert [sample.start for sample in found] == sorted({sample.start for sample in found})


def test_people_live_where_the_definition_says():
    """With assumed zones, nobody lives elsewhere: then the night there concerns nobody."""
    has = DESIGNS["mail_at_night_elsewhere"].has

    assert find(attrs.evolve(has, assume={"timezones": ["Europe/Berlin"]}), since=SINCE) == ()
    (finding,) = find(attrs.evolve(has, assume={"timezones": ["Asia/Tokyo"]}), since=SINCE)
    assert "who lives in Asia/Tokyo" in finding.message


def test_a_clock_change_brings_no_mails_too_close():
    """A working day over the night on which the clocks go forward has 23 hours, and is one all the same."""
    cairo = Calendar("Africa/Cairo", working_days=["sun", "mon", "tue", "wed", "thu", "fri"])
    design = sequence(
        mail(1),
        mail(2, Weekdays(1)),
        calendar=cairo,
        assume={"timezones": ["Africa/Cairo"], "enrolled": {"days": ["thu"]}},
    )

    assert find(design, since=date(2026, 4, 20)) == ()
    first, second = plan(design, from_microseconds(stretches(design, date(2026, 4, 20), 1)[0][0]))
    assert (second.estimated_execute_at - first.estimated_execute_at).total_hours() == 23


def test_monday_five_past_midnight():
    """Eight hours after Friday 16:05 is Saturday, and the mail leaves on Monday at the same clock time."""
    design = sequence(
        mail(1),
        mail(2, Hours(8)),
        calendar=Calendar("UTC"),
        assume={"timezones": ["UTC"], "enrolled": {"days": ["fri"], "from": "16:05", "to": "16:06"}},
    )

    (finding,) = find(design, since=SINCE)

    assert finding.code == "mail_at_night"
    assert finding.message.startswith(
        "who is enrolled on Fri 2026-03-06 16:05 gets step 1 (mail 2) on Mon 2026-03-09 00:05, since 8 hours after "
        "step 0 is Sat 2026-03-07 00:05, when no mail may leave; "
    )


@pytest.mark.parametrize(
    "asked", [{"profile": "slow"}, {"since": "tomorrow"}, {"since": date(9500, 1, 1)}, {"since": date(1960, 1, 1)}]
)
def test_what_cannot_be_asked(asked):
    """An unknown profile, and a date that is none or out of range, are refused."""
    with pytest.raises(InvalidInput):
        find(DESIGNS["mails_close"].has, **asked)


@pytest.mark.parametrize("zones", [["America/New_York"], pytest.param(None, marks=pytest.mark.slow)])
def test_a_thorough_look_finds_what_a_quick_one_does(zones):
    """Of each design, a year of starts, in whatever zones, has the same codes as two weeks of them."""
    for pair in DESIGNS.values() if zones is None else [DESIGNS["mails_close"], DESIGNS["mail_waits_for_days"]]:
        quick = {each.code for each in pair.findings()}
        thorough = find(pair.has, since=SINCE, profile="thorough", timezones=zones, **pair.asked)
        assert quick <= {each.code for each in thorough}


def test_zones_that_are_asked_for():
    """The caller's zones take the place of the profile's, and of those that the definition assumes."""
    has = DESIGNS["mail_at_night_elsewhere"].has

    assert find(has, since=SINCE, timezones=["Europe/Paris"]) == ()
    assert "Asia/Tokyo" in find(has, since=SINCE, timezones=["Asia/Tokyo"])[0].message
    with pytest.raises(InvalidInput):
        find(has, timezones=["Asia/Tokio"])


def test_today_is_the_default():
    """Without a date, people are enrolled from now on."""
    past = attrs.evolve(DESIGNS["holidays_past"].has.calendar, holidays=[date(2020, 12, 25)])

    assert [each.code for each in find(attrs.evolve(DESIGNS["holidays_past"].has, calendar=past))] == ["holidays_past"]


def test_a_check_has_the_findings_too():
    """What `check` answers has them beside the verdicts, as values and as plain data, and fails as they do."""
    wise, unwise = DESIGNS["mails_close"].has_not, DESIGNS["mails_close"].has
    checked = check(unwise, since=SINCE, timezones=["Europe/Warsaw"])

    assert checked.findings == find(unwise, since=SINCE, timezones=["Europe/Warsaw"])
    assert checked.to_dict()["findings"] == [finding.to_dict() for finding in checked.findings]
    assert str(checked).startswith("warning[mails_close]")
    assert (checked.refuted, checked.fails) == (False, True)
    assert not check(wise, since=SINCE, timezones=["Europe/Warsaw"]).fails
