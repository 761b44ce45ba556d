"""Explaining as operators do: by command, over HTTP, and on the page."""

import json
from pathlib import Path

import pytest
from tests.e2e.dns.test_dns import SITE, eventually, put, serving
from tests.support.store import StoreServer

from fairlead.cli import main


def test_commands_and_pages_explain(
    fairlead_store: StoreServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(fairlead_store, {**SITE, "local/skydns/bad": {"host": 3}})
    store = ("--endpoints", fairlead_store.endpoint)
    assert main(["dns", "explain", "web.skydns.local", *store]) == 0
    said = capsys.readouterr().out
    assert "/skydns/local/skydns/web/1  (revision " in said
    assert "web.skydns.local. 3600 IN A 10.0.0.1" in said
    assert main(["dns", "check", *store]) == 2
    said = capsys.readouterr().out
    assert "error: /skydns/local/skydns/bad: host must be a string" in said
    with serving(fairlead_store, tmp_path) as server:
        for name in ("web.skydns.local", "web.skydns.local", "gone.skydns.local"):
            server.ask(name)
        agent = ("--agent", f"127.0.0.1:{server.health_port}")
        assert main(["dns", "explain", "gone.skydns.local", "AAAA", *agent]) == 0
        assert "NXDOMAIN" in capsys.readouterr().out
        assert main(["dns", "top", "--json", *agent]) == 0
        top = json.loads(capsys.readouterr().out)
        assert top["asked"] == [{"name": "web.skydns.local.", "count": 2}]
        assert top["missing"] == [{"name": "gone.skydns.local.", "count": 1}]
        put(fairlead_store, {"local/skydns/new": {"host": "10.0.0.5"}})
        eventually(lambda: "/skydns/local/skydns/new" in server.get("/dns.json?at=skydns.local")[1])
        status, page = server.get("/dns")
        assert status == 200
        assert "<title>fairlead dns</title>" in page
        assert server.get("/explain?name=a..b")[0] == 400
        assert main(["dns", "explain", "web.skydns.local", "--agent", "127.0.0.1:1"]) == 1
        assert "cannot ask 127.0.0.1:1" in capsys.readouterr().err
