"""A zone that is deleted by mistake goes on being served, through a restart, until somebody says that it was meant."""

import json
from pathlib import Path

from tests.e2e.dns.test_dns import eventually, put, serving
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.cli import main
from fairlead.proto import rpc_pb2

MANY = {f"local/skydns/web/{number}": {"host": f"10.0.{number}.1"} for number in range(60)}


def test_a_zone_that_vanishes_is_served_until_it_is_accepted(store: StoreServer, tmp_path: Path) -> None:
    put(store, MANY)
    with serving(store, tmp_path) as server, Wire(store.address) as wire:
        put(store, {"local/skydns/other": {"host": "10.9.9.9"}})
        eventually(lambda: server.ask("other.skydns.local"))
        wire.get(
            "DeleteRange",
            rpc_pb2.DeleteRangeRequest(
                key=b"/skydns/local/skydns/web/", range_end=b"/skydns/local/skydns/web0"
            ),
        )

        def problems() -> dict[str, str]:
            agents = wire.get(
                "Range",
                rpc_pb2.RangeRequest(key=b"/fairlead/agents/dns/", range_end=b"/fairlead/agents/dns0"),
            )
            found: dict[str, str] = json.loads(agents.kvs[0].value)["problems"] if agents.kvs else {}
            return found

        eventually(lambda: "fairlead dns accept" in problems().get("deletion guard", ""))
        assert server.ask("7.web.skydns.local") == ["10.0.7.1"]
        eventually((tmp_path / "copy" / "dns.held").exists)
        server.program.stop()
        server.start()
        assert server.ask("7.web.skydns.local") == ["10.0.7.1"]
        assert main(["dns", "accept", "--endpoints", store.endpoint, "--revision", "9999"]) == 1
        assert main(["dns", "accept", "--endpoints", store.endpoint]) == 0
        eventually(lambda: server.ask("7.web.skydns.local") == [])
        assert server.ask("other.skydns.local") == ["10.9.9.9"]
        eventually(lambda: "deletion guard" not in problems())
        assert "Traceback" not in server.program.log()
