"""Two name servers, one prober: what is ill gives way on both, also when the prober dies."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

from tests.e2e.dns.test_dns import NameServer, eventually, put
from tests.support.ports import free_port
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2

CHECK = {"tcp": True, "interval": "500ms", "timeout": "5s", "fall": 1, "rise": 1}


class _Server(socketserver.TCPServer):
    allow_reuse_address = True


@contextmanager
def listening(port: int, *, host: str = "127.0.0.1") -> Iterator[None]:
    with _Server((host, port), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def keys(store: StoreServer, prefix: bytes) -> dict[str, dict[str, str]]:
    with Wire(store.address) as wire:
        found = wire.get("Range", rpc_pb2.RangeRequest(key=prefix, range_end=prefix[:-1] + b"0"))
    return {kv.key.decode(): json.loads(kv.value) for kv in found.kvs}


def answers(server: NameServer, *addresses: str, within_s: float = 15) -> None:
    """Wait until ``server`` answers with ``addresses``."""
    eventually(lambda: server.ask("web.skydns.local") == list(addresses), within_s=within_s)


def test_one_prober_serves_all_and_its_findings_outlive_it(store: StoreServer, tmp_path: Path) -> None:
    well, ill = free_port(), free_port()
    put(
        store,
        {
            "local/skydns/web/1": {"host": "127.0.0.1", "port": well, "check": CHECK},
            "local/skydns/web/2": {"host": "127.0.0.2", "port": ill, "check": {**CHECK, "port": ill}},
        },
    )
    servers = [NameServer(store, tmp_path / name) for name in ("a", "b")]
    for server in servers:
        server.program.log_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with listening(well):
            for server in servers:
                server.start()
            for server in servers:
                answers(server, "127.0.0.1")
            down = keys(store, b"/fairlead/dns/health/down/")
            assert list(down) == ["/fairlead/dns/health/down/2.web.skydns.local."]
            probers = [server for server in servers if "looks after the records" in server.program.log()]
            assert len(probers) == 1
            [other] = [server for server in servers if server not in probers]
            probers[0].program.stop(SIGKILL)
            seen: set[tuple[str, ...]] = set()

            def has_taken_over() -> bool:
                seen.add(tuple(other.ask("web.skydns.local")))
                return "looks after the records" in other.program.log()

            eventually(has_taken_over, within_s=40)
            assert seen == {("127.0.0.1",)}
        eventually(
            lambda: other.ask("web.skydns.local") == ["127.0.0.1", "127.0.0.2"]
        )  # all ill: none gives way
        with listening(well):
            eventually(lambda: other.ask("web.skydns.local") == ["127.0.0.1"])
        assert "Traceback" not in other.program.log()
    finally:
        for server in servers:
            server.program.stop()


def test_while_the_store_is_away_each_looks_after_its_own(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    first, second = free_port(), free_port()
    put(
        fairlead_store,
        {
            "local/skydns/web/1": {"host": "127.0.0.1", "port": first, "check": CHECK},
            "local/skydns/web/2": {"host": "127.0.0.2", "check": {**CHECK, "port": second}},
        },
    )
    server = NameServer(fairlead_store, tmp_path)
    server.program.argv += ["--stale-after", "0.5"]
    server.start()
    try:
        with listening(first):
            answers(server, "127.0.0.1")
            fairlead_store.kill()
            eventually(lambda: "looks after records for itself" in server.program.log())
            assert server.ask("web.skydns.local") == ["127.0.0.1"], "what was found counts"
        with listening(second, host="127.0.0.2"):
            answers(server, "127.0.0.2")
            fairlead_store.restart()
            eventually(lambda: server.get("/readyz")[1] == "ready\n")
            answers(server, "127.0.0.2", within_s=40)
        assert "Traceback" not in server.program.log()
    finally:
        server.program.stop()
