"""Limits: sizes that a request may have, and the rate at which requests may come."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequencer import InvalidInput
from sequencer.http.limits import Limits, RateLimiter, client_of, is_deeper

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('[]{}"\\a,:é')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('[{"\\'), max_size=3), inner),
    max_leaves=20,
)


def depth_of(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(value=JSON, most=st.integers(0, 8))
def test_depth_is_told_without_reading(value, most):
    """What a scan of the bytes says of the nesting is what the value has that is read from them."""
    body = json.dumps(value, ensure_ascii=False).encode()
    assert is_deeper(body, most) is (depth_of(value) > most)


@given(body=st.binary(max_size=50))
@example(b'"')
@example(b'["\\')
def test_depth_of_anything(body):
    """Whatever bytes come, there is an answer."""
    assert is_deeper(body, 1000) is False


@pytest.mark.parametrize("part", [b"[", b'"', b'\\"', b'"\\', b"{[", b'["', b"]", b"a"])
def test_the_scan_takes_linear_time(part):
    """A body of a megabyte that is made to be slow takes no longer than one that is not: well under a second."""
    body = part * (1_000_000 // len(part)) + b"\\"
    began = time.process_time()
    is_deeper(b'"' + body, 10_000_000)
    assert time.process_time() - began < 2


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 5) | st.just(0.0), max_size=200),
)
def test_no_more_than_the_rate_allows(rate, burst, pauses):
    """In no span do more come through than the burst and what flows in over it; who waits as told comes through."""
    limiter, now, passed = RateLimiter(rate, burst), 100.0, []
    for pause in pauses:
        now += pause
        wait = limiter.take("a", now)
        if wait is None:
            passed.append(now)
            continue
        assert 0 < wait <= 1 / rate + 1e-6
        now += wait + 1e-6
        assert limiter.take("a", now) is None
        passed.append(now)
    for i, first in enumerate(passed):
        for count, last in enumerate(passed[i:], 1):
            assert count <= burst + (last - first) * rate + 1e-3


def test_each_name_has_a_bucket_of_its_own():
    """One caller who has used up the burst takes nothing from another, and a burst passes at once."""
    limiter = RateLimiter(1, 3)
    assert [limiter.take("a", 0.0) for _ in range(4)] == [None, None, None, pytest.approx(1)]
    assert limiter.take("b", 0.0) is None
    assert limiter.take("a", 0.5) == pytest.approx(0.5)
    assert limiter.take("a", 1.0) is None


def test_a_clock_that_was_read_earlier_gives_nothing():
    """A thread that read the clock before another and comes after it neither takes back nor adds anything."""
    limiter = RateLimiter(1, 1)
    assert limiter.take("a", 10.0) is None
    assert limiter.take("a", 9.0) == pytest.approx(1)
    assert limiter.take("a", 10.5) == pytest.approx(0.5)


def test_no_rate_is_no_limit():
    """With a rate of None everything passes, and nothing is remembered."""
    limiter = RateLimiter(None, 1)
    assert [limiter.take("a") for _ in range(1000)] == [None] * 1000
    assert len(limiter) == 0


def test_memory_is_bounded():
    """However many names come, ten thousand are remembered, and the one that is still active is among them."""
    limiter = RateLimiter(0.001, 1)
    limiter.take("busy", 0.0)
    for i in range(20_000):
        limiter.take(i, 0.0)
        if i % 1000 == 0:
            assert limiter.take("busy", 0.0) is not None
    assert len(limiter) == 10_000


def test_threads_share_a_bucket():
    """From many threads at once exactly the burst comes through."""
    limiter, passed = RateLimiter(0.001, 100), list[bool]()
    threads = [
        threading.Thread(target=lambda: passed.extend(limiter.take("a") is None for _ in range(50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 100


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "testclient"),
    ],
)
def test_who_is_counted_as_one(address, counted):
    """An address counts by itself, one of IPv6 with its network of 64 bits, and a mapped one as what it stands for."""
    assert client_of({"client": (address, 1)}) == counted
    assert client_of({"client": None}) == ""


@pytest.mark.parametrize("path", ["body", "depth", "per_page", "burst", "unauthorized_burst", "threads"])
def test_limits_are_valid_or_not_made(path):
    """A limit is a whole number of at least 1, a rate a number above 0 or None."""
    for wrong in (0, -1, 1.5, True, None, "5"):
        with pytest.raises(InvalidInput) as refusal:
            Limits(**{path: wrong})
        assert refusal.value.path == path
    for rate in (0, -1, float("nan"), float("inf"), True, "5"):
        with pytest.raises(InvalidInput, match="above 0"):
            Limits(rate=rate)
        with pytest.raises(InvalidInput, match="above 0"):
            Limits(seconds=rate)
    assert Limits(rate=None, unauthorized_rate=None).rate is None
