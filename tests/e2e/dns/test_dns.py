"""The name server as users run it: a store, keys written with the etcd API, and answers checked with dig."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGKILL

import dns.message
import dns.query
import pytest
from tests import peers
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2

WITHIN_S = 30.0
SITE = {
    "local/skydns/web/1": {"host": "10.0.0.1", "port": 80},
    "local/skydns/web/2": {"host": "10.0.0.2", "port": 80},
    "local/skydns/web/6": {"host": "2001:db8::1", "port": 80},
    "local/skydns/www": {"host": "web.skydns.local"},
    "local/skydns/mail/a": {"host": "web.skydns.local", "mail": True, "priority": 20},
    "local/skydns/note": {"text": "hello world"},
    "local/skydns/dns/ns/a": {"host": "127.0.0.1"},
    "arpa/in-addr/10/0/0/1": {"host": "1.web.skydns.local"},
}


class NameServer:
    """``fairlead dns`` in front of a store, in ``directory``."""

    def __init__(self, store: StoreServer, directory: Path, *flags: str) -> None:
        self.port, self.health_port = free_port(), free_port()
        self.program = Program(
            [
                *(sys.executable, "-m", "fairlead.cli", "dns", "--endpoints", store.endpoint),
                *("--listen", f"127.0.0.1:{self.port}", "--metrics-listen", f"127.0.0.1:{self.health_port}"),
                *("--data-dir", str(directory / "copy"), *flags),
            ],
            log=directory / "dns.log",
        )

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def start(self) -> None:
        self.program.start(self.is_ready)

    def ask(self, name: str, rtype: str = "A") -> list[str]:
        response = dns.query.udp(
            dns.message.make_query(name, rtype), "127.0.0.1", port=self.port, timeout=WITHIN_S
        )
        return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)

    def dig(self, *arguments: str) -> list[str]:
        command = [peers.find("dig") or "dig", "@127.0.0.1", "-p", str(self.port), "+short", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=WITHIN_S)
        return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))


@contextmanager
def serving(store: StoreServer, directory: Path, *flags: str) -> Iterator[NameServer]:
    server = NameServer(store, directory, *flags)
    server.start()
    try:
        yield server
    finally:
        server.program.stop()


def put(store: StoreServer, records: Mapping[str, object]) -> None:
    """Write all of ``records`` in one transaction."""
    with Wire(store.address) as wire:
        puts = [
            rpc_pb2.RequestOp(
                request_put=rpc_pb2.PutRequest(
                    key=f"/skydns/{path}".encode(), value=json.dumps(fields).encode()
                )
            )
            for path, fields in records.items()
        ]
        wire.get("Txn", rpc_pb2.TxnRequest(success=puts))


def eventually(claim: Callable[[], object], *, within_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.005)


@pytest.mark.peer("dig")
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_gets_every_type(store: StoreServer, tmp_path: Path, transport: str) -> None:
    put(store, SITE)
    expected = {
        ("web.skydns.local", "A"): ["10.0.0.1", "10.0.0.2"],
        ("WEB.skydns.local", "AAAA"): ["2001:db8::1"],
        ("www.skydns.local", "A"): ["10.0.0.1", "10.0.0.2", "web.skydns.local."],
        ("www.skydns.local", "CNAME"): ["web.skydns.local."],
        ("*.web.skydns.local", "SRV"): [f"10 33 80 {n}.web.skydns.local." for n in (1, 2, 6)],
        ("mail.skydns.local", "MX"): ["20 web.skydns.local."],
        ("note.skydns.local", "TXT"): ['"hello world"'],
        ("skydns.local", "NS"): ["a.ns.dns.skydns.local."],
        ("1.0.0.10.in-addr.arpa", "PTR"): ["1.web.skydns.local."],
        ("nothing.skydns.local", "A"): [],
    }
    with serving(store, tmp_path) as server:
        for (name, rtype), answer in expected.items():
            assert server.dig(transport, name, rtype) == answer, f"{name} {rtype}"
        soa = server.dig(transport, "skydns.local", "SOA")[0].split()
        assert soa[:2] == ["ns.dns.skydns.local.", "hostmaster.skydns.local."]


def test_a_change_is_answered_at_once_and_whole(store: StoreServer, tmp_path: Path) -> None:
    put(store, SITE)
    with serving(store, tmp_path) as server:
        assert server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.2"]
        seen = set()
        put(store, {"local/skydns/web/1": {"host": "10.0.0.3"}, "local/skydns/web/2": {"host": "10.0.0.4"}})

        def is_new() -> bool:
            seen.add(tuple(server.ask("web.skydns.local")))
            return ("10.0.0.3", "10.0.0.4") in seen

        eventually(is_new)
        assert seen <= {("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.4")}
        with Wire(store.address) as wire:
            wire.get("DeleteRange", rpc_pb2.DeleteRangeRequest(key=b"/skydns/local/skydns/web/1"))
        eventually(lambda: server.ask("web.skydns.local") == ["10.0.0.4"])


def test_a_bad_value_is_named_in_the_status_key_until_it_is_right(store: StoreServer, tmp_path: Path) -> None:
    bad = "/skydns/local/skydns/web/2"
    put(store, SITE)

    def problems() -> dict[str, str]:
        with Wire(store.address) as wire:
            agents = wire.get(
                "Range",
                rpc_pb2.RangeRequest(key=b"/fairlead/agents/dns/", range_end=b"/fairlead/agents/dns0"),
            )
        found: dict[str, str] = json.loads(agents.kvs[0].value)["problems"] if agents.kvs else {}
        return found

    with serving(store, tmp_path) as server, Wire(store.address) as wire:
        wire.get("Put", rpc_pb2.PutRequest(key=bad.encode(), value=b"{"))
        eventually(lambda: "not JSON" in problems().get(bad, ""))
        assert server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.2"], "the last good value stays"
        put(store, {"local/skydns/web/2": {"host": "10.0.0.9"}})
        eventually(lambda: server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.9"])
        eventually(lambda: problems() == {})
        assert "Traceback" not in server.program.log()


def test_it_serves_and_even_starts_while_the_store_is_down(store: StoreServer, tmp_path: Path) -> None:
    put(store, SITE)
    with serving(store, tmp_path) as server:
        assert server.program.stop() == 0, "a clean stop saves the copy"
        server.start()
        store.kill(SIGKILL)
        assert server.ask("www.skydns.local") == ["10.0.0.1", "10.0.0.2", "web.skydns.local."]
        server.program.stop(SIGKILL)
        server.start()
        assert server.ask("www.skydns.local") == ["10.0.0.1", "10.0.0.2", "web.skydns.local."]
        store.restart()
        put(store, {"local/skydns/web/2": {"host": "10.0.0.9"}})
        eventually(lambda: server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.9"])


def test_metrics_count_what_is_answered(store: StoreServer, tmp_path: Path) -> None:
    put(store, SITE)
    with serving(store, tmp_path) as server:
        for name in ("web.skydns.local", "web.skydns.local", "nothing.skydns.local", "example.com"):
            server.ask(name)
        status, text = server.get("/metrics")
        assert status == 200
        lines = text.splitlines()
        for line in (
            'fairlead_dns_responses_total{rcode="NOERROR",source="table",truncated="0",type="A"} 1.0',
            'fairlead_dns_responses_total{rcode="NOERROR",source="parsed",truncated="0",type="A"} 1.0',
            'fairlead_dns_responses_total{rcode="NXDOMAIN",source="parsed",truncated="0",type="A"} 1.0',
            'fairlead_dns_responses_total{rcode="REFUSED",source="parsed",truncated="0",type="A"} 1.0',
            f"fairlead_dns_records {len(SITE)}.0",
        ):
            assert line in lines
