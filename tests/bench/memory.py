"""How much memory 100,000 keys take: the peak of what was resident while they were written."""

from collections.abc import Callable
from pathlib import Path

from tests.bench.contenders import Contender
from tests.bench.requests import VALUE
from tests.bench.table import Figure, Results
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

KEYS = 100_000
_KEYS_PER_TXN = 100


def bench(contenders: list[Contender], *, folder: Path, say: Callable[[str], None]) -> Results:
    """Fill each contender in turn, each alone and fresh; then start it again on its data."""
    results = Results(
        f"Peak resident memory, {KEYS:,} keys of 256 bytes",
        (Figure("empty MB", more_is_better=False), Figure("full MB", more_is_better=False)),
    )
    for contender in contenders:
        say(f"memory of {contender.name}")
        store = contender.make(folder / f"memory-{contender.name.replace(' ', '-')}")
        with store, Wire(store.address) as wire:
            empty = store.program.usage().peak_rss_bytes
            _fill(wire)
            full = store.program.usage().peak_rss_bytes
        results.add("written", contender.name, **{"empty MB": empty / 1e6, "full MB": full / 1e6})
        with store:
            again = store.program.usage().peak_rss_bytes
        results.add("started again", contender.name, **{"full MB": again / 1e6})
    return results


def _fill(wire: Wire) -> None:
    for first in range(0, KEYS, _KEYS_PER_TXN):
        puts = [pb.PutRequest(key=b"key/%06d" % n, value=VALUE) for n in range(first, first + _KEYS_PER_TXN)]
        wire.get("Txn", pb.TxnRequest(success=[pb.RequestOp(request_put=put) for put in puts]))
