"""What every store keeps to (law S5). A store's own test is a subclass that says how the store is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequencer.testing.contracts.around import Around
from sequencer.testing.contracts.claims import Claims
from sequencer.testing.contracts.decisions import Decisions
from sequencer.testing.contracts.listing import Listing
from sequencer.testing.contracts.looking import Looking
from sequencer.testing.contracts.tokens import Tokens
from sequencer.testing.contracts.transactions import Transactions
from sequencer.testing.contracts.versions import Versions
from sequencer.testing.contracts.webhooks import Webhooks

__all__ = ["StoreContract"]


class StoreContract(Transactions, Versions, Decisions, Claims, Looking, Around, Listing, Tokens, Webhooks):
    """The contract of stores, for who writes one: `sequencer.engine.storage` says what each method is for.

    Every test gets a store of its own from `make`, and closes it at the end. A store whose making needs more than a
    folder overrides the fixture `store` instead. A rule that a store keeps in another way, as stores inside a host's
    transactions do, is a test of the same name in the subclass.
    """

    def make(self, folder: Path) -> Any:
        """A new, empty store; `folder` is empty, too, and this test's own."""
        raise NotImplementedError(f"{type(self).__name__}.make says how a new, empty store is made")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Any]:
        """The store of one test."""
        store = self.make(tmp_path)
        yield store
        store.close()
