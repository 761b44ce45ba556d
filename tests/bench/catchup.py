"""A follower that is far behind gets a snapshot while puts go on: how long that takes, and what the puts feel of it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Self

from tests.bench import h2load
from tests.bench.cluster import VALUE, kinds, roles
from tests.bench.h2load import Load
from tests.bench.table import Figure, Results
from tests.support.cluster import StoreCluster
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

ENTRIES = 500_000
_NEAR = 200
"""Entries behind the leader at which a follower counts as caught up, while puts go on."""
_QUIET_S = 5.0


def bench(
    against: tuple[str, ...], *, folder: Path, say: Callable[[str], None], entries: int = ENTRIES
) -> Results:
    """Measure each contender."""
    results = Results(
        f"A follower {entries:,} entries behind catches up while puts go on",
        (
            Figure("seconds", 1, more_is_better=False),
            Figure("put p50 ms before", 2, more_is_better=False),
            Figure("put p50 ms during", 2, more_is_better=False),
            Figure("put p99 ms before", 2, more_is_better=False),
            Figure("put p99 ms during", 2, more_is_better=False),
        ),
    )
    for name, kind in kinds(against).items():
        with StoreCluster(kind, folder / f"catchup-{name.replace(' ', '-')}") as cluster:
            leader, follower = roles(cluster)
            follower.kill()
            _fall_behind(leader, entries, folder, say)
            with _Putting(leader) as putting:
                time.sleep(_QUIET_S)
                before = putting.take()
                began_s = time.monotonic()
                follower.program.start()
                follower.program.wait_until(partial(_is_near, leader, follower), "caught up", within_s=300)
                took_s = time.monotonic() - began_s
                during = putting.take()
            say(f"{name}: caught up in {took_s:.1f} s")
            results.add(
                "catch up",
                name,
                **{
                    "seconds": took_s,
                    "put p50 ms before": _quantile(before, 50),
                    "put p50 ms during": _quantile(during, 50),
                    "put p99 ms before": _quantile(before, 99),
                    "put p99 ms during": _quantile(during, 99),
                },
            )
    return results


def _fall_behind(leader: StoreServer, entries: int, folder: Path, say: Callable[[str], None]) -> None:
    """Make so many entries; 10,000 keys, so that the history is what is large."""
    made = 0
    while made < entries:
        report = h2load.run(
            leader,
            "/etcdserverpb.KV/Put",
            pb.PutRequest(key=b"catchup/%04d" % (made % 9973), value=VALUE),
            load=Load(10, 20, 5.0),
            folder=folder,
        )
        made += report.done
        say(f"{made:,} entries")


def _is_near(leader: StoreServer, follower: StoreServer) -> bool:
    return _behind(leader, follower) < _NEAR


def _behind(leader: StoreServer, follower: StoreServer) -> int:
    with Wire(leader.address) as ahead, Wire(follower.address) as behind:
        there = behind.call("Status", pb.StatusRequest())
        if there.code != "OK" or there.message is None:
            return 1 << 62
        return int(ahead.get("Status", pb.StatusRequest()).raftIndex - there.message.raftAppliedIndex)  # type: ignore[attr-defined]


def _quantile(latencies_ms: list[float], percent: int) -> float:
    return quantiles(latencies_ms, n=100)[percent - 1]


class _Putting:
    """One client that puts, one after the other, and notes how long each took."""

    def __init__(self, store: StoreServer) -> None:
        self._store = store
        self._ended = Event()
        self._latencies_ms: list[float] = []
        self._thread = Thread(target=self._run)

    def take(self) -> list[float]:
        """Return what was noted since the last time."""
        taken, self._latencies_ms = self._latencies_ms, []
        return taken

    def _run(self) -> None:
        with Wire(self._store.address) as wire:
            while not self._ended.is_set():
                began_s = time.monotonic()
                wire.get("Put", pb.PutRequest(key=b"catchup/now", value=VALUE))
                self._latencies_ms.append((time.monotonic() - began_s) * 1e3)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
