"""What the inspector shows: every view is a valid page, tells the truth, and says nothing personal."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pendulum import DateTime
from starlette.requests import Request

from sequencer import Calendar, IllegalTransition, Resource
from sequencer.core.instants import FIRST
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import SequenceVersion
from sequencer.core.signals import Resume
from sequencer.core.timeline import seen_at
from sequencer.engine.explanation import explained, next_mail
from sequencer.engine.results import Statistics
from sequencer.engine.stored import StoredSequence
from sequencer.http.access import Grant
from sequencer.http.inspector.asking import VERBS, asking_page, foreseen
from sequencer.http.inspector.enrollment import enrollment_page
from sequencer.http.inspector.frame import framed, sheet, sheet_path
from sequencer.http.inspector.moments import away, to_moment
from sequencer.http.inspector.sequences import sequence_page
from sequencer.http.inspector.strip import Mark, strip
from sequencer.http.inspector.visit import Options, Visit
from sequencer.simulation.report.drawing import Ids
from sequencer.testing.strategies import calendars, histories, sequences, starts
from tests.http.inspector.looking import fields, found, parsed, text_of, visiting
from tests.http.inspector.world import NOW, READER, WRITER, made

# A page is slow to make and slower to shrink.
FEW = settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
VIEWS = ["", "enrollments", "sequences", *(f"enrollments/{id}" for id in range(1, 14) if id != 12), "sequences/1",
         "sequences/2", "sequences/3", "enrollments/7/block", "enrollments/7/skip", "enrollments/7/finish",
         "enrollments/8/resume", "enrollments/3/resume", "enrollments/6/complete", "enrollments?state=blocked",
         "enrollments?reason=paused", "enrollments?find=42", "enrollments/6?history=all", "login"]  # fmt: skip


class Only:
    """An engine in which there is one thing only."""

    def __init__(self, enrollment=None, events=(), stored=None, now=None, suppressed=False):
        self.enrollment, self.events, self.stored, self.now = enrollment, events, stored, now
        self.suppressed = suppressed

    def explain(self, id):
        return explained(self.enrollment, self.now, next_mail(self.enrollment) if self.suppressed else None)

    def history(self, id):
        return self.events

    def stored_sequences(self, **asked):
        return (self.stored,)

    def statistics(self, sequence):
        return Statistics(active=3, blocked={"paused": 1}, finished={"replied": 2})


def visit_to(engine, now, scope="write"):
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    return Visit(
        request=request, base="/inspector", grant=Grant(scope=scope), engine=engine, now=now, key="k" * 43, form={},
        options=Options(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return made()


@pytest.fixture
def writer(world):
    with visiting(world, WRITER) as visitor:
        yield visitor


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_a_valid_page(writer, view):
    """Each view is valid HTML for a strict parser, with known parts only, labelled fields and headings in order."""
    root = writer.page(view)

    assert found(root, "main", id="main")
    assert view == "login" or [each.get("aria-current") for each in found(root, "a") if each.get("aria-current")]


@FEW
@given(histories(sequences=sequences()), st.integers(0, 40), st.sampled_from(["read", "write"]), st.booleans())
def test_any_enrollment_is_a_valid_page(lived, later, scope, suppressed):
    """Whatever an enrollment has lived through, its page is valid and shows each of its steps once."""
    enrollment, events = lived
    now = enrollment.updated_at.add(hours=later)
    visit = visit_to(Only(enrollment, events, now=now, suppressed=suppressed), now, scope)

    root = parsed(enrollment_page(visit, enrollment.id))

    steps = [each.get("id") for each in found(root, "li") if (each.get("id") or "").startswith("step-")]
    assert steps == [f"step-{at}" for at in range(len(enrollment.steps))]
    assert found(root, "nav", class_="actions") == [] or scope == "write"
    withheld = "The address that is stored is suppressed" in text_of(root)
    assert withheld == (suppressed and next_mail(enrollment) is not None)


@FEW
@given(histories(sequences=sequences()), st.integers(0, 40))
def test_any_question_is_a_valid_page_or_none(lived, later):
    """For whatever a person may do with an enrollment there is a valid page that asks, and for nothing else."""
    enrollment, events = lived
    now = enrollment.updated_at.add(hours=later)
    seen = seen_at(enrollment, now)
    visit = visit_to(Only(enrollment, events, now=now), now)

    for verb in VERBS:
        page = asking_page(visit, verb, seen, events)
        possible = foreseen(verb.first(seen), seen, events, visit) is not None
        assert (page is not None) == possible
        if page is not None:
            assert fields(parsed(page))["revision"] == str(enrollment.revision)


@given(histories(), st.sampled_from(["shift", "keep", "restart"]), st.booleans(), st.integers(0, 400))
def test_what_is_foreseen_is_what_happens(lived, timeline, skip, later):
    """What a page says that a request would do is what the request does, to every status and estimate."""
    enrollment, events = lived
    now = enrollment.updated_at.add(hours=later)
    seen, visit = seen_at(enrollment, now), visit_to(None, now)
    requests = [Resume(timeline, skip), *(verb.first(seen) for verb in VERBS)]

    for request in requests:
        if request is None:
            continue
        try:
            decision = advance(enrollment, request, now)
        except IllegalTransition:
            assert foreseen(request, seen, events, visit) is None
            continue
        after = foreseen(request, seen, events, visit)
        assert (after is not None) == decision.changed
        if after is not None:
            really = seen_at(decision.enrollment, now)
            assert after.state == really.state
            assert [(each.status, each.estimated_execute_at) for each in after.steps] == [
                (each.status, each.estimated_execute_at) for each in really.steps
            ]


@FEW
@given(sequences(), starts())
def test_any_sequence_is_a_valid_page(sequence, now):
    """Whatever a sequence says, its page is valid and shows each of its steps once."""
    version = SequenceVersion(1, sequence.key, 1, sequence, 1)
    stored = StoredSequence(id=1, version=version, created_at=now, updated_at=now, creator_id="ann", deleted_at=now)

    root = parsed(sequence_page(visit_to(Only(stored=stored), now), 1))

    steps = [each for each in found(root, "li") if (each.get("id") or "").startswith("step-")]
    assert len(steps) == len(sequence.steps)
    assert "Deleted." in text_of(root)


@given(calendars(), starts(), st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.integers(-(10**5), 10**6))
def test_every_mark_is_within_the_strip(calendar, since, hours, away_by):
    """Each mark, shade and line of a strip lies on it, from nothing to a hundred percent, and none touches another."""
    # The strip begins with a whole day on the calendar's clock, and there are no instants before 1970 (T11).
    earliest = FIRST.add(days=2)
    since = max(since, earliest)
    now = max(since.add(hours=away_by), earliest)
    marks = [Mark(i, since.add(hours=each), bool(i % 2), "done", "x") for i, each in enumerate(sorted(hours))]

    root = parsed(framed("", "x", [each := strip(Ids(), "x", marks, calendar, now, since)] and [_headed(each)]))

    places = [
        float(each.get(name).removesuffix("%"))
        for each in root.iter()
        for name in ("x", "cx", "x1", "x2", "width")
        if each.tag in {"rect", "circle", "line", "text"} and (each.get(name) or "").endswith("%")
    ]
    assert all(0 <= place <= 100.01 for place in places)
    drawn = [each for each in found(root, "g") if (each.get("class") or "").startswith("mark")]
    assert len(drawn) == len(marks)


def _headed(figure):
    from sequencer.simulation.report.markup import element

    return element("div", element("h1", "x"), figure)


def test_the_list_shows_how_each_stands(writer):
    """A row of the list has who, the sequence, the state with its reason, the step, and the next moment twice."""
    root = writer.page("enrollments")
    (table,) = root.iter("table")
    rows = [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in table.iter("tr")]

    assert rows[0] == ["Who", "Sequence", "State", "Step", "Next"]
    assert rows[6] == [
        "lead 42No. 6", "Inbound follow-up", "\u25b6Activethe task waits for somebody to do it",
        "Step 1Task, waiting to be done; 4 more after it",
        "Tue 31 Mar, 14:30 CEST 12:30 UTC \u00b7 8 days agoOverdue",
    ]  # fmt: skip
    assert rows[2][2:] == [
        "\u2016Blockeddata about the person is missing, or could not be had", "Step 0Mail, failed; 2 more after it",
        "when somebody resumes itOverdue",
    ]  # fmt: skip
    assert rows[1][2:] == ["\u25a0Finishedthe person replied", "\u2013", "ended Mon 23 Mar, 10:05 CET"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("state=finished", [1, 4]),
        ("state=blocked", [2, 3, 8, 9]),
        ("reason=out_of_office", [9]),
        ("reason=nobody_says_so", []),
        ("ended=replied", [1]),
        ("ended=manual&sequence=1", [4]),
        ("ended=replied&state=active", [1]),
        ("ended=replied&reason=paused", []),
        ("ended=nobody_says_so", []),
        ("sequence=2", [2, 5]),
        ("sequence=99", []),
        ("type=contact", [7]),
        ("type=contact&state=blocked", []),
        ("find=42", [6]),
        ("find=6", [6]),
        ("find=%236", [6]),
        ("find=12", []),
        ("find=a-7", [7]),
        ("find=99999999999999999999999", []),
        ("find=%00", []),
        ("state=nonsense", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]),
        ("after=10", [11, 13]),
        ("after=x", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]),
    ],
)
def test_filters_and_search(writer, query, numbers):
    """The list shows those that are as was asked, and nobody of another account."""
    assert listed(writer.page(f"enrollments?{query}")) == numbers


def listed(root):
    return [int(each.text.removeprefix("No. ")) for each in found(root, "span", class_="small")
            if (each.text or "").startswith("No. ")]  # fmt: skip


def test_an_address_is_looked_for_without_a_trace(writer):
    """Who looks for an address finds it at once; anything else is found at a path of its own, that can be kept."""
    values = fields_of_search(writer.page("enrollments"))

    answer = writer.send("enrollments", {**values, "find": " Lead42@Example.com "})
    assert answer.status_code == 200
    assert listed(parsed(answer.text)) == [6]
    assert listed(parsed(writer.send("enrollments", {**values, "find": "@"}).text)) == []
    elsewhere = writer.send("enrollments", {**values, "find": "42", "state": "active"})
    assert (elsewhere.status_code, elsewhere.headers["location"]) == (
        303, "/inspector/enrollments?find=42&state=active",
    )  # fmt: skip


def fields_of_search(root):
    (form,) = found(root, "form", role="search")
    return {each.get("name"): each.get("value", "") for each in form.iter("input")}


def test_pages_of_the_list(writer, monkeypatch):
    """The pages of the list lead from one to the next, and have everybody once."""
    monkeypatch.setattr("sequencer.http.inspector.listing._PER_PAGE", 5)
    path: str | None = "enrollments"
    seen = []
    while path:
        root = writer.page(path)
        seen.append(listed(root))
        path = next((each.get("href").removeprefix("/inspector/") for each in root.iter("a")
                     if each.text == "Next page"), None)  # fmt: skip

    assert seen == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 13]]


def test_pages_of_a_reason(monkeypatch):
    """A page of who is blocked for a reason is full of them, however many others are blocked between them."""
    monkeypatch.setattr("sequencer.http.inspector.listing._PER_PAGE", 2)
    world = made()
    for name in ("overdue", "later", "due"):
        world.engine.block(world.ids[name])
    with visiting(world, WRITER) as visitor:
        first = visitor.page("enrollments?reason=paused")
        (onward,) = [each.get("href") for each in first.iter("a") if each.text == "Next page"]
        second = visitor.page(onward.removeprefix("/inspector/"))

    assert [listed(first), listed(second)] == [[6, 8], [11, 13]]
    assert not [each for each in second.iter("a") if each.text == "Next page"]


def test_the_reasons_of_a_sequence_lead_to_who_has_them(writer):
    """Each number in a sequence's table of reasons is a link to just so many enrollments."""
    links = [each for each in writer.page("sequences/1").iter("a")
             if "reason=" in each.get("href") or "ended=" in each.get("href")]  # fmt: skip

    assert len(links) == 5
    for each in links:
        assert len(listed(writer.page(each.get("href").removeprefix("/inspector/")))) == int(each.text)


def test_a_strip_says_which_year_it_is():
    """The first label of a strip has its year unless all is in this one, and so has each with another than before."""
    calendar, since = Calendar("UTC"), pendulum.datetime(2025, 10, 6, tz="UTC")

    def labels(days, now):
        marks = [Mark(0, since, True, "done", "x"), Mark(1, since.add(days=days), True, "done", "x")]
        page = parsed(framed("", "x", _headed(strip(Ids(), "x", marks, calendar, now, since, ongoing=False))))
        texts = [(each.text, (each.get("class") or "").split()) for each in found(page, "text")]
        return [(text, "minor" in classes) for text, classes in texts if "label" in classes and "now" not in classes]

    assert labels(4, since)[0] == ("Mon 6 Oct", False)
    assert labels(4, since.add(years=1))[:2] == [("6 Oct 2025", False), ("Tue 7 Oct", True)]
    assert labels(500, since) == [
        ("6 Oct 2025", False), ("5 Jan 2026", True), ("6 Apr 2026", False), ("6 Jul", True), ("5 Oct", False),
    ]  # fmt: skip


def test_one_enrollment_tells_its_story(writer):
    """The page of an enrollment has its steps as done, now and planned, with moments, delays, reasons and events."""
    said = squeezed(text_of(writer.page("enrollments/7")))

    for each in [
        "contact a-7",
        "Next: Decide whether to go on (task, step 4), Thu 9 Apr, 09:00 CEST, in 22 hours.",
        "Done Mail, sent Step 0: Template 1Mon 30 Mar, 14:30 CEST 12:30 UTC \u00b7 9 days agoat once after the start",
        "Now Task, planned Step 4: Decide whether to go onThu 9 Apr, 09:00 CEST 07:00 UTC \u00b7 in 22 hours",
        "Planned Mail, planned Step 5: Template 4Fri 10 Apr, 09:00 CEST",
        "counts from the end of step 3, 2026-04-07T09:00:00+02:00",
        "counts from the end of step 4, 2026-04-09T09:00:00+02:00",
        "6 steps on the clock of Europe/Warsaw, 4 of them over. Next: step 4, task, planned.",
        "Holiday, Mon 6 Apr",
        "Tue 31 Mar, 16:00 CEST \u00b7 step 1The task was completed.",
    ]:
        assert squeezed(each) in said


def squeezed(text):
    return "".join(text.split())


def test_what_is_wrong_is_said_without_asking(writer):
    """Of a step that failed the page shows at once why, and what can be done."""
    said = text_of(writer.page("enrollments/2"))

    assert "because data about the person is missing, or could not be had" in said
    assert "no value for the merge field plan" in said
    assert "Give the person what is missing" in said


def test_l8_a_mail_that_will_not_leave_is_told_at_the_top(world):
    """Who looks sees without unfolding anything that the next mail will not leave, and at the step why; no address."""
    world.engine.suppress("going@example.com")
    try:
        with visiting(world, READER) as visitor:
            root = visitor.page(f"enrollments/{world.ids['going']}")
            other = visitor.page(f"enrollments/{world.ids['overdue']}")
    finally:
        world.engine.unsuppress("going@example.com")

    position = next_mail(world.engine.get(world.ids["going"]))
    said = f"The address that is stored is suppressed: the mail of step {position} will not leave, and the enrollment"
    assert said in text_of(root)
    (step,) = found(root, "li", id=f"step-{position}")
    assert "This mail will not leave" in text_of(step)
    assert "suppressed" not in text_of(other)
    assert "going@example.com" not in text_of(root)


def test_nothing_personal_is_shown(world, writer):
    """No page shows an address or a merge field, as the API does not either."""
    for view in VIEWS:
        said = writer.client.get(f"/inspector/{view}").text
        assert "example.com" not in said.replace("Lead42@Example.com", "")
        assert "Grace" not in said
        assert "gold" not in said


def test_the_host_can_show_the_person(world):
    """Where the host says where it shows a lead, its page is linked, unless the link would run something."""
    places: dict[Any, str | None] = {42: "https://crm.example/leads/42", 44: "javascript:alert(1)", 45: None}

    def url(resource: Resource) -> str | None:
        return places[resource.id]

    with visiting(world, WRITER, resource_url=url) as visitor:
        pages = {id: visitor.client.get(f"/inspector/enrollments/{id}").text for id in (6, 8, 9)}

    assert '<h1><a href="https://crm.example/leads/42">' in pages[6]
    assert "<h1><bdi>" in pages[8]
    assert "javascript" not in pages[8]
    assert "<h1><bdi>" in pages[9]


def test_now_says_what_is_due_overdue_and_blocked(writer):
    """The first page counts what goes on, and lists what is overdue, blocked and due, with why."""
    root = writer.page("")
    said = text_of(root)

    for each in [
        "6active",
        "1due",
        "5overdue",
        "4blocked",
        "1 the mail could not be delivered",
        "1 somebody paused it",
    ]:
        assert each in said
    assert listed(root) == [2, 3, 6, 8, 9, 2, 3, 8, 9, 13]


def test_overdue_goes_on_where_it_stopped(writer, monkeypatch):
    """Where a page cannot look through all that goes on, it says so, and leads on."""
    monkeypatch.setattr("sequencer.http.inspector.now._LOOKS_AT", 3)
    monkeypatch.setattr("sequencer.http.inspector.now._AT_ONCE", 3)
    root = writer.page("")
    assert "of those looked at" in text_of(root)
    (onward,) = [each.get("href") for each in root.iter("a") if each.text == "Look through further enrollments"]
    assert onward == "/inspector/?overdue_after=5#overdue"

    assert 6 in listed(writer.page(onward.removeprefix("/inspector/")))


def test_a_sequence_tells_what_it_does(writer):
    """The page of a sequence has its counts, a plan from now, its calendar and its policy."""
    said = squeezed(text_of(writer.page("sequences/1")))

    for each in [
        "4active", "3blocked", "2finished", "100\u202f%ended by a reply", "Step 3: Template 3Tue 14 Apr, 13:20 CEST",
        "passes over the weekend", "Mon, Tue, Wed, Thu, Fri: 09:00\u201317:00", "Mon 6 Apr 2026, Fri 1 May 2026",
        "Out of office" + "blocks it for 5 working days", "Who is in it",
    ]:  # fmt: skip
        assert squeezed(each) in said


def test_sequences_come_in_pages(writer, monkeypatch):
    """All sequences are listed, some to a page."""
    monkeypatch.setattr("sequencer.http.inspector.sequences._PER_PAGE", 2)
    assert "offset=2" in writer.client.get("/inspector/sequences").text
    root = writer.page("sequences?offset=2")

    assert [each.get("href") for each in root.iter("a") if "/sequences/" in each.get("href")] == [
        "/inspector/sequences/3"
    ]


def test_an_empty_account_is_no_error():
    """Where nobody is enrolled, every page says so."""
    with visiting(made(), "o" * 64) as visitor:
        visitor.page("enrollments?state=blocked")
        assert "Nothing is blocked." in text_of(visitor.page(""))
        assert "No enrollment is like this." in text_of(visitor.page("enrollments?state=blocked"))


def test_who_may_only_read_sees_no_buttons(world):
    """With a grant for reading there is nothing to press but the search and the way out."""
    with visiting(world, READER) as visitor:
        root = visitor.page("enrollments/6")
        assert "Read only" in text_of(root)
        assert ["".join(each.itertext()) for each in root.iter("button")] == ["Log out"]
        assert found(root, "nav", class_="actions") == []


def test_the_sheet_and_the_icon_can_be_kept(writer):
    """The style sheet is at a path of its content, for ever; nothing in it comes from elsewhere."""
    answer = writer.client.get(f"/inspector/{sheet_path()}")

    assert (answer.status_code, answer.content) == (200, sheet())
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert b"url(" not in sheet()
    assert b"@import" not in sheet()
    assert writer.client.get("/inspector/icon.svg").headers["content-type"].startswith("image/svg+xml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-20T09:00", "2026-04-20T07:00:00Z"),
        ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
        ("2026-04-20T09:00:30", "2026-04-20T07:00:00Z"),
        ("2026-04-20", None),
        ("20260420T0900", None),
        ("09:00", None),
        ("2026-13-01T00:00", None),
        ("P1D", None),
        ("0000-00-00T00:00", None),
        ("tomorrow at nine o'clock", None),
    ],
)
def test_a_local_time_that_somebody_types(text, expected):
    """A date and time of a form is on the enrollment's clock; in a gap it moves forward, of two the first is meant."""
    at = to_moment(text, "Europe/Warsaw")

    assert (at and at.to_iso8601_string()) == expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (59, "now"), (60, "in 1 minute"), (-3600, "1 hour ago"), (86_400 * 3, "in 3 days"),
     (-86_400 * 400, "1 year ago"), (86_400 * 45, "in 1 month")],
)  # fmt: skip
def test_how_far_away_a_moment_is(seconds, said):
    """A moment is said to be as far away as people would say it."""
    now: DateTime = pendulum.instance(NOW).in_timezone("UTC")
    assert away(now.add(seconds=seconds), now) == said
