"""A Dask cluster, for populations that are too many for one machine (extra `dask`).

What its workers do is what the processes of one machine do, and comes to the same. They need this package, of this very
release, and the same zone data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sequencer.core.errors import InvalidInput, SequencerError

__all__ = ["connected_to"]


@contextmanager
def connected_to(address: str | None) -> Iterator[Any]:
    """A client of the cluster at an address like `tcp://127.0.0.1:8786`; None where there is no address.

    Raises `InvalidInput` without the extra `dask`, and where nobody answers within ten seconds.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise InvalidInput(
            "a Dask cluster needs the extra dask: pip install 'sequencer[dask]'", path="dask", code="missing_extra"
        ) from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InvalidInput(f"no Dask cluster answers at {address}: {error}", path="dask", code="unreachable") from None
    with client:
        _must_agree(client)
        yield client


def _must_agree(client: Any) -> None:
    """The same seed gives the same only where everybody computes with the same rules and zones."""
    ours = _here()
    for worker, theirs in client.run(_here).items():
        if theirs != ours:
            raise SequencerError(
                f"the worker {worker} has {theirs}, here there is {ours}: install the same on all of them"
            )


def _here() -> dict[str, str]:
    from importlib.metadata import version

    from sequencer.engine.zonedata import version_in_use

    return {"sequencer": version("sequencer"), "tzdata": version_in_use()}
