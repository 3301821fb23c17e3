"""The report in a real Chromium: nothing is fetched, nothing complains, nobody is shut out, and it fits a phone."""

from __future__ import annotations

import json

import pytest

from sequencer.simulation.report import write
from tests.browser import launched, refused_by_policy, shut_out
from tests.simulation.report.samples import SAMPLES, compared
from tests.simulation.report.strategies import HOSTILE

CONTRAST = "color-contrast"
WITHOUT_REPEATS = """() => document.querySelectorAll('tbody').forEach(body => {
    const seen = new Set();
    for (const row of [...body.rows]) {
        const looks = row.className + row.innerHTML.replace(/>[^<]*| (?:value|datetime)="[^"]*"/g, '');
        if (seen.has(looks)) row.remove();
        seen.add(looks);
    }
})"""
"""Leaves one row of each kind in a table; kinds differ in more than words and numbers."""
WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 360, "height": 740}


def hostile():
    """An answer with the worst names in all places."""
    answer = compared()
    for at, each in enumerate(answer["per_sequence"]):
        each["name"] = answer["sequences"][at]["name"] = HOSTILE[at]
        for step in each["steps"]:
            step["what"] = HOSTILE[step["position"] % len(HOSTILE)]
    for at, each in enumerate(answer["per_actor"]):
        each["actor_id"] = HOSTILE[-1 - at]
    answer["compare"]["with"] = HOSTILE[5] + HOSTILE[7]
    return answer


MADE = {**SAMPLES, "hostile": hostile}


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, made in MADE.items():
        write(made(), folder / f"{name}.html")
    return folder


@pytest.fixture
def opened(browser, pages):
    """Opens a page; in the end, nothing may have been fetched or complained about."""
    contexts, wrong = [], []

    def open_page(name, *, scheme="light", size=WIDE):
        context = browser.new_context(color_scheme=scheme, viewport=size)
        contexts.append(context)
        url = (pages / f"{name}.html").as_uri()

        def route(each):
            if each.request.url == url or each.request.url.startswith("data:"):
                each.continue_()
            else:
                wrong.append(each.request.url)
                each.abort()

        context.route("**/*", route)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_scheme_and_shows_all_pictures(opened, scheme):
    """In both schemes the ground is of that scheme, and every picture is as wide as it should be and has its shapes."""
    page = opened("compared", scheme=scheme)

    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(json.loads("[" + ground.removeprefix("rgb(").removesuffix(")") + "]")) > 380) == (scheme == "light")
    boxes = page.evaluate("[...document.querySelectorAll('svg[role=img]')].map(e => e.getBoundingClientRect().width)")
    assert len(boxes) >= 4
    assert min(boxes) > 800
    assert len(page.screenshot(full_page=True)) > 50_000


@pytest.mark.parametrize("name", MADE)
def test_it_fits_a_phone(opened, name):
    """On a phone no page is wider than the screen, also with everything unfolded, and its labels keep their size."""
    page = opened(name, size=PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert page.evaluate("getComputedStyle(document.querySelector('svg .label')).fontSize") == "12px"


@pytest.mark.parametrize(("name", "scheme"), [("compared", "light"), ("compared", "dark"), ("hostile", "light")])
def test_nobody_is_shut_out(opened, name, scheme):
    """axe-core finds nothing, with all tables unfolded; whether a text can be read, on one of each kind of row.

    To find out what lies behind each of three thousand cells takes it ten times as long as all else, and cells of one
    kind have one colour.
    """
    page = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert shut_out(page, rules={CONTRAST: {"enabled": False}}) == ""
    rows = page.locator("tbody tr").count()
    page.evaluate(WITHOUT_REPEATS)
    assert 20 < page.locator("tbody tr").count() < rows / 2
    assert shut_out(page, runOnly=[CONTRAST]) == ""


def test_it_prints(opened):
    """Printed, in light colours also for a dark reader, the short tables are unfolded and the long ones are not."""
    page = opened("long", scheme="dark")
    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    heights = page.evaluate(
        "[...document.querySelectorAll('details')].map(e => [e.className, e.getBoundingClientRect().height > 40])"
    )
    assert {(name, shown) for name, shown in heights} == {("", True), ("long", False)}
    assert page.pdf(format="A4").startswith(b"%PDF-")


def test_the_policy_lets_nothing_in(browser, pages):
    """A script or style that somebody puts into the page is refused by its own policy."""
    page = browser.new_page()
    page.goto((pages / "small.html").as_uri())

    assert refused_by_policy(page) == ["script-src-elem", "style-src-elem"]
    page.close()
