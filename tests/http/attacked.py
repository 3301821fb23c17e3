"""What Schemathesis loads: an app to attack, and a check of ours beside its own."""

from __future__ import annotations

import schemathesis

from sequencer import Engine, MemoryStore, Resource
from sequencer.http import Grant, application
from tests.http.conftest import UNLIMITED, two_steps

TOKEN = "w" * 64
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def access(request):
    known = request.headers.get("authorization") == HEADERS["Authorization"]
    return Grant(None, "write", 1700155, "attacker") if known else None


def app():
    """With a few sequences and leads in them, so that the first ids are those of something."""
    engine = Engine(store=MemoryStore())
    for i in range(1, 4):
        engine.create_sequence(two_steps(f"Sequence {i}"))
        for lead in range(100, 104):
            engine.enroll(i, Resource("lead", lead, email=f"lead{lead}@example.com"))
    return application(engine, access=access, limits=UNLIMITED, inspector=False)


@schemathesis.check
def refused_for_what_no_schema_can_say(ctx, response, case):
    """A request that the document allows is refused only for the state of things, or as an incorrect value."""
    if case.meta is None or case.meta.generation.mode is not schemathesis.GenerationMode.POSITIVE:
        return
    if response.status_code == 422:
        codes = {each["error"]["code"] for each in response.json()["errors"]}
        allowed = {"incorrect_value", "already_exists", "incorrect_payload"}
        if case.operation.definition.raw["operationId"] == "signalSequenceEnrollment":
            allowed.add("missing")  # the key is needed in one of two places
        assert codes <= allowed, response.text
    assert response.status_code != 400, response.text
