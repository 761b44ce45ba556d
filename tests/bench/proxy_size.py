"""What many routes cost: loading them, changing one of them, finding one, and their memory.

    python -m tests.bench.proxy_size [--frontends 10000]

Times are of the processor, so that neighbours on the machine count little.
"""

import argparse
import gc
import json
import random
import resource
import time

from tests.unit.proxy.harness import Board
from tests.unit.proxy.test_router import Asked

from fairlead.proxy import Limits, Routes, Snapshot
from fairlead.proxy.middleware.world import World

_ROUTES = (
    'Host("h{n}.example") && Path("/api/<x>")',
    'Host("www.example") && Path("/p{n}/<x>/items")',
    'Path("/q{n}") && Method("GET")',
    'PathRegexp("^/r{n}/.*")',
    'PathPrefix("/s{n}/") && Host("<any>.example")',
)
_BACKENDS = 1000
_CHANGES = 200


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(count: int) -> None:
    """Measure, and print."""
    rng = random.Random(1)
    puts: dict[bytes, bytes] = {}
    for n in range(count):
        value = {
            "Type": "http",
            "BackendId": f"b{n % _BACKENDS}",
            "Route": _ROUTES[n % len(_ROUTES)].format(n=n),
        }
        puts[f"/vulcand/frontends/f{n}/frontend".encode()] = json.dumps(value).encode()
    for n in range(_BACKENDS):
        puts[f"/vulcand/backends/b{n}/servers/s".encode()] = json.dumps(
            {"URL": f"http://10.0.0.1:{n + 1}"}
        ).encode()
    snapshots: list[Snapshot] = []
    routes = Routes(
        (b"/vulcand/",), limits=Limits(), board=Board(), switch=snapshots.append, tools=World().tools
    )
    before_mb, started_s = megabytes(), time.process_time()
    routes.apply(1, puts, [])
    print(
        f"{count} frontends loaded in {time.process_time() - started_s:.2f} s, {megabytes() - before_mb:.0f} MB more"
    )
    gc.collect()
    gc.freeze()
    changes: list[float] = []
    for revision in range(2, _CHANGES + 2):
        n = rng.randrange(count)
        key = f"/vulcand/frontends/f{n}/frontend".encode()
        changed = json.dumps({**json.loads(puts[key]), "Priority": revision}).encode()
        started_s = time.process_time()
        routes.apply(revision, {key: changed}, [])
        changes.append((time.process_time() - started_s) * 1e3)
        del snapshots[:-1]
    changes.sort()
    print(f"one change: median {changes[_CHANGES // 2]:.2f} ms, 99 % {changes[-_CHANGES // 100 - 1]:.2f} ms")
    router = snapshots[-1].router
    for asked in (
        Asked("/api/x", host="h0.example"), Asked("/p1/x/items", host="www.example"), Asked("/q2"), Asked("/r3/x"),
        Asked("/s4/x", host="h.example"), Asked("/nothing"),
    ):  # fmt: skip
        started_s = time.process_time()
        for _ in range(10_000):
            found = router.find(asked)
        cost_us = (time.process_time() - started_s) * 100
        print(f"{asked.path.decode():14} {found.id if found else '-':4} {cost_us:.2f} us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frontends", type=int, default=10_000)
    main(parser.parse_args().frontends)
