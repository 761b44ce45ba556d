"""One writer, a thousand watchers of its key: how fast events go out, and what each delivery costs."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.bench import watchers
from tests.bench.contenders import Contender, running
from tests.bench.requests import VALUE
from tests.bench.table import Figure, Results
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

WATCHERS = 1_000
_PROCESSES, _STREAMS = 2, 5  # ten connections of a hundred watches, in two client processes
_PUTS = 100


def bench(contenders: list[Contender], *, rounds: int, folder: Path, say: Callable[[str], None]) -> Results:
    """Measure each contender in turn within each round."""
    results = Results(
        f"Watch fan-out ({WATCHERS:,} watchers on 10 connections, {_PUTS} puts; the clients share the machine)",
        (Figure("deliveries/s"), Figure("cpu us/delivery", 2, more_is_better=False)),
    )
    with running(contenders, folder / "fanout") as stores:
        for turn in range(rounds):
            for name, store in stores.items():
                say(f"watch, {name}, round {turn + 1} of {rounds}")
                elapsed_s, cpu_s = _measure(store)
                deliveries = WATCHERS * _PUTS
                results.add(
                    "watch",
                    name,
                    **{"deliveries/s": deliveries / elapsed_s, "cpu us/delivery": cpu_s / deliveries * 1e6},
                )
    return results


def _measure(store: StoreServer) -> tuple[float, float]:
    """Seconds from the first put to the last delivery, and the server's CPU seconds in them."""
    watches = WATCHERS // (_PROCESSES * _STREAMS)
    argv = [sys.executable, "-m", watchers.__name__, store.address, str(_STREAMS), str(watches), str(_PUTS)]
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(store.address))
        clients = [
            stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
            for _ in range(_PROCESSES)
        ]
        _await_word(clients, "ready")
        before_s, began_s = store.program.usage().cpu_s, time.perf_counter()
        for _ in range(_PUTS):
            wire.get("Put", pb.PutRequest(key=watchers.KEY, value=VALUE))
        _await_word(clients, "done")
        return time.perf_counter() - began_s, store.program.usage().cpu_s - before_s


def _await_word(clients: list[subprocess.Popen[str]], word: str) -> None:
    for client in clients:
        assert client.stdout is not None
        said = client.stdout.readline().strip()
        assert said == word, f"a watcher said {said!r} instead of {word!r}"
