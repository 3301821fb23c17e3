"""Tokens: what is kept of them, whom they let in, and for how long."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import InvalidInput, ManualClock, MemoryStore, SQLiteStore
from sequencer.http.access import Grant
from sequencer.http.tokens import Tokens
from tests import postgres

NOW = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
ACCOUNTS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text("ab7", min_size=1, max_size=4)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    stores: dict[str, Any] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLiteStore(tmp_path / "crm.db"),
        "postgres": postgres.new_store,
    }
    made = stores[request.param]()
    yield made
    made.close()


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def tokens(store, clock):
    return Tokens(store, clock=clock)


def test_a_token_lets_in_until_it_is_revoked(tokens, clock):
    """A token is good for its account, scope and actor; revoked by its id it is good for nothing, and so again."""
    token, secret = tokens.create(account="acme", scope="write", actor_id=7, name="the CRM")

    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert tokens.grant_of(secret) == Grant("acme", "write", 7, f"token {token.id}")
    clock.move(hours=1)
    assert tokens.revoke(token.id) is True
    assert tokens.grant_of(secret) is None
    assert tokens.revoke(token.id) is False
    (kept,) = tokens.all()
    assert (kept.name, kept.created_at, kept.revoked_at) == ("the CRM", NOW, NOW.add(hours=1))


def test_a_token_is_revoked_by_itself(tokens):
    """Whoever finds a token somewhere can take it out of force without knowing which one it is."""
    _, secret = tokens.create()
    _, other = tokens.create()
    assert tokens.revoke(secret) is True
    assert tokens.revoke(secret) is False
    assert tokens.grant_of(secret) is None
    assert tokens.grant_of(other) == Grant(None, "read", None, "token 2")


@given(accounts=st.lists(ACCOUNTS, min_size=1, max_size=6))
def test_each_token_is_one_accounts(accounts):
    """What a token was made for is what it grants, for any accounts, be one a number and another its digits (S7)."""
    tokens = Tokens(MemoryStore(), clock=ManualClock(NOW))
    made = [tokens.create(account=account) for account in accounts]
    for account, (_, secret) in zip(accounts, made, strict=True):
        granted = tokens.grant_of(secret)
        assert granted is not None
        assert (type(granted.account), granted.account) == (type(account), account)
        mine = [token.id for token, of in zip((token for token, _ in made), accounts, strict=True)
                if (type(of), of) == (type(account), account)]  # fmt: skip
        assert [token.id for token in tokens.all(account)] == mine
    assert len({secret for _, secret in made}) == len(made)
    assert [token.id for token in tokens.all()] == [token.id for token, _ in made]


@given(secret=st.text(max_size=70) | st.text("0123456789abcdef", min_size=64, max_size=64))
def test_nothing_else_lets_in(secret):
    """Whatever is not a token that was made is good for nothing, and no error."""
    tokens = Tokens(MemoryStore(), clock=ManualClock(NOW))
    _, made = tokens.create()
    for each in (secret, made.upper(), made[:-1], f"{made}0", f" {made}", f"{made}\n"):
        assert each == made or tokens.grant_of(each) is None


@pytest.mark.parametrize("wrong", [None, 7, b"x" * 64, ["x"]])
def test_what_is_no_text_lets_nobody_in(wrong):
    """A secret of another type is good for nothing."""
    assert Tokens(MemoryStore()).grant_of(wrong) is None


def test_one_account_cannot_revoke_anothers(tokens):
    """With an account, only its own tokens are taken out of force, by id and by themselves (S7)."""
    token, secret = tokens.create(account=7)
    for account in ("7", None, "acme"):
        assert tokens.revoke(token.id, account=account) is False
        assert tokens.revoke(secret, account=account) is False
    assert tokens.grant_of(secret) is not None
    assert tokens.revoke(secret, account=7) is True


def test_only_a_hash_is_kept(tmp_path):
    """Nothing in the store's files, log included, holds a token; what is there is its SHA-256."""
    store = SQLiteStore(tmp_path / "crm.db")
    tokens = Tokens(store)
    secrets = [tokens.create(account="acme", scope="write", name=f"n-{i}")[1] for i in range(5)]
    tokens.revoke(secrets[0])
    for secret in secrets:
        tokens.grant_of(secret)
    kept = [path.read_bytes() for path in tmp_path.iterdir()]
    store.close()
    kept += [path.read_bytes() for path in tmp_path.iterdir()]

    for secret in secrets:
        for form in (secret.encode(), secret.upper().encode(), bytes.fromhex(secret), secret[:16].encode()):
            assert not any(form in each for each in kept)
        assert any(hashlib.sha256(secret.encode()).hexdigest().encode() in each for each in kept)


def test_the_comparison_takes_constant_time(monkeypatch):
    """What the store has found is compared in constant time, hash with hash, and that comparison decides."""
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return False

    tokens = Tokens(MemoryStore())
    _, secret = tokens.create()
    assert tokens.grant_of(secret) is not None
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert tokens.grant_of(secret) is None
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert compared == [(digest, digest)]


def test_whether_there_has_ever_been_one(tokens):
    """A token that was revoked still says that nobody comes in without one."""
    assert tokens.any() is False
    token, _ = tokens.create()
    assert tokens.any() is True
    tokens.revoke(token.id)
    assert tokens.any() is True


@pytest.mark.parametrize(
    "wrong",
    [{"account": ""}, {"account": True}, {"scope": "admin"}, {"scope": None}, {"actor_id": 1.5}, {"name": "a\nb"},
     {"name": "x" * 300}],
    ids=str,
)  # fmt: skip
def test_tokens_are_valid_or_not_made(wrong):
    """Bad input is refused with the name of the argument, and no token is made."""
    tokens = Tokens(MemoryStore())
    with pytest.raises(InvalidInput) as refusal:
        tokens.create(**wrong)
    assert [refusal.value.path] == list(wrong)
    assert tokens.all() == ()


@pytest.mark.parametrize("wrong", [0, -1, 2**63, 2**70, "", "x", "0" * 64])
def test_revoking_what_is_not_there(wrong):
    """An id or a secret that no token has is not in force."""
    assert Tokens(MemoryStore()).revoke(wrong) is False


@pytest.mark.parametrize("wrong", [None, True, 1.5, b"x"])
def test_revoking_what_is_no_token(wrong):
    """What is neither an id nor a secret is refused."""
    with pytest.raises(InvalidInput, match="id of a token"):
        Tokens(MemoryStore()).revoke(wrong)
