"""Several hosts on one store: who may change when, and what one bad host means for the others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.render.conftest import Etcdctl, Site
from tests.e2e.render.test_steering import typed
from tests.support.processes import wait_for
from tests.support.store import StoreServer

pytestmark = pytest.mark.peer("etcdctl")
HOSTS = ("web1", "web2", "web3")
GROUP = """
group: app
files: [{{src: app.j2, dest: {out}/app.conf}}]
keys: [/app]
reload: {{shell: "echo reload >> {out}/log; ! grep -q bad {out}/app.conf"}}
rollout: {{group: web, max: 1{more}}}
"""


class Fleet:
    """Three hosts, each with its own folders and name."""

    def __init__(self, path: Path, store: StoreServer) -> None:
        self.sites = {host: Site(path / host, store) for host in HOSTS}
        self._store = store

    @property
    def endpoint(self) -> str:
        return self._store.endpoint

    def start(self, more: str = "") -> None:
        for host, site in self.sites.items():
            (site.path / "templates" / "app.j2").write_text("{{ getv('/app/value') }}")
            (site.path / "conf.d" / "app.yaml").write_text(GROUP.format(out=site.out, more=more))
            site.watch("--watch", "--host", host)

    def values(self) -> list[str]:
        paths = [site.out / "app.conf" for site in self.sites.values()]
        return [path.read_text() if path.exists() else "" for path in paths]

    def until(self, *values: str) -> None:
        wait_for(lambda: self.values() == list(values), f"{values}, not {self.values()}")

    def stop(self) -> None:
        for site in self.sites.values():
            site.agent.stop()


@pytest.fixture
def fleet(tmp_path: Path, empty_store: StoreServer) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, empty_store)
    yield fleet
    fleet.stop()


def rows(etcdctl: Etcdctl) -> dict[str, dict[str, object]]:
    lines = etcdctl("get", "--prefix", "/fairlead/render/status/", "--print-value-only").splitlines()
    return {row["host"]: row for row in map(json.loads, lines)}


def states(etcdctl: Etcdctl) -> dict[str, object]:
    """Host to state; a row may be gone for a moment, where a busy machine has let its lease die."""
    return {host: row["state"] for host, row in rows(etcdctl).items()}


def test_a_bad_value_harms_exactly_one_host_and_the_status_tells_the_story(
    fleet: Fleet, etcdctl: Etcdctl
) -> None:
    etcdctl("put", "/app/value", "one")
    fleet.start(", canary: [web1]")
    fleet.until("one", "one", "one")
    wait_for(lambda: states(etcdctl) == dict.fromkeys(HOSTS, "ok"), "all are well")
    etcdctl("put", "/app/value", "two")
    fleet.until("two", "two", "two")
    logs = {host: (site.out / "log") for host, site in fleet.sites.items()}
    wait_for(
        lambda: [log.read_text().count("reload") for log in logs.values()] == [2] * 3, "all have reloaded"
    )
    before = {host: log.read_text() for host, log in logs.items()}
    etcdctl("put", "/app/value", "bad")
    wait_for(lambda: states(etcdctl).get("web1") == "rolled back", "the canary is rolled back")
    held_back = {"web1": "rolled back", "web2": "held back", "web3": "held back"}
    wait_for(lambda: states(etcdctl) == held_back, "the others are held back")
    assert fleet.values() == ["two", "two", "two"]
    assert {host: log.read_text() for host, log in logs.items() if host != "web1"} == {
        host: text for host, text in before.items() if host != "web1"
    }
    assert "web1 came to harm" in str(rows(etcdctl)["web2"]["error"])
    told = typed("status", "--endpoints", fleet.endpoint, status=1).splitlines()
    assert [line.split()[0] for line in told if not line.startswith(" ")] == ["HOST", *HOSTS]
    assert sum("rolled back" in line for line in told if line.startswith("web")) == 1
    assert "! grep -q bad" in told[2]
    etcdctl("put", "/app/value", "three")
    fleet.until("three", "three", "three")
    slots = ["get", "--prefix", "/fairlead/render/rollout/web/slots/", "--keys-only"]
    wait_for(lambda: not etcdctl(*slots).split(), "every slot is given back")


def test_a_freeze_holds_everybody_until_it_is_gone(fleet: Fleet, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/app/value", "one")
    fleet.start()
    fleet.until("one", "one", "one")
    etcdctl("put", "/fairlead/render/rollout/web/freeze", "Christmas")
    etcdctl("put", "/app/value", "two")
    for site in fleet.sites.values():
        site.until_logged("rollout web: it is frozen; thaw it with: fairlead kv del")
    assert fleet.values() == ["one", "one", "one"]
    etcdctl("del", "/fairlead/render/rollout/web/freeze")
    fleet.until("two", "two", "two")
