"""A Dask cluster, for populations that are too many for one machine (extra `dask`).

What its workers do is what the processes of one machine do, and comes to the same. They need this package, of this very
release, and the same zone data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sequencer.core.errors import InvalidInput, SequencerError

__all__ = ["connected_to", "results_of"]

_PATIENCE = 20.0
"""For so many seconds a cluster may be without any worker, before nobody waits for it any more."""
_T = TypeVar("_T")


@contextmanager
def connected_to(address: str | None) -> Iterator[Any]:
    """A client of the cluster at an address like `tcp://127.0.0.1:8786`; None where there is no address.

    Raises `InvalidInput` without the extra `dask`, where nobody answers within ten seconds, and where there are no
    workers; `SequencerError` where one has another release than is here.
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
        _must_agree(client, address)
        yield client


def results_of(
    client: Any, function: Callable[..., _T], held: Any, work: Iterable[tuple[Any, ...]], *, patience: float = _PATIENCE
) -> Iterator[_T]:
    """What a function makes of each piece of work, in order; `held` is sent to each worker once, as its first argument.

    Raises `SequencerError` when workers die of it, again and again or all of them.
    """
    from distributed import CancelledError, KilledWorker

    try:
        (sent,) = client.scatter([held], broadcast=True)
        futures = deque(client.submit(function, sent, *each, pure=False) for each in work)
        while futures:
            # Taken off, so that the cluster forgets each result as soon as it was fetched.
            yield _waited_for(client, futures.popleft(), patience)
    except (CancelledError, KilledWorker, OSError) as error:
        raise SequencerError(
            f"workers of the Dask cluster have died, perhaps for want of memory: {str(error) or type(error).__name__}"
        ) from None


def _waited_for(client: Any, future: Any, patience: float) -> Any:
    """A result, for which nobody waits in vain: without workers it would never come."""
    alone = 0.0
    every = min(2.0, patience)
    while True:
        try:
            return future.result(timeout=every)
        except TimeoutError:
            alone = 0.0 if client.nthreads() else alone + every
            if alone >= patience:
                raise SequencerError(f"the Dask cluster has had no worker for {patience:g} seconds") from None


def _must_agree(client: Any, address: str) -> None:
    """The same seed gives the same only where everybody computes with the same rules and zones."""
    ours = _here()
    try:
        found = client.run(_here)
    except ImportError as error:
        raise SequencerError(f"a worker lacks what is needed: {error}; install the same on all of them") from None
    if not found:
        raise InvalidInput(f"the Dask cluster at {address} has no workers", path="dask", code="no_workers")
    for worker, theirs in found.items():
        if theirs != ours:
            raise SequencerError(
                f"the worker {worker} has {_listed(theirs)}, here there is {_listed(ours)}: "
                "install the same on all of them"
            )


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _here() -> dict[str, str]:
    from importlib.metadata import version

    from sequencer.engine.zonedata import version_in_use

    return {"sequencer": version("sequencer"), "tzdata": version_in_use()}
