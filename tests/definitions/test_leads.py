"""Leads from CSV: what a row means, and files that are refused whole."""

from __future__ import annotations

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequencer.core.enrollment import Resource
from sequencer.core.errors import DefinitionError, InvalidInput, Problem
from sequencer.definitions import Lead, parse_leads, read_leads, to_moment
from sequencer.definitions.leads import read_fields
from sequencer.definitions.tree import Lines
from sequencer.examples import path

HEADER = "resource_type,resource_id,email,timezone,start_at,enrolled_at,actor_id,account,idempotency_key,first_name\n"


def row(**cells: str) -> str:
    values = {"resource_type": "lead", "resource_id": "1", **cells}
    return HEADER + ",".join(values.get(name, "") for name in HEADER.strip().split(",")) + "\n"


def only(text: str, **keywords) -> Lead:
    (lead,) = parse_leads(text, **keywords)
    return lead


def test_the_example():
    """The example's 500 leads are read with their zones, instants and merge fields."""
    leads = read_leads(path("leads-500.csv"))

    assert len(leads) == 500
    assert leads[0] == Lead(
        "lead",
        10000,
        email="tomas.oneil.0@example.net",
        timezone="America/Vancouver",
        enrolled_at=to_moment("2026-11-26T22:41:00", "America/Vancouver"),
        fields={"first_name": "Tomas", "last_name": "O'Neil", "company": "Cyberdyne"},
    )
    assert [lead.line for lead in leads] == list(range(2, 502))
    assert len({lead.timezone for lead in leads}) == 40


def test_a_row_in_full():
    """Every known column ends up in its attribute, everything else in the merge fields."""
    lead = only(
        row(
            email="ada@example.com",
            timezone="Europe/Warsaw",
            start_at="2026-03-27T16:30",
            enrolled_at="2026-03-27T16:30:00Z",
            actor_id="7",
            account="acme",
            idempotency_key="k-1",
            first_name="Ada",
        )
    )
    assert lead == Lead(
        "lead",
        1,
        email="ada@example.com",
        timezone="Europe/Warsaw",
        actor_id=7,
        account="acme",
        start_at=pendulum.datetime(2026, 3, 27, 15, 30),
        enrolled_at=pendulum.datetime(2026, 3, 27, 16, 30),
        idempotency_key="k-1",
        fields={"first_name": "Ada"},
    )


def test_blank_cells_are_absent():
    """A blank cell is no value at all, also one of blanks only, also that of a merge field."""
    assert only(row(email="  ", first_name=" ")) == Lead("lead", 1)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("42", 42), ("0", 0), ("-7", -7), ("007", "007"), ("-0", "-0"), ("+1", "+1"), ("1.0", "1.0"), ("1e3", "1e3"),
        ("9223372036854775807", 2**63 - 1), ("9223372036854775808", "9223372036854775808"), ("a b", "a b"),
        ("٤٢", "٤٢"), ("1_000", "1_000"), ("x" * 64, "x" * 64),
    ],
)  # fmt: skip
def test_ids_are_kept_as_given(text, identifier):
    """An id is a number if it is written as one is, and the text that it is otherwise."""
    lead = only(row(resource_id=text))

    assert lead.resource_id == identifier
    assert type(lead.resource_id) is type(identifier)


@pytest.mark.parametrize(
    ("text", "timezone", "instant"),
    [
        ("2026-01-01T10:00", "Europe/Warsaw", "2026-01-01T09:00:00Z"),
        ("2026-01-01 10:00:30", "Europe/Warsaw", "2026-01-01T09:00:30Z"),
        ("2026-01-01T10:00Z", "Europe/Warsaw", "2026-01-01T10:00:00Z"),
        ("2026-01-01T10:00:00.5+05:45", "UTC", "2026-01-01T04:15:00.5Z"),
        ("2026-03-29T02:30", "Europe/Warsaw", "2026-03-29T01:30:00Z"),  # skipped: an hour on
        ("2026-10-25T02:30", "Europe/Warsaw", "2026-10-25T00:30:00Z"),  # twice: the first
    ],
)
def test_moments(text, timezone, instant):
    """A time without an offset is on the zone's clock; skipped, it moves on; coming twice, it is the first."""
    assert to_moment(text, timezone) == pendulum.parse(instant)


def test_the_zone_of_a_time_is_the_leads_then_the_definitions():
    """A local time is in the zone of its row, or in that of the definition where the row has none."""
    with_zone = row(timezone="Asia/Tokyo", start_at="2026-01-01T10:00")
    without = row(start_at="2026-01-01T10:00")

    assert only(with_zone, timezone="Europe/Warsaw").start_at == pendulum.datetime(2026, 1, 1, 1)
    assert only(without, timezone="Europe/Warsaw").start_at == pendulum.datetime(2026, 1, 1, 9)
    assert only(without).start_at == pendulum.datetime(2026, 1, 1, 10)
    assert only(row(timezone="Asia/Tokyo", start_at="2026-01-02")).start_at == pendulum.datetime(2026, 1, 1, 15)
    with pytest.raises(InvalidInput):
        parse_leads(without, timezone="Nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01", "10:00", "2026-1-1T10:00", "20260101T100000", "2026-W01-1T10:00", "2026-02-30T10:00",
        "2026-01-01T24:00", "2026-01-01T10:00:60", "2026-01-01T10:00+25:00", "2026-01-01T10:00 Z", "now", "1769000000",
        "1969-12-31T23:59:59Z", "9001-01-01T00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:00",
        "٢٠٢٦-01-01T10:00", "2026-01-01T10:00\n",
    ],
)  # fmt: skip
def test_moments_that_are_none(text):
    """What is no date with a time, or beyond the years 1970 to 9000, is refused."""
    with pytest.raises(InvalidInput):
        to_moment(text, "UTC")


@given(
    st.text("ab.@\"'()[]:;,<> \\\u200b\u00e9", max_size=12).map(lambda text: f"{text}@example.com"),
    st.dictionaries(st.sampled_from("xyz"), st.tuples(st.sampled_from("a\u00e9\U0001f600"), st.integers(1, 9_000))),
)
@example('a"b@example.com', {})
@example("a@example.com", {"x": ("a", 8_200), "y": ("a", 8_200)})
def test_what_is_read_is_what_the_engine_takes(email, lengths):
    """A lead that the engine would refuse is refused here, where there is a line and a column to name (S6)."""
    cells = {"email": '"' + email.replace('"', '""') + '"'}
    cells |= {name: letter * length for name, (letter, length) in lengths.items()}
    text = f"resource_type,resource_id,{','.join(cells)}\nlead,1,{','.join(cells.values())}"
    found: set[str | int | None]
    try:
        found = {Resource("lead", 1, email=each.email, fields=each.fields).email for each in parse_leads(text)}
    except DefinitionError as error:
        found = {each.line for each in error.problems}
    assert found in ({email}, {2})


def test_quotes_and_line_ends():
    """Cells in quotes may have commas, doubled quotes and line breaks in them; lines end as any system ends them."""
    text = '\ufeffresource_type,resource_id,note,last\r\nlead,1,"a, ""b""\nc",\r\nlead,"2",,"x"\n\n\n'
    leads = parse_leads(text)

    assert [lead.fields for lead in leads] == [{"note": 'a, "b"\nc'}, {"last": "x"}]
    assert [lead.line for lead in leads] == [2, 4]
    assert parse_leads("resource_type,resource_id,x\rlead,1,") == [Lead("lead", 1)]
    assert parse_leads("resource_id,resource_type") == []


MALFORMED = {
    "an empty file": ("§", "empty"),
    "blank lines only": ("§\n\n", "empty"),
    "no column for the id": ("resource_type,§id\nlead,1\n", "missing_column"),
    "no header at all": ("§lead,1\n", "missing_column"),
    "a column twice": ("resource_type,resource_id,a,§a\n", "duplicate_column"),
    "a column without a name": ("resource_type,resource_id,§,b\n", "blank"),
    "a column with blanks around it": ("resource_type,resource_id,§ email\n", "surrounding_blanks"),
    "a column of two lines": ('resource_type,resource_id,§"a\nb"\n', "invalid_text"),
    "semicolons": ("§resource_type;resource_id\nlead;1\n", "wrong_separator"),
    "a cell too few": ("resource_type,resource_id,a\n§lead,1\n", "wrong_field_count"),
    "a cell too many": ("resource_type,resource_id\n§lead,1,\n", "wrong_field_count"),
    "a blank line between": ("resource_type,resource_id\nlead,1\n§\nlead,2\n", "wrong_field_count"),
    "an open quote": ('resource_type,resource_id\nlead,§"1\nlead,2\n', "syntax"),
    "a quote in a cell": ('resource_type,resource_id\nlead,§a"b\n', "syntax"),
    "text after a quote": ('resource_type,resource_id\nlead,§"1"2\n', "syntax"),
    "more cells than any row has": (f"resource_type,resource_id\nlead,1{',x' * 998},§x{',' * 5_000}", "syntax"),
    "a blank type": (row(resource_type="§"), "missing"),
    "a blank id": (row(resource_id="§ "), "missing"),
    "an id too long": (row(resource_id="§" + "x" * 65), "invalid_length"),
    "an id of two lines": (row(resource_id='§"a\nb"'), "invalid_text"),
    "blanks around an id": (row(resource_id="§ 1"), "surrounding_blanks"),
    "an unknown zone": (row(timezone="§Mars/Olympus"), "unknown_timezone"),
    "a zone out of the tree": (row(timezone="§../../etc/passwd"), "unknown_timezone"),
    "a date that does not exist": (row(start_at="§2026-02-30"), "not_an_instant"),
    "an impossible date": (row(enrolled_at="§2026-02-30T10:00"), "not_an_instant"),
    "a moment of another age": (row(start_at="§1066-10-14T09:00"), "out_of_range"),
    "a time beside an unknown zone": (row(timezone="Mars", start_at="§soon"), "not_an_instant"),
    "an address without an at": (row(email="§ada"), "invalid_email"),
    "two addresses": (row(email='§"a@example.com, b@example.com"'), "invalid_email"),
    "an address with a line break": (row(email='§"a@example.com\nBcc: b@example.com"'), "invalid_text"),
    "a NUL": (row(first_name="§a\0b"), "invalid_text"),
    "a lone surrogate": (row(first_name="§a\ud800"), "invalid_text"),
    "a field beyond all measure": (row(first_name="§" + "x" * 10_001), "invalid_length"),
}


@pytest.mark.parametrize(("marked", "code"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_refused(marked, code):
    """A mistake anywhere refuses the whole file, with a code, a line and a column (where `§` stands)."""
    text = marked.replace("§", "", 1)
    with pytest.raises(DefinitionError) as caught:
        parse_leads(text, file="leads.csv")

    found = [(problem.code, problem.line, problem.column) for problem in caught.value.problems]
    assert (code, *Lines(text)(marked.index("§"))) in found


def test_every_mistake_is_named():
    """All rows are read before the file is refused."""
    text = "resource_type,resource_id,email,timezone\nlead,,a,X\nlead,1,,\n,2,b,\n"
    with pytest.raises(DefinitionError) as caught:
        parse_leads(text, file="leads.csv")

    assert [str(problem)[: len("leads.csv:2:6")] for problem in caught.value.problems] == [
        "leads.csv:2:6", "leads.csv:2:7", "leads.csv:2:9", "leads.csv:4:1", "leads.csv:4:4",
    ]  # fmt: skip


def test_a_hundred_mistakes_are_enough():
    """A file that is wrong in every row is refused after a hundred of them."""
    with pytest.raises(DefinitionError) as caught:
        parse_leads("resource_type,resource_id\n" + "lead,\n" * 10_000)

    assert [problem.code for problem in caught.value.problems] == ["missing"] * 100 + ["too_many_problems"]


def test_files_that_cannot_be_read(tmp_path):
    """A missing file, a folder and bytes that are no UTF-8 are refused like everything else."""
    latin = tmp_path / "latin.csv"
    latin.write_bytes("resource_type,resource_id,name\nlead,1,José\n".encode("latin-1"))
    codes = {}
    for file in (tmp_path / "missing.csv", tmp_path, latin):
        with pytest.raises(DefinitionError) as caught:
            read_leads(file)
        codes[file.name] = (caught.value.problems[0].code, caught.value.problems[0].line)

    assert codes == {"missing.csv": ("no_such_file", 1), tmp_path.name: ("not_a_file", 1), "latin.csv": ("encoding", 2)}


@given(
    st.text(st.sampled_from('",\r\n a1é\0\ud800')).map(lambda text: f"resource_type,resource_id\n{text}")
    | st.binary(max_size=60)
    | st.text(max_size=60)
)
def test_no_text_makes_anything_but_leads_or_problems(text):
    """Whatever the file, the answer is a list of leads or a `DefinitionError`."""
    problems: tuple[Problem, ...] = ()
    try:
        assert all(type(lead) is Lead for lead in parse_leads(text))
    except DefinitionError as error:
        problems = error.problems
    assert all(problem.line and problem.column for problem in problems)


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",\n'), max_size=12)


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_cells_come_back(cells):
    """Text that is put into quotes with its quotes doubled comes back as it was."""
    header = "resource_type,resource_id," + ",".join(f"c{i}" for i in range(len(cells)))
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    (lead,) = parse_leads(f"{header}\nlead,1,{','.join(quoted)}\n")

    assert lead.fields == {f"c{i}": cell for i, cell in enumerate(cells) if cell.strip()}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("resource_type;resource_id;email", "separated by semicolons"),
        ("resource_type\tresource_id", "separated by tabs"),
        ("type,resource_id", "did you mean resource_type?"),
        ("resource_type,Lead_ID", "did you mean resource_id?"),
    ],
)
def test_headers_of_other_products(header, said):
    """A separator that is no comma, and the names that others give the two columns, are met with a hint."""
    with pytest.raises(DefinitionError) as caught:
        parse_leads(f"{header}\nlead,1\n")

    (problem,) = caught.value.problems
    assert said in problem.message


def test_the_fields_of_a_file(tmp_path):
    """A merge field is there if any lead has it; with no lead yet, if the header names it. Known columns are none."""
    file = tmp_path / "leads.csv"
    header = "resource_type,resource_id,email,timezone,first_name,company,city\n"

    file.write_text(f"{header}lead,1,ada@example.com,UTC,Ada,, \nlead,2,,,,Example,\n", encoding="utf-8")
    assert read_fields(file) == ({"first_name", "company"}, [])
    file.write_text(header, encoding="utf-8")
    assert read_fields(file) == ({"first_name", "company", "city"}, [])
    file.write_text(f'{header}lead,1,,,Ada,,\nlead,2,,,"B\nen",,Ulm\n', encoding="utf-8")
    assert read_fields(file) == ({"first_name", "city"}, [{"first_name": "B\nen", "city": "Ulm"}])
    file.write_text("", encoding="utf-8")
    with pytest.raises(DefinitionError):
        read_fields(file)
