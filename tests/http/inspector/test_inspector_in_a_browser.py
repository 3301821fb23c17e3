"""The inspector in a real Chromium, on a real server: every view and every button, by sight, by key and by ear.

What was seen is left as pictures in `build/inspector/`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.browser import launched, refused_by_policy, shut_out
from tests.http.driving import served
from tests.http.inspector.looking import mounted
from tests.http.inspector.world import READER, WRITER, made

UNFOLDED = (
    "addEventListener('DOMContentLoaded', () => document.querySelectorAll('details').forEach(each => each.open = true))"
)
PICTURES = Path(__file__).resolve().parents[3] / "build" / "inspector"
WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 320, "height": 640}
VIEWS = {
    "now": "", "enrollments": "enrollments", "nothing": "enrollments?find=nobody", "going": "enrollments/7",
    "failed": "enrollments/3", "hostile": "enrollments/10", "finished": "enrollments/1", "block": "enrollments/7/block",
    "resume": "enrollments/8/resume", "finish": "enrollments/7/finish", "sequences": "sequences",
    "sequence": "sequences/1", "year": "sequences/2", "not-there": "enrollments/999",
    "not-possible": "enrollments/1/skip",
}  # fmt: skip
# One of each structure, and one of each that has colours of its own; the others are made of the same parts.
STRUCTURES = (
    "now", "enrollments", "failed", "block", "resume", "finish", "sequences", "sequence", "not-there", "login",
)  # fmt: skip
COLOURS = ("now", "enrollments", "failed", "resume", "finish", "sequence", "login")

STICKING_OUT = """() => {
    const found = [], box = each => each.getBoundingClientRect(), shown = each => box(each).width > 0;
    for (const each of document.querySelectorAll('.cards td *, .cards th *'))
        if (box(each).right > box(each.closest('td, th')).right + 1) found.push(each.textContent);
    for (const strip of document.querySelectorAll('figure')) {
        const labels = [...strip.querySelectorAll('.label:not(.now)')].filter(shown);
        labels.forEach((each, at) => {
            const end = at + 1 < labels.length ? box(labels[at + 1]).left : box(strip).right;
            if (box(each).right > end) found.push(each.textContent);
        });
    }
    for (const each of document.querySelectorAll('.scrolls'))
        if (each.scrollWidth > each.clientWidth) found.push(each.textContent);
    return found;
}"""


@pytest.fixture(scope="module")
def world():
    return made()


@pytest.fixture(scope="module")
def server(world):
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served(mounted(world)) as url:
        yield f"{url}/inspector/"


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser, server):
    """Opens pages as somebody; in the end nothing may have been asked of anybody else, and nothing complained about."""
    contexts, wrong = [], []

    def open_page(path="", *, secret=WRITER, scheme="light", size=WIDE, **more):
        context = browser.new_context(
            color_scheme=scheme, viewport=size, reduced_motion="reduce", locale="en-US", **more
        )
        contexts.append(context)

        def route(each):
            if each.request.url.startswith(server):
                each.continue_()
            else:
                wrong.append(each.request.url)
                each.abort()

        context.route("**/*", route)
        if secret:
            context.add_cookies([
                {"name": "sequencer_session", "value": secret, "url": server, "httpOnly": True, "sameSite": "Strict"}
            ])  # fmt: skip
        page = context.new_page()
        # That a page is refused with a status is what the browser, too, says of a page that says so.
        page.on("console", lambda message: None if "status of 4" in message.text else wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(server + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def look(page, name):
    """Leave a picture, and see that nobody is shut out."""
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    assert shut_out(page) == "", name


def look_again(page, name):
    """The same in other colours, with the rules that are about colours."""
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    about = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
    assert page.evaluate("async about => (await axe.run(about)).violations", about) == [], name


def test_no_kind_of_view_shuts_anybody_out(opened, server):
    """axe-core finds nothing on a view of any structure, unfolded; nor in dark colours, in what depends on them."""
    page = opened()
    page.context.add_init_script(UNFOLDED)
    for name in STRUCTURES:
        page.goto(server + {**VIEWS, "login": "login"}[name])
        look(page, f"{name}-light")
        if name in COLOURS:
            light = lightness(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.emulate_media(color_scheme="dark")
            look_again(page, f"{name}-dark")
            assert light > 700
            assert lightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 100
            page.emulate_media(color_scheme="light")


def lightness(colour):
    return sum(json.loads("[" + colour.removeprefix("rgb(").removesuffix(")") + "]"))


def test_every_view_fits_a_phone(opened, server):
    """At 320 pixels no view scrolls sideways, whatever the names, and what can be pressed is large enough to."""
    page = opened(size=PHONE)
    page.context.add_init_script(UNFOLDED)
    for name, path in VIEWS.items():
        page.goto(server + path)
        page.screenshot(path=PICTURES / f"{name}-phone.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], name
        heights = page.evaluate(
            "[...document.querySelectorAll('button, .button, input:not([type=hidden], [type=radio]), select')]"
            ".map(each => each.getBoundingClientRect().height)"
        )
        assert min(heights, default=24) >= 24, name


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_leaves_its_place(opened, server, width):
    """No text juts out of its cell, no label out of its strip, no label over another, and no table is cut off."""
    page = opened(size={"width": width, "height": 800})
    for name in ("now", "enrollments", "sequences", "year", "going", "failed"):
        page.goto(server + VIEWS[name])
        assert page.evaluate(STICKING_OUT) == [], name


def test_all_of_an_action_with_the_keyboard(opened, world):
    """From the log-in to a blocked enrollment and back out, with keys alone, seeing at each moment where one is."""
    page = opened("enrollments/11", secret=None)
    keys = page.keyboard

    def reach(said):
        """Go on with Tab until something with this name has the focus; it must be seen to have it."""
        for _ in range(60):
            keys.press("Tab")
            name, outline = page.evaluate(
                "[(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim(),"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            if re.fullmatch(said, name):
                assert outline != "none", said
                return
        raise AssertionError(said)

    reach("Token")
    keys.type(WRITER)
    keys.press("Enter")
    page.wait_for_url("**/enrollments/11")
    reach("Skip to the content")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reach("Block …")
    keys.press("Enter")
    page.wait_for_url("**/block?revision=1")
    reach("Why")
    keys.press("Control+A")
    keys.type("trade fair")
    reach("Until .*")
    keys.type("04202026")
    keys.press("Tab")
    keys.type("0900AM")
    page.screenshot(path=PICTURES / "keyboard.png")
    reach("Block")
    keys.press("Enter")
    page.wait_for_url("**/enrollments/11?done=block")
    assert page.get_by_role("status").inner_text() == "It is blocked."
    enrollment = world.engine.get(11)
    assert (enrollment.blocked_reason, f"{enrollment.blocked_until}") == ("trade fair", "2026-04-20 07:00:00+00:00")
    reach("Resume …")
    keys.press("Enter")
    page.wait_for_url("**/resume?revision=2")
    reach("Wait out what was left")
    keys.press("ArrowDown")
    keys.press("Enter")
    page.wait_for_url("**/enrollments/11?done=resume")
    assert world.engine.get(11).state == "active"
    page.screenshot(path=PICTURES / "done.png", full_page=True)
    keys.press("Shift+Tab")
    reach("Log out")
    keys.press("Enter")
    page.wait_for_url("**/login")


def test_every_button(opened, world, server):
    """Each verb, pressed with the mouse on the page of an enrollment, asks, is done, and says so."""
    page = opened()
    presses = [
        ("overdue", "Complete the task", "The task is completed."),
        ("away", "Resume", "It goes on."),
        ("going", "Skip the step", "The step is skipped."),
        ("going", "Block", "It is blocked."),
        ("going", "Finish", "It is finished."),
    ]
    for who, verb, said in presses:
        page.goto(f"{server}enrollments/{world.ids[who]}")
        page.get_by_role("link", name=f"{verb} …").click()
        assert page.get_by_role("heading", level=1).inner_text().endswith("?")
        page.get_by_role("button", name=verb, exact=True).click()
        assert page.get_by_role("status").inner_text() == said
        assert page.title().startswith(said)
    page.goto(f"{server}enrollments/8/finish")
    page.get_by_role("link", name="Leave it as it is").click()
    assert world.engine.get(8).state == "blocked"


def test_the_search_and_the_ways_around(opened, server):
    """The search finds by number, id and address; every page of the head is reached, and says where one is."""
    page = opened("enrollments")
    for text, rows in [("42", 1), ("lead46@example.com", 1), ("nobody", 0)]:
        page.get_by_label("Find").fill(text)
        page.get_by_role("button", name="Show").click()
        assert page.locator("tbody tr").count() == rows
        assert "example" not in page.url
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("State").select_option("Blocked")
    page.get_by_role("button", name="Show").click()
    assert page.url == f"{server}enrollments?state=blocked"
    for name in ("Sequences", "Now", "Enrollments"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        assert page.locator("[aria-current=page]").inner_text() == name
        assert page.get_by_role("heading", level=1).inner_text() == name


def test_who_may_only_read_has_nothing_to_press(opened):
    """With a token for reading the same page has no actions."""
    page = opened("enrollments/6", secret=READER)
    page.screenshot(path=PICTURES / "read-only.png", full_page=True)

    assert page.get_by_role("navigation", name="What can be done").count() == 0
    assert page.get_by_role("button").all_inner_texts() == ["Log out"]


def test_another_site_cannot_press_a_button(opened, browser, server, world):
    """A page of another origin, in the browser of who is logged in, neither shows a page nor sends a form of it."""
    mine = opened("enrollments/3/finish")
    token = mine.locator("input[name=token]").last.input_value()
    other = mine.context.new_page()
    evil = server.replace("127.0.0.1", "localhost").removesuffix("inspector/")
    mine.context.unroute_all()
    mine.context.route(
        f"{evil}**",
        lambda each: each.fulfill(
            content_type="text/html",
            body=f"<form method=post action='{server}enrollments/3/finish'><input name=token value='{token}'>"
            f"<input name=revision value={world.engine.get(3).revision}><button>Win</button></form>"
            f"<iframe src='{server}'></iframe>",
        ),
    )
    other.goto(evil)
    assert other.frames[1].evaluate("location.href").startswith("chrome-error:")
    other.get_by_role("button", name="Win").click()

    assert world.engine.get(3).state == "blocked"
    assert other.get_by_role("heading", level=1).inner_text() == "You are coming from elsewhere"


def test_the_policy_lets_nothing_in(browser, server):
    """A script or style that somebody puts into a page is refused by its own policy."""
    page = browser.new_page()
    page.goto(f"{server}login")
    assert refused_by_policy(page) == ["script-src-elem", "style-src-elem"]
    page.close()
