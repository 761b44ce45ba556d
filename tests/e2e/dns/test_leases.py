"""A record on a lease is remembered for no longer than the lease was granted for, and goes with it."""

import json
from pathlib import Path

import dns.message
import dns.query
from tests.e2e.dns.test_dns import WITHIN_S, NameServer, eventually, put, serving
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2

NAME = "web.skydns.local"


def ttl_of(server: NameServer) -> int:
    query = dns.message.make_query(NAME, "A")
    answer = dns.query.udp(query, "127.0.0.1", port=server.port, timeout=WITHIN_S).answer
    return answer[0].ttl if answer else 0


def put_on_lease(wire: Wire, *, lease_id: int, ttl_s: int) -> None:
    wire.get("LeaseGrant", rpc_pb2.LeaseGrantRequest(ID=lease_id, TTL=ttl_s))
    value = json.dumps({"host": "10.0.0.1"}).encode()
    wire.get("Put", rpc_pb2.PutRequest(key=b"/skydns/local/skydns/web", value=value, lease=lease_id))


def test_the_ttl_is_the_leases_on_either_store(store: StoreServer, tmp_path: Path) -> None:
    with Wire(store.address) as wire:
        put_on_lease(wire, lease_id=77, ttl_s=120)
        with serving(store, tmp_path) as server:
            eventually(lambda: ttl_of(server) == 120)  # of a lease that was there before
            put_on_lease(wire, lease_id=78, ttl_s=45)
            eventually(lambda: ttl_of(server) == 45)  # of one that came
            put(store, {"local/skydns/web": {"host": "10.0.0.1"}})
            eventually(lambda: ttl_of(server) == 3600)
            put_on_lease(wire, lease_id=79, ttl_s=30)
            wire.get("LeaseRevoke", rpc_pb2.LeaseRevokeRequest(ID=79))
            eventually(lambda: server.ask(NAME) == [])
            assert "Traceback" not in server.program.log()
