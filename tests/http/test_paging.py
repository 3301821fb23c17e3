"""Pages: whoever follows the links from any page size sees everything once, in order, and gets back again."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Engine, MemoryStore, Resource
from sequencer.http import application, open_access
from sequencer.http.limits import Limits
from tests.http.conftest import UNLIMITED, tasks
from tests.http.driving import BASE, client_of

ENROLLMENTS, SEQUENCES = "/v2/sequence_enrollments", "/v2/sequences"
MANY = 37


@pytest.fixture(scope="module")
def filled():
    """A client of an engine with 37 enrollments of 37 leads and contacts, and as many sequences."""
    store = MemoryStore()
    engine = Engine(store=store)
    for i in range(MANY):
        engine.enroll(
            tasks(f"Sequence {i % 3}" if i < 3 else f"Other {i}"), Resource("lead" if i % 2 else "contact", i)
        )
    with client_of(application(engine, access=open_access(), limits=UNLIMITED, inspector=False)) as client:
        yield client
    store.close()


def walked(client, url):
    """The ids on every page from this one on, following `next_page`, and the URLs of those pages."""
    pages, urls = [], []
    while url is not None:
        page = client.get(url).json()
        assert page["meta"]["type"] == "collection"
        assert page["meta"]["count"] == len(page["items"])
        links = page["meta"]["links"]
        assert list(links) == [name for name in ("self", "first_page", "prev_page", "next_page") if name in links]
        pages.append([item["data"]["id"] for item in page["items"]])
        urls.append(links["self"])
        url = links.get("next_page")
    return pages, urls


@given(path=st.sampled_from([ENROLLMENTS, SEQUENCES]), per_page=st.integers(1, 100))
def test_everything_once(filled, path, per_page):
    """Following `next_page` until it is missing gives every item once, in the order of the ids, on full pages."""
    pages, urls = walked(filled, f"{path}?per_page={per_page}")

    assert [id for page in pages for id in page] == list(range(1, MANY + 1))
    assert all(len(page) == per_page for page in pages[:-1])
    assert 1 <= len(pages[-1]) <= per_page
    for i, url in enumerate(urls):
        links = filled.get(url).json()["meta"]["links"]
        assert links["self"] == url
        assert links["first_page"] == urls[0]
        assert links.get("prev_page") == (urls[i - 1] if i else None)


def test_a_page_has_twenty_five(filled):
    """Without `per_page` a page has 25 items."""
    assert len(filled.get(ENROLLMENTS).json()["items"]) == 25


@given(page=st.integers(1, 1_000_000_000), per_page=st.integers(1, 100))
def test_any_page_can_be_asked_for(filled, page, per_page):
    """A page is what is between its offsets, also far beyond the end, where it is empty and has no next one."""
    found = filled.get(f"{ENROLLMENTS}?page={page}&per_page={per_page}").json()
    ids = list(range(1, MANY + 1))[(page - 1) * per_page : page * per_page]

    assert [item["data"]["id"] for item in found["items"]] == ids
    assert ("next_page" in found["meta"]["links"]) == (page * per_page < MANY)


@given(
    ids=st.none() | st.lists(st.integers(1, MANY + 5), min_size=1, max_size=20),
    resource_type=st.none() | st.sampled_from(["lead", "contact", "deal"]),
    resource_ids=st.none() | st.lists(st.integers(0, MANY + 5), min_size=1, max_size=20),
    per_page=st.integers(1, 7),
)
def test_filters_hold_on_every_page(filled, ids, resource_type, resource_ids, per_page):
    """All filters hold together, and go with the links."""
    query = {"per_page": str(per_page)}
    if ids is not None:
        query["ids"] = ",".join(map(str, ids))
    if resource_type is not None:
        query["resource_type"] = resource_type
    if resource_ids is not None:
        query["resource_ids"] = ",".join(map(str, resource_ids))
    pages, urls = walked(filled, f"{ENROLLMENTS}?{'&'.join(f'{k}={v}' for k, v in query.items())}")

    assert [id for page in pages for id in page] == [
        i + 1
        for i in range(MANY)
        if (ids is None or i + 1 in ids)
        and (resource_type is None or resource_type == ("lead" if i % 2 else "contact"))
        and (resource_ids is None or i in resource_ids)
    ]
    for url in urls:
        asked = parse_qs(urlsplit(url).query)
        assert {key: value for key, (value,) in asked.items() if key != "page"} == query


def test_a_name_is_exact(filled):
    """Sequences are found by the whole of their name."""
    names = [item["data"]["name"] for item in filled.get(f"{SEQUENCES}?name=Sequence+1").json()["items"]]

    assert names == ["Sequence 1"]
    assert filled.get(f"{SEQUENCES}?name=Sequence").json()["items"] == []


@pytest.mark.parametrize("prefix", ["/crm", "/a/b"])
def test_links_lead_back_through_the_prefix(engine, prefix):
    """Mounted in a host's app, the links, the location of what was made and the errors' links have its prefix."""
    host = FastAPI()
    host.mount(prefix, application(engine, access=open_access(), limits=UNLIMITED, inspector=False))
    for i in range(3):
        engine.enroll(tasks(), Resource("lead", i))
    with client_of(host) as client:
        pages, urls = walked(client, f"{prefix}{ENROLLMENTS}?per_page=2")
        made = client.post(
            f"{prefix}{ENROLLMENTS}", {"sequence_id": 1, "resource_type": "lead", "resource_id": 9}
        ).headers["location"]
        assert client.get(made).status_code == 200
        assert client.get(f"{prefix}/openapi.json").json()["servers"][0]["url"] == prefix
        missing = client.get(f"{prefix}{ENROLLMENTS}/99").json()
        assert client.get(missing["meta"]["links"]["more_info"].partition("#")[0]).status_code == 200

    assert pages == [[1, 2], [3]]
    assert all(url.startswith(f"{BASE}{prefix}{ENROLLMENTS}?") for url in urls)


def test_a_host_may_want_smaller_pages(engine):
    """The most items on a page is a limit of the application, and described as such."""
    app = application(engine, access=open_access(), limits=Limits(rate=None, per_page=10), inspector=False)
    with client_of(app) as client:
        assert client.get(f"{ENROLLMENTS}?per_page=10").status_code == 200
        assert client.get(f"{ENROLLMENTS}?per_page=11").status_code == 400
        assert client.get(ENROLLMENTS).status_code == 200
    (schema,) = [
        each["schema"]
        for each in app.openapi()["paths"][ENROLLMENTS]["get"]["parameters"]
        if each["name"] == "per_page"
    ]
    assert (schema["maximum"], schema["default"]) == (10, 10)


@pytest.mark.parametrize("prefix", ["/продажи", "/a b", "/100%"])
def test_a_prefix_may_be_any_text(prefix):
    """Under a prefix that no header could hold, what is made is answered, with links that lead there."""
    app = FastAPI()
    app.mount(prefix, application(Engine(MemoryStore()), access=open_access(), limits=UNLIMITED, inspector=False))
    steps = [{"action_type": "task", "delay_from_previous_step": 0, "delay_from_previous_step_unit": "hours",
              "action_properties": {"task_content": "Call"}}]  # fmt: skip
    with client_of(app) as client:
        url = quote(f"{prefix}/v2/sequences")
        made = client.post(url, {"format": 1, "name": "Hello", "steps": steps})
        assert (made.status_code, made.headers["location"]) == (201, f"{url}/1")
        assert client.get(made.headers["location"]).status_code == 200
        links = client.get(f"{url}?per_page=1").json()["meta"]["links"]
        assert links["self"] == f"{BASE}{url}?page=1&per_page=1"
