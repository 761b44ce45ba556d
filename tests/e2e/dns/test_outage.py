"""An outage of the store, seen by clients: some seconds of what ``python -m tests.bench.dns_outage`` does for minutes."""

import json
from pathlib import Path

from tests.bench.dns_outage import run
from tests.e2e.dns.test_dns import SITE, NameServer, eventually, put
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2


def test_clients_get_every_known_name_through_an_outage_with_restarts(tmp_path: Path) -> None:
    said: list[str] = []
    # A phase has to be longer than the patience of a client that asked into a restart.
    phases = run(tmp_path, seconds=13, say=said.append)
    assert {name: dict(seen.wrong) for name, seen in phases.items()} == {name: {} for name in phases}
    assert all(seen.answered for seen in phases.values())
    assert [bool(seen.stale) for seen in phases.values()] == [False, True, True, True, True]
    assert phases["the agent is killed and started again"].unanswered, (
        "nobody answers for an agent that is dead"
    )
    assert phases["the store is killed"].unanswered == 0
    assert phases["all is well"].ttl_s_max == 3600
    for name in ("the agent is killed and started again", "the agent is stopped and started again"):
        assert phases[name].ttl_s_max == 30, "what comes from the copy is stale from the first answer on"
    assert any("ready, stale: the store was not heard of since the start" in line for line in said)
    assert any("ready, stale: the store was last heard of" in line for line in said)


def lease_put(store: StoreServer, path: str, fields: object) -> None:
    with Wire(store.address) as wire:
        lease = wire.get("LeaseGrant", rpc_pb2.LeaseGrantRequest(TTL=3600))
        put_request = rpc_pb2.PutRequest(
            key=f"/skydns/{path}".encode(), value=json.dumps(fields).encode(), lease=lease.ID
        )
        wire.get("Put", put_request)


def test_records_on_leases_are_frozen_for_as_long_as_was_said(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    put(fairlead_store, SITE)
    server = NameServer(fairlead_store, tmp_path)
    server.program.argv += ["--stale-after", "0.5", "--freeze-leases", "2"]
    server.start()
    try:
        lease_put(fairlead_store, "local/skydns/leased", {"host": "10.0.0.77"})
        eventually(lambda: server.ask("leased.skydns.local") == ["10.0.0.77"])
        fairlead_store.kill()
        eventually(lambda: "stale" in server.get("/readyz")[1])
        assert server.ask("leased.skydns.local") == ["10.0.0.77"], "frozen"
        eventually(lambda: server.ask("leased.skydns.local") == [])
        assert server.ask("1.web.skydns.local") == ["10.0.0.1"], "what is on no lease stays"
        assert server.get("/readyz")[0] == 200
        fairlead_store.restart()
        eventually(lambda: server.ask("leased.skydns.local") == ["10.0.0.77"])
        eventually(lambda: server.get("/readyz")[1] == "ready\n")
    finally:
        server.program.stop()
