"""The report as a document: well formed, safe, the same at every time, and with the numbers of the answer in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from copy import deepcopy
from importlib.resources import files

import html5lib
import pytest
from hypothesis import Phase, example, given, settings

from sequencer.simulation.report import render, write
from sequencer.simulation.report.markup import document, element, styles
from tests.simulation.report.samples import SAMPLES, compared, small
from tests.simulation.report.strategies import HOSTILE, answers, texts

# A page is slow to make and slower to shrink.
FEW = settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
# Every element that a page may have; what else there were would come from an answer.
KNOWN = {
    "a", "bdi", "body", "caption", "circle", "data", "dd", "desc", "details", "div", "dl", "dt", "figcaption", "figure",
    "h1", "h2", "h3", "head", "header", "html", "i", "li", "line", "link", "main", "meta", "nav", "ol", "p", "path",
    "rect", "section", "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead",
    "time", "title", "tr", "ul",
}  # fmt: skip


def parsed(page: str) -> ET.Element:
    """The page as XML, which is strict."""
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def numbers(root: ET.Element, caption: str) -> list[list[float]]:
    """The numbers of the table with a caption, row by row."""
    (table,) = [each for each in root.iter("table") if each.findtext("caption") == caption]
    return [[float(each.get("value", "")) for each in row.iter("data")] for row in table.findall("tbody/tr")]


@FEW
@given(answers())
def test_every_page_is_well_formed(answer):
    """Whatever the answer, its page is valid HTML for a strict parser and well-formed XML, and has only known parts."""
    page = render(answer)

    html5lib.HTMLParser(strict=True).parse(page)
    root = parsed(page)
    assert {each.tag for each in root.iter()} <= KNOWN
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    named = {name for each in root.iter() for name in each.get("aria-labelledby", "").split()}
    assert named <= set(ids)
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on") or name == "style"]


@FEW
@given(answers())
def test_every_number_in_the_tables_is_the_answer_s(answer):
    """The tables of days, sequences, steps, senders and hours have the numbers of the answer, exactly and in order."""
    answer["intervals"] = answer["compare"] = None
    root = parsed(render(answer))

    if answer["per_day"]:
        counts = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
        assert numbers(root, "Every day") == [[day[key] for key in counts] for day in answer["per_day"]]
        if answer["per_actor"]:
            assert numbers(root, "Every sender") == [
                [
                    actor[key]
                    for key in (
                        "enrollments", "emails", "tasks", "tasks_completed", "overdue", "deferred", "most_emails",
                        "most_tasks",
                    )
                ]
                + [len(actor["cap_days"])]
                for actor in answer["per_actor"]
            ]  # fmt: skip
    if any(map(any, answer["sends"])):
        wanted = [[*hours, sum(hours)] for hours in answer["sends"]]
        assert numbers(root, "Mails by the recipient's weekday and hour") == wanted
    groups = answer["per_sequence"] if len(answer["per_sequence"]) == 1 else [answer, *answer["per_sequence"]]
    shown = Counter(row[0] for row in numbers(root, "How they end"))
    assert shown == Counter(count for each in groups for count in each["outcomes"].values())
    if answer["enrollments"]:
        answered = [row[0] for row in numbers(root, "Who answers")]
        assert answered == [count for each in groups for count in each["people"].values()]
    assert _steps_shown(root) == [
        [step[key] for key in ("position", "reached", "done", "skipped", "failed", "overdue", "deferred", "replied")]
        + [step["ended"], *([] if step["median_hours"] is None else [step["median_hours"]])]
        for sequence in answer["per_sequence"]
        for step in sequence["steps"]
    ]


def _steps_shown(root):
    (section,) = [each for each in root.iter("section") if each.get("id") == "steps"]
    return [[float(each.get("value")) for each in row.iter("data")] for row in section.findall(".//tbody/tr")]


def test_intervals_and_differences_are_in_the_tables():
    """Where there are intervals and another design, each table of them has the answer's numbers."""
    answer = compared()
    root = parsed(render(answer))

    expected = [
        [found[key] for key in ("this", "other", "difference", "low", "high")]
        for section in ("outcomes", "people", "totals")
        for found in answer["compare"][section].values()
        if any(found.values())
    ]
    shown = numbers(root, "Differences of all")
    others = answer["compare"]["outcomes"].keys() | answer["compare"]["people"].keys()
    names = answer["compare"]["totals"].keys() & others
    own = [list(answer["compare"]["totals"][key].values()) for key in names]
    assert sorted(shown + own) == sorted(expected)
    for row, day, found in zip(
        numbers(root, "Every day"), answer["per_day"], answer["intervals"]["per_day"], strict=True
    ):
        assert row[1:4] == [day["emails"], found["emails"]["low"], found["emails"]["high"]]


@FEW
@given(answers())
def test_the_same_answer_gives_the_same_bytes(answer):
    """A page depends on its answer alone, also after a way through JSON, and leaves the answer as it was."""
    before = deepcopy(answer)

    assert render(answer) == render(json.loads(json.dumps(answer)))
    assert answer == before


@given(texts)
@example("</style><script>alert(1)</script>")
def test_text_is_only_ever_text(text):
    """What is put into an element or an attribute comes out as the same text, without what nobody can write."""
    root = parsed(document(element("p", text, element("bdi", text), title=text)))

    shown = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]", "\ufffd", text)
    shown = "".join("\ufffd" if ord(each) & 0xFFFE == 0xFFFE else each for each in shown)
    assert root.text == (shown or None)
    assert list(root) == [root[0]]


def renamed(value, text):
    """The same answer, where everything that has a name has this one."""
    if isinstance(value, dict):
        named = {"name", "what", "actor_id", "says", "with"}
        return {key: text if key in named else renamed(each, text) for key, each in value.items()}
    return [renamed(each, text) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text):
    """A hostile name of anything is shown and does nothing: no element, no attribute and no address comes of it."""
    plain = compared()
    answer = renamed(plain, text)

    hostile, usual = (parsed(render(each, title=each["compare"]["with"])) for each in (answer, plain))
    assert Counter(each.tag for each in hostile.iter()) == Counter(each.tag for each in usual.iter())
    assert {name for each in hostile.iter() for name in each.attrib} == {
        name for each in usual.iter() for name in each.attrib
    }
    isolated = [each.text for each in hostile.iter("bdi")]
    assert len(isolated) > 20


def test_markup_refuses_odd_names():
    """Elements and attributes have names that are written in the code; what is no such name is refused."""
    with pytest.raises(ValueError, match="is no name"):
        element("p onload=x")
    with pytest.raises(ValueError, match="is no name"):
        element("p", **{"on load": "x"})
    with pytest.raises(ValueError, match="style sheets"):
        element("style", "x")
    with pytest.raises(ValueError, match="may not contain"):
        styles("</style>")


def test_a_page_is_written(tmp_path):
    """`write` puts the page of `render` into a file, in UTF-8."""
    path = tmp_path / "report.html"
    write(small(), path, title="Spring \u2600")

    assert path.read_bytes().decode() == render(small(), title="Spring \u2600")


def test_pages_stay_small():
    """500 days of 40 senders, and 400 senders, make pages that can be sent by mail."""
    assert {name: len(render(made()).encode()) < 700_000 for name, made in SAMPLES.items()} == dict.fromkeys(
        SAMPLES, True
    )


def test_the_report_is_only_loaded_where_it_is_used():
    """The whole of the public door loads nothing of the report."""
    script = "import sys; from sequencer import *; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not [each for each in done.stdout.split() if each.startswith("sequencer.simulation.report")]


# -- colours ----------------------------------------------------------------------------------------------------

_ENDS = ("meeting-booked", "converted", "replied", "completed", "unsubscribed", "bounced", "blocked", "other")
PAIRS = [
    *((text, "paper") for text in ("ink", "quiet", "link", "late-text", "mail", "task")),
    ("quiet", "weekend"),
    *(("on", f"end-{each}") for each in _ENDS),
    ("on-pale", "end-ongoing"),
    ("on-pale", "end-refused"),
]


def _schemes():
    folder = files("sequencer.simulation.report")
    sheet = "".join(folder.joinpath(name).read_text("utf-8") for name in ("ground.css", "style.css"))
    light, dark, printed = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    )
    return {"light": light, "dark": light | dark, "print": light | printed}


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_contrast(scheme):
    """Each colour of a text stands out from its ground by 4.5 to 1 or more, in every scheme."""
    colours = _schemes()[scheme]
    weak = {}
    for text, ground in PAIRS:
        darker, lighter = sorted((_luminance(colours[text]), _luminance(colours[ground])))
        ratio = (lighter + 0.05) / (darker + 0.05)
        if ratio < 4.5:
            weak[text, ground] = round(ratio, 2)

    assert weak == {}
