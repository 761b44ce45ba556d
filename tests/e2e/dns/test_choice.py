"""What the flags and keys about the choice of records come to, on a running server."""

from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.query
from tests.e2e.dns.test_dns import NameServer, eventually, put
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2

RECORDS: dict[str, object] = {
    **{f"local/skydns/pool/{n}": {"host": f"10.0.1.{n}"} for n in range(1, 6)},
    "local/skydns/tier/1": {"host": "10.0.2.1", "priority": 1},
    "local/skydns/tier/2": {"host": "10.0.2.2", "priority": 2},
    "local/skydns/near/a": {"host": "10.0.3.1", "zone": "a"},
    "local/skydns/near/b": {"host": "10.0.3.2", "zone": "b"},
    "local/skydns/new/1": {"host": "10.0.4.1"},
}


def asked(server: NameServer, name: str, subnet: str | None = None) -> dns.message.Message:
    options: list[dns.edns.Option] = [dns.edns.ECSOption(subnet, 24)] if subnet else []
    query = dns.message.make_query(name, "A", options=options)
    return dns.query.udp(query, "127.0.0.1", port=server.port, timeout=5)


def data(message: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in message.answer for rdata in rrset)


def test_tiers_subsets_nearness_and_slow_starts(store: StoreServer, tmp_path: Path) -> None:
    put(store, RECORDS)
    server = NameServer(store, tmp_path)
    server.program.argv += ["--tiers", "--answers-max", "2", "--slow-start", "3600"]
    server.start()
    try:
        answers = [asked(server, "pool.skydns.local") for _ in range(50)]
        assert {len(data(answer)) for answer in answers} == {2}
        assert not any(answer.flags & dns.flags.TC for answer in answers)
        assert {address for answer in answers for address in data(answer)} == {
            f"10.0.1.{n}" for n in range(1, 6)
        }
        assert data(asked(server, "tier.skydns.local")) == ["10.0.2.1"]

        assert len(data(asked(server, "near.skydns.local", "192.0.2.0"))) == 2
        with Wire(store.address) as wire:
            value = b'{"192.0.2.0/24": {"zone": "a"}, "198.51.100.0/24": {"zone": "b"}}'
            wire.get("Put", rpc_pb2.PutRequest(key=b"/fairlead/dns/topology", value=value))
        eventually(lambda: data(asked(server, "near.skydns.local", "192.0.2.0")) == ["10.0.3.1"])
        told = asked(server, "near.skydns.local", "198.51.100.0")
        assert data(told) == ["10.0.3.2"]
        [scope] = [option.scopelen for option in told.options if isinstance(option, dns.edns.ECSOption)]
        assert scope == 24, "other subnets may be told otherwise"
        assert len(data(asked(server, "near.skydns.local", "203.0.113.0"))) == 2

        put(store, {"local/skydns/new/2": {"host": "10.0.4.2"}})
        eventually(lambda: len(data(asked(server, "new.skydns.local"))) == 2)
        eventually(lambda: "starting slowly" in server.get("/explain?name=new.skydns.local&as=text")[1])
        firsts = [asked(server, "new.skydns.local").answer[0][0].to_text() for _ in range(110)]
        assert firsts.count("10.0.4.2") <= 20, "a tenth of the first places"
    finally:
        server.program.stop()
