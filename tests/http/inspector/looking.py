"""What every page has to be: valid, with known parts only, complete for who cannot see it; and how tests ask."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager

import html5lib
from starlette.applications import Starlette

from sequencer.http.access import bearer
from sequencer.http.inspector import inspector, mount
from tests.http.driving import client_of
from tests.http.inspector.world import Known

KNOWN = {
    "a", "aside", "bdi", "body", "button", "caption", "circle", "code", "data", "datalist", "dd", "defs", "desc",
    "details", "div", "dl", "dt", "fieldset", "figure", "form", "g", "h1", "h2", "h3", "head", "header", "html",
    "input", "label", "legend", "li", "line", "link", "main", "meta", "nav", "ol", "option", "p", "path", "pattern",
    "rect", "section", "select", "span", "strong", "summary", "svg", "table", "tbody", "td", "text", "th", "thead",
    "time", "title", "tr", "ul",
}  # fmt: skip
HEADINGS = ("h1", "h2", "h3")


def parsed(page):
    """The page as a strict parser of HTML reads it, after a look at what every page has to be."""
    root = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    parts = [each for each in root.iter() if isinstance(each.tag, str)]
    for each in parts:
        each.tag = each.tag.rpartition("}")[2]
    assert {each.tag for each in parts} <= KNOWN
    assert not [name for each in parts for name in each.attrib if name.startswith("on") or name == "style"]
    ids = [each.get("id") for each in parts if each.get("id")]
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-describedby", "for", "list"):
        assert {named for each in parts for named in each.get(name, "").split()} <= set(ids), name
    labelled = {each.get("for") for each in parts if each.tag == "label"}
    fields = [each for each in parts if each.tag in {"input", "select"} and each.get("type") != "hidden"]
    assert {each.get("id") for each in fields} <= labelled
    levels = [HEADINGS.index(each.tag) for each in parts if each.tag in HEADINGS]
    assert levels[:1] == [0]
    assert levels.count(0) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert next(each.get("href") for each in parts if each.tag == "a") == "#main"
    for each in parts:
        for address in (each.get("href"), each.get("action")):
            assert address is None or address.startswith(("#", "/")) or each.get("data-host"), address
    return root


def text_of(root):
    """All that stands on a page, in one line."""
    return " ".join("".join(root.itertext()).split())


def found(root, tag, **attributes):
    """The elements of a kind that have these attributes."""
    wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    return [each for each in root.iter(tag) if all(each.get(name) == value for name, value in wanted.items())]


def fields(root):
    """What the form in the main part of a page would send as it stands."""
    (main,) = root.iter("main")
    (form,) = main.iter("form")
    sent = {}
    for each in form.iter("input"):
        if each.get("type") != "radio" or each.get("checked") is not None:
            sent[each.get("name")] = each.get("value", "")
    return sent


class Visitor:
    """Somebody with a browser without scripts: keeps cookies, follows links, fills in forms."""

    def __init__(self, client):
        self.client = client

    def page(self, path="", *, status=200, **given):
        answer = self.client.get(f"/inspector/{path}", **given)
        assert answer.status_code == status, answer.text
        return parsed(answer.text)

    def send(self, path, values, *, origin="http://127.0.0.1", **headers):
        headers = {"origin": origin, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.request("POST", f"/inspector/{path}", data=values, headers=headers)

    def log_in(self, secret):
        values = fields(self.page("login"))
        answer = self.send("login", {**values, "secret": secret})
        assert answer.status_code == 303, answer.text
        return answer

    def ask(self, id, verb, **answers):
        """Say yes to what a page asks, with these answers."""
        root = self.page(f"enrollments/{id}/{verb}")
        return self.send(f"enrollments/{id}/{verb}", {**fields(root), **answers})

    def revision(self, id):
        return int(re.findall(r"Revision\s*(\d+)", text_of(self.page(f"enrollments/{id}")))[0])


def mounted(world, *, access=None, known=None, **options):
    """The inspector under /inspector of another application."""
    known = known or Known()
    options = {"tokens": known, **options} if access is None else options
    app = Starlette()
    mount(app, "/inspector", inspector(world.engine, access or bearer(known), **options))
    return app


@contextmanager
def visiting(world, secret=None, **options):
    """A visitor, logged in if there is a secret."""
    with client_of(mounted(world, **options)) as client:
        visitor = Visitor(client)
        if secret is not None:
            visitor.log_in(secret)
        yield visitor
