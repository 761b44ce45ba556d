"""From a put to what users see of it: a rendered file, a DNS answer, a route.  Milliseconds, p50 and p99."""

import contextlib
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles

import dnslib
from tests.bench.contenders import Contender
from tests.bench.table import Figure, Results
from tests.support.ports import free_ports
from tests.support.processes import Program
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

SAMPLES = 200
_WARM_UP = 20
_PAUSE_S = 0.0002
_PATIENCE_S = 10.0

Way = tuple[Callable[[int], pb.PutRequest], Callable[[int], bool]]
"""What to put for the n-th sample, and whether it shows."""


def bench(
    contenders: list[Contender],
    *,
    folder: Path,
    say: Callable[[str], None],
    ways: Sequence[Callable[[StoreServer, Wire, Path], AbstractContextManager[Way]]] = (),
) -> Results:
    """Measure the ``ways``, or all three, on each contender in turn."""
    results = Results(
        f"Propagation: put to visible, {SAMPLES} changes one after another",
        (Figure("p50 ms", 2, more_is_better=False), Figure("p99 ms", 2, more_is_better=False)),
    )
    for contender in contenders:
        here = folder / f"propagation-{contender.name.replace(' ', '-')}"
        with ExitStack() as stack:
            store = stack.enter_context(contender.make(here))
            wire = stack.enter_context(Wire(store.address))
            for way in ways or (rendered_file, dns_answer, route):
                say(f"{way.__name__}, {contender.name}")
                with way(store, wire, here / way.__name__) as (change, shows):
                    times_ms = _measure(wire, change, shows)
                cuts = quantiles(times_ms, n=100)
                results.add(way.__name__, contender.name, **{"p50 ms": cuts[49], "p99 ms": cuts[98]})
    return results


def _measure(wire: Wire, change: Callable[[int], pb.PutRequest], shows: Callable[[int], bool]) -> list[float]:
    """Milliseconds from just before each put until it shows."""
    times_ms = []
    for number in range(1, _WARM_UP + SAMPLES + 1):
        began_s = time.perf_counter()
        wire.get("Put", change(number))
        while not shows(number):
            assert time.perf_counter() - began_s < _PATIENCE_S, f"change {number} never showed"
            time.sleep(_PAUSE_S)
        times_ms.append((time.perf_counter() - began_s) * 1e3)
    return times_ms[_WARM_UP:]


def _put(key: str, value: object) -> pb.PutRequest:
    text = value if isinstance(value, str) else json.dumps(value)
    return pb.PutRequest(key=key.encode(), value=text.encode())


@contextmanager
def _agent(store: StoreServer, folder: Path, *argv: str) -> Iterator[None]:
    """Run ``fairlead ARGV`` until /readyz says that it serves."""
    (metrics,) = free_ports(1)
    common = ("--endpoints", store.endpoint, "--metrics-listen", f"127.0.0.1:{metrics}")
    agent = Program([sys.executable, "-m", "fairlead.cli", *argv, *common], log=folder / "agent.log")
    with agent.start(lambda: _get(metrics, "/readyz") == http.HTTPStatus.OK):
        yield


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@contextmanager
def rendered_file(store: StoreServer, wire: Wire, folder: Path) -> Iterator[Way]:
    """A key's value in a file."""
    for name in ("conf.d", "templates"):
        (folder / name).mkdir(parents=True)
    dest = folder / "out.conf"
    (folder / "templates" / "bench.j2").write_text("{{ getv('/bench/value', '') }}")
    (folder / "conf.d" / "bench.toml").write_text(
        f'[template]\nsrc = "bench.j2"\ndest = "{dest}"\nkeys = ["/bench"]\n'
    )
    wire.get("Put", _put("/bench/value", "0"))
    with _agent(store, folder, "render", "--confdir", str(folder), "--watch"):
        yield lambda n: _put("/bench/value", str(n)), lambda n: dest.read_text() == str(n)


@contextmanager
def dns_answer(store: StoreServer, wire: Wire, folder: Path) -> Iterator[Way]:
    """A key's address in an answer to a query for A."""
    del wire
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    query = dnslib.DNSRecord.question("bench.skydns.local", "A").pack()
    with (
        _agent(store, folder, "dns", "--listen", f"127.0.0.1:{port}", "--data-dir", str(folder / "copy")),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        asker.settimeout(_PATIENCE_S)
        asker.connect(("127.0.0.1", port))

        def shows(number: int) -> bool:
            asker.send(query)
            return bytes((10, 0, number >> 8, number & 0xFF)) in asker.recv(4096)

        yield lambda n: _put("/skydns/local/skydns/bench", {"host": f"10.0.{n >> 8}.{n & 0xFF}"}), shows


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say yes."""
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Nothing: the bench prints tables."""


@contextmanager
def route(store: StoreServer, wire: Wire, folder: Path) -> Iterator[Way]:
    """A frontend's path answered through the proxy by an upstream server."""
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    with ExitStack() as stack:
        upstream = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _Upstream))
        upstream.daemon_threads = True
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        stack.callback(upstream.shutdown)
        wire.get("Put", _put("/vulcand/backends/b/backend", {"Type": "http"}))
        url = f"http://127.0.0.1:{upstream.server_port}"
        wire.get("Put", _put("/vulcand/backends/b/servers/s", {"URL": url}))
        stack.enter_context(_agent(store, folder, "proxy", "--listen", f"127.0.0.1:{port}"))
        asker = stack.enter_context(
            contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S))
        )

        def change(number: int) -> pb.PutRequest:
            frontend = {"Type": "http", "BackendId": "b", "Route": f'Path("/r/{number}")'}
            return _put("/vulcand/frontends/f/frontend", frontend)

        def shows(number: int) -> bool:
            asker.request("GET", f"/r/{number}")
            response = asker.getresponse()
            response.read()
            return response.status == http.HTTPStatus.OK

        yield change, shows
