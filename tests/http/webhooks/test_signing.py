"""Signing and telling what is genuine: in one voice with another's library, and refusing whatever was touched."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pendulum
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError

from sequencer import InvalidInput
from sequencer.http.webhooks import Unverified, new_secret, sign, verify

NOW = pendulum.datetime(2026, 3, 2, 9, 0, 0, tz="UTC")
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = '{"id":"evt_1","type":"enrollment.finished","data":{"é":1}}'

keys = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
ids = st.text(st.characters(codec="ascii", exclude_characters=".", categories=("L", "N", "P", "S")), min_size=1)
bodies = st.dictionaries(st.text(), st.integers() | st.text() | st.none()).map(json.dumps)
ages = st.integers(-300, 300)


def signed(body=BODY, id="evt_1", at=NOW, secret=SECRET):
    return sign(body, id=id, at=at, secret=secret)


def refusal(*arguments, **keywords):
    with pytest.raises(Unverified) as caught:
        verify(*arguments, **{"now": NOW, **keywords})
    return caught.value


@given(body=bodies, id=ids, secret=keys)
def test_another_library_signs_alike_and_takes_what_is_signed_here(body, id, secret):
    """The library of Standard Webhooks makes the same signature, and verifies ours; and `verify` takes what it made."""
    now = pendulum.now("UTC")
    headers = sign(body, id=id, at=now, secret=secret)

    assert headers["webhook-signature"] == Oracle(secret).sign(id, now, body)
    assert Oracle(secret).verify(body, headers) == json.loads(body) == verify(body.encode(), headers, secret)


@given(body=bodies, id=ids, age=ages, mine=keys, others=st.lists(keys, max_size=3), place=st.integers(0, 3))
def test_what_is_signed_is_genuine(body, id, age, mine, others, place):
    """The event comes out as it went in, within the tolerance, whichever of the secrets each side has."""
    secrets = [*others[:place], mine, *others[place:]]
    at = NOW.subtract(seconds=age)
    expected = json.loads(body)

    assert verify(body, sign(body, id=id, at=at, secret=secrets), mine, now=NOW) == expected
    assert verify(body.encode(), sign(body, id=id, at=at, secret=mine), secrets, now=NOW) == expected
    assert verify(body, sign(body, id=id, at=at, secret=" ".join(secrets)), mine, now=NOW) == expected


@given(st.data())
def test_whatever_is_touched_is_refused(data):
    """Change, drop or add one byte anywhere, in the body or in a header: nothing is believed any more."""
    parts = {"body": BODY.encode(), **{name: value.encode() for name, value in signed().items()}}
    name = data.draw(st.sampled_from(sorted(parts)))
    was, byte = parts[name], data.draw(st.integers(0x21, 0x7E))
    at = data.draw(st.integers(0, len(was) - 1))
    how = data.draw(st.sampled_from(["change", "drop", "add"]))
    now = (
        was[:at] + {"change": bytes([byte]), "drop": b"", "add": bytes([byte]) + was[at : at + 1]}[how] + was[at + 1 :]
    )
    assume(now != was)
    parts[name] = now
    body = parts.pop("body")

    refusal(body, {name: value.decode() for name, value in parts.items()}, SECRET)


@given(seconds=st.integers(-10_000, 10_000), tolerance=st.integers(0, 1_000))
@example(seconds=300, tolerance=300)
@example(seconds=301, tolerance=300)
@example(seconds=-301, tolerance=300)
def test_what_is_repeated_later_is_refused(seconds, tolerance):
    """Outside of the tolerance, before or after, even what is signed is not believed, and the reason says which."""
    headers, now = signed(), NOW.add(seconds=seconds)
    if abs(seconds) <= tolerance:
        assert verify(BODY, headers, SECRET, now=now, tolerance=tolerance)["id"] == "evt_1"
    else:
        error = refusal(BODY, headers, SECRET, now=now, tolerance=tolerance)
        assert error.reason == ("too_old" if seconds > 0 else "too_new")


@given(body=bodies, headers=st.dictionaries(st.sampled_from(sorted(signed())), st.text()))
@example(body=BODY, headers={"webhook-timestamp": "１７７２４４２０００"})
@example(body=BODY, headers={"webhook-timestamp": "1e9"})
@example(body=BODY, headers={"webhook-signature": ",,, v1 v1, v1,=\ud800"})
def test_no_headers_are_a_fault(body, headers):
    """Whatever stands in the headers is genuine or `Unverified`, never another error; without the secret it is not."""
    refusal(body, {**signed(body), **headers, "webhook-signature": headers.get("webhook-signature", "v1,")}, SECRET)


def test_why_it_is_refused():
    """The error names what is wrong, in words and as a reason."""
    headers = signed()
    without = {name: value for name, value in headers.items() if name != "webhook-timestamp"}
    cases = {
        "missing_header": (BODY, without),
        "malformed_header": (BODY, {**headers, "Webhook-ID": "evt_2"}),
        "wrong_signature": (BODY + " ", headers),
        "malformed_body": ("[1]", signed("[1]")),
    }
    for reason, (body, given_headers) in cases.items():
        error = refusal(body, given_headers, SECRET)
        assert error.reason == reason
        assert SECRET.removeprefix("whsec_") not in str(error)
    assert refusal("\ud800", headers, SECRET).reason == "malformed_body"
    assert refusal("{" * 100_000, signed("{" * 100_000), SECRET).reason == "malformed_body"
    assert refusal(BODY, {**headers, "webhook-id": "a.b"}, SECRET).reason == "malformed_header"
    assert "webhook-timestamp" in str(refusal(BODY, without, SECRET))
    assert "another" in str(refusal(BODY, headers, OTHER))


def test_headers_as_frameworks_have_them():
    """Names are in any case, and what Starlette and Django call headers will do, twice the same name will not."""
    from django.http.request import HttpHeaders
    from starlette.datastructures import Headers

    raw = [(name.encode(), value.encode()) for name, value in signed().items()]
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed().items()}
    assert verify(BODY.encode(), Headers(raw=raw), SECRET, now=NOW)
    assert verify(BODY.encode(), HttpHeaders(environ), SECRET, now=NOW)
    assert refusal(BODY.encode(), Headers(raw=[*raw, raw[0]]), SECRET).reason == "malformed_header"
    for spelled in (str.upper, str.title):
        assert verify(BODY, {spelled(name): value for name, value in signed().items()}, SECRET, now=NOW)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        [],
        "secret",
        "whsec_",
        "whsec_!!",
        "whsec_" + "QUJD",
        SECRET.removeprefix("whsec_"),
        [SECRET, None],
        "whsec_ü",
    ],
)
def test_a_secret_that_is_none(secret):
    """A secret that cannot be one is the caller's mistake, on both sides, and is not repeated in the message."""
    for attempt in (lambda: signed(secret=secret), lambda: verify(BODY, signed(), secret, now=NOW)):
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert caught.value.path == "secret"
        assert "QUJD" not in str(caught.value)
        assert SECRET.removeprefix("whsec_") not in str(caught.value)


def test_an_id_cannot_be_cut_elsewhere():
    """A full stop in an id would let another body be read out of the same signed text."""
    for id in ("", "a.b", "a b", "a\n", "é", "x" * 257):
        with pytest.raises(InvalidInput):
            signed(id=id)


def test_secrets_are_new_each_time():
    """Each has 256 bits of its own, and the library of Standard Webhooks takes it."""
    one, two = new_secret(), new_secret()

    assert one != two
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32
    Oracle(one)


def test_the_oracle_refuses_what_is_refused_here():
    """What the two sides of the comparison agree on includes that a wrong signature is none."""
    headers = sign(BODY, id="evt_1", at=pendulum.now("UTC"), secret=OTHER)

    with pytest.raises(WebhookVerificationError):
        Oracle(SECRET).verify(BODY, headers)


def test_receiving_needs_no_extra():
    """Neither httpx nor a web framework is imported by whoever only verifies."""
    script = (
        "import sys\nfrom sequencer.http.webhooks import verify\n"
        "print({'httpx', 'fastapi', 'starlette', 'pydantic', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
