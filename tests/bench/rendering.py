"""The renderer at size: 1,000 resources on 10,000 keys; from a put to the file in place; a burst; memory and idle CPU.

The stores behind it are the contenders.  No other renderer stands beside it: there is no package of confd.
"""

import http.client
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles

from tests.bench.contenders import Contender
from tests.bench.table import Figure, Results
from tests.support.ports import free_port
from tests.support.processes import Program, wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

RESOURCES, KEYS_EACH = 1_000, 10
SAMPLES = 300
BURST = 10_000
_TXN_MAX = 100
_IN_FLIGHT = 500
_IDLE_S = 5.0
_WARM_UP = 20
_PAUSE_S = 0.0002
_PATIENCE_S = 120.0
_SEED = 1
_TEMPLATE = "{% for kv in gets('/*') %}\n{{ kv.key|base }} = {{ kv.value }}\n{% endfor %}\n"
_RESOURCE = '[template]\nsrc = "{src}"\ndest = "{dest}"\nprefix = "{prefix}"\nkeys = ["/"]\n'


def bench(contenders: list[Contender], *, folder: Path, say: Callable[[str], None]) -> Iterator[Results]:
    """Measure the renderer on each store in turn."""
    pace = Results(
        f"Renderer: {RESOURCES:,} resources on {RESOURCES * KEYS_EACH:,} keys; put to file in place,"
        f" {SAMPLES} changes one after another",
        (
            Figure("all in place s", 2, more_is_better=False),
            Figure("idle CPU %", 2, more_is_better=False),
            Figure("p50 ms", 2, more_is_better=False),
            Figure("p99 ms", 2, more_is_better=False),
            Figure("peak MB", 0, more_is_better=False),
        ),
    )
    burst = Results(
        f"Renderer: {BURST:,} puts as fast as one client can, below one resource",
        (
            Figure("puts s", 2, more_is_better=False),
            Figure("then last value after s", 3, more_is_better=False),
            Figure("reloads", 0, more_is_better=False),
        ),
    )
    for contender in contenders:
        here = folder / f"rendering-{contender.name.replace(' ', '-')}"
        with contender.make(here) as store, Wire(store.address) as wire:
            say(f"renderer, {contender.name}")
            host = _Host(store, wire, here / "host")
            with host.agent:
                pace.add("renderer", contender.name, **host.pace())
                burst.add("burst", contender.name, **host.burst())
    yield pace
    yield burst


class _Host:
    """A host with a thousand files, each made of its own ten keys, and one that reloads a program."""

    def __init__(self, store: StoreServer, wire: Wire, path: Path) -> None:
        self._wire = wire
        self._out = path / "out"
        self._reloads = path / "reloads"
        self._rng = random.Random(_SEED)
        for name in ("conf.d", "templates", "out"):
            (path / name).mkdir(parents=True)
        (path / "templates" / "keys.j2").write_text(_TEMPLATE)
        (path / "templates" / "burst.j2").write_text("{{ gets('/*')|length }} {{ getv('/last', '') }}\n")
        for number in range(RESOURCES):
            self._resource(path, f"{number:04}", "keys.j2", f"/bench/{number:04}")
        self._resource(path, "burst", "burst.j2", "/burst", f'reload_cmd = "echo >> {self._reloads}"\n')
        self._metrics = free_port()
        argv = ("--confdir", str(path), "--state-dir", str(path / "state"), "--endpoints", store.endpoint)
        self.agent = Program(
            [
                *(sys.executable, "-m", "fairlead.cli", "render", "--watch", *argv),
                *("--metrics-listen", f"127.0.0.1:{self._metrics}"),
            ],
            log=path / "agent.log",
        )

    def _resource(self, path: Path, name: str, src: str, prefix: str, more: str = "") -> None:
        text = _RESOURCE.format(src=src, dest=self._out / name, prefix=prefix)
        (path / "conf.d" / f"{name}.toml").write_text(text + more)

    def pace(self) -> dict[str, float]:
        """Start it, leave it alone, then change one key after the other."""
        self._fill()
        began_s = time.perf_counter()
        self.agent.start(lambda: self._get("/readyz")[0] == http.HTTPStatus.OK, within_s=_PATIENCE_S)
        ready_s = time.perf_counter() - began_s
        assert len(list(self._out.iterdir())) == RESOURCES + 1
        before_s = self.agent.usage().cpu_s
        time.sleep(_IDLE_S)
        idle = (self.agent.usage().cpu_s - before_s) / _IDLE_S
        replaced = self._replaced()
        times_ms = [self._change(number) for number in range(_WARM_UP + SAMPLES)]
        # A file is there before its change is written down as done.
        wait_for(lambda: self._replaced() - replaced >= len(times_ms), "all changes are done")
        assert self._replaced() - replaced == len(times_ms), "only what a change touches is rendered"
        cuts = quantiles(times_ms[_WARM_UP:], n=100)
        return {
            "all in place s": ready_s,
            "idle CPU %": idle * 100,
            "p50 ms": cuts[49],
            "p99 ms": cuts[98],
            "peak MB": self.agent.usage().peak_rss_bytes / 1e6,
        }

    def _fill(self) -> None:
        keys = [f"/bench/{number:04}/{key}" for number in range(RESOURCES) for key in range(KEYS_EACH)]
        for start in range(0, len(keys), _TXN_MAX):
            puts = [pb.RequestOp(request_put=_put(key, "0")) for key in keys[start : start + _TXN_MAX]]
            self._wire.get("Txn", pb.TxnRequest(success=puts))

    def _change(self, number: int) -> float:
        """Change one key of one resource; return the milliseconds until its file shows it."""
        resource, key = self._rng.randrange(RESOURCES), self._rng.randrange(KEYS_EACH)
        path, line = self._out / f"{resource:04}", f"{key} = value {number}\n"
        began_s = time.perf_counter()
        self._wire.get("Put", _put(f"/bench/{resource:04}/{key}", f"value {number}"))
        while line not in path.read_text():
            assert time.perf_counter() - began_s < _PATIENCE_S, f"change {number} never showed"
            time.sleep(_PAUSE_S)
        return (time.perf_counter() - began_s) * 1e3

    def burst(self) -> dict[str, float]:
        """Put as fast as one client can; the last value must win."""
        before = self._reload_count()
        began_s = time.perf_counter()
        under_way: deque[Callable[[], object]] = deque()
        for number in range(BURST):
            if len(under_way) == _IN_FLIGHT:
                under_way.popleft()()
            under_way.append(self._wire.begin("Put", _put(f"/burst/{number % KEYS_EACH}", str(number))))
        for wait in under_way:
            wait()
        self._wire.get("Put", _put("/burst/last", "end"))
        put_s = time.perf_counter()
        wait_for(
            lambda: (self._out / "burst").read_text() == f"{KEYS_EACH + 1} end\n",
            "the last value",
            within_s=_PATIENCE_S,
        )
        shown_s = time.perf_counter()
        wait_for(self._is_settled, "settled", within_s=_PATIENCE_S)
        return {
            "puts s": put_s - began_s,
            "then last value after s": shown_s - put_s,
            "reloads": self._reload_count() - before,
        }

    def _reload_count(self) -> int:
        return len(self._reloads.read_text().splitlines()) if self._reloads.exists() else 0

    def _is_settled(self) -> bool:
        return self._metric("fairlead_render_reloads_owed_resources") == 0

    def _replaced(self) -> float:
        return self._metric('fairlead_render_steps_total{step="replace"}')

    def _metric(self, name: str) -> float:
        lines = self._get("/metrics")[1].splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._metrics, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()


def _put(key: str, value: str) -> pb.PutRequest:
    return pb.PutRequest(key=key.encode(), value=value.encode())
