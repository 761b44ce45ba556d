"""put, get and range under h2load: requests per second and CPU time per request, proved to be real calls."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from google.protobuf.message import Message
from tests.bench import h2load
from tests.bench.contenders import Contender, running
from tests.bench.h2load import Load, LoadError, Report
from tests.bench.table import Figure, Results
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

VALUE = b"v" * 256
RANGE_KEYS = 1_000
_MESSAGE_PREFIX_BYTES = 5
_WARM_UP = Load(10, 20, 1.0)
_IN_FLIGHT_MAX = 2 * 10 * 20
"""Calls that were served but not counted as done: under way when the time was up, in this run or the one before."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request, and how many keys it asks for."""

    name: str
    path: str
    request: Message
    kvs: int = 0


_ONE = pb.RangeRequest(key=b"bench/key")
_MANY = pb.RangeRequest(key=b"range/", range_end=b"range0")
CASES = {
    case.name: case
    for case in (
        Case("put", "/etcdserverpb.KV/Put", pb.PutRequest(key=b"bench/key", value=VALUE)),
        Case("get", "/etcdserverpb.KV/Range", _ONE, kvs=1),
        Case("sget", "/etcdserverpb.KV/Range", pb.RangeRequest(key=_ONE.key, serializable=True), kvs=1),
        Case("range", "/etcdserverpb.KV/Range", _MANY, kvs=RANGE_KEYS),
    )
}


def bench(
    contenders: list[Contender],
    names: list[str],
    *,
    rounds: int,
    seconds: float,
    folder: Path,
    say: Callable[[str], None],
) -> Results:
    """Measure the cases, the contenders in turn within each round, so that a bad minute harms all."""
    results = Results(
        "Requests (256-byte values, h2load connections x streams)",
        (Figure("requests/s"), Figure("cpu us/request", 1, more_is_better=False)),
    )
    loads = (Load(10, 20, seconds), Load(1, 1, seconds))
    with running(contenders, folder) as stores:
        for store in stores.values():
            _fill(store)
        for name, load, turn in product(names, loads, range(rounds)):
            case = CASES[name]
            say(f"{name} {load}, round {turn + 1} of {rounds}")
            for contender, store in _rotated(stores, turn):
                if turn == 0:
                    h2load.run(store, case.path, case.request, load=_WARM_UP, folder=folder)
                report, cpu_s = _measure(store, case, load, folder)
                cpu_us = cpu_s / report.done * 1e6
                results.add(
                    f"{name} {load}",
                    contender,
                    **{"requests/s": report.requests_per_s, "cpu us/request": cpu_us},
                )
    return results


def _rotated(stores: dict[str, StoreServer], turn: int) -> list[tuple[str, StoreServer]]:
    everyone = list(stores.items())
    first = turn % len(everyone)
    return everyone[first:] + everyone[:first]


def _fill(store: StoreServer) -> None:
    with Wire(store.address) as wire:
        wire.get("Put", pb.PutRequest(key=b"bench/key", value=VALUE))
        for first in range(0, RANGE_KEYS, 100):
            puts = [pb.PutRequest(key=b"range/%04d" % n, value=VALUE) for n in range(first, first + 100)]
            wire.get("Txn", pb.TxnRequest(success=[pb.RequestOp(request_put=put) for put in puts]))


def _measure(store: StoreServer, case: Case, load: Load, folder: Path) -> tuple[Report, float]:
    """One run, with the CPU seconds that the server spent on it.

    HTTP 200 is said before gRPC's status, so h2load cannot see a refusal: a put must have made a revision, and a
    get must have carried every byte of what the same get carries when asked by grpcio.
    """
    with Wire(store.address) as wire:
        revision = wire.revision()
        before_s = store.program.usage().cpu_s
        report = h2load.run(store, case.path, case.request, load=load, folder=folder)
        cpu_s = store.program.usage().cpu_s - before_s
        made = wire.revision() - revision
        if case.kvs == 0:
            _check(
                report.done <= made <= report.done + _IN_FLIGHT_MAX,
                f"{report.done} puts made {made} revisions",
            )
            return report, cpu_s
        _check(made == 0, f"{made} revisions were made while reading")
        answer = wire.get("Range", case.request)
        _check(len(answer.kvs) == case.kvs, f"{len(answer.kvs)} keys instead of {case.kvs}")
        each = len(answer.SerializeToString()) + _MESSAGE_PREFIX_BYTES
        least, most = report.done * each, (report.done + _IN_FLIGHT_MAX) * each
        _check(least <= report.data_bytes <= most, f"{report.data_bytes} bytes instead of {least} to {most}")
    return report, cpu_s


def _check(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion that is never switched off
    if not is_so:
        raise LoadError(f"the calls were not what they seem: {otherwise}")
