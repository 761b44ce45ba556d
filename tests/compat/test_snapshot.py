"""``etcdctl snapshot save`` takes a snapshot of Fairlead for whole."""

import subprocess
from pathlib import Path

import pytest
from tests import peers
from tests.support.etcd35 import find35
from tests.support.processes import clean_environment
from tests.support.store import FairleadStore, StoreServer

from fairlead.member import MemberConfig, restore_member

pytestmark = pytest.mark.peer("etcdctl")

CLIENTS = {"3.4": lambda: peers.find("etcdctl"), "3.5": lambda: find35("etcdctl")}


@pytest.mark.parametrize("version", CLIENTS)
def test_etcdctl_saves_a_snapshot_that_a_member_can_be_made_of(
    fairlead_store: StoreServer, tmp_path: Path, version: str
) -> None:
    """It checks the size and that a checksum came; the new member shows that all keys did."""
    etcdctl = CLIENTS[version]()
    if etcdctl is None:
        pytest.skip(f"not installed: etcdctl {version}")

    def run(*words: str, stdin: str = "", address: str = fairlead_store.address) -> str:
        return subprocess.run(
            [etcdctl, "--endpoints", address, *words],
            env=clean_environment({"ETCDCTL_API": "3"}),
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    for number in range(3):
        run("put", f"key {number}", stdin="value" * 20_000)
    snapshot = tmp_path / "backup"
    run("snapshot", "save", str(snapshot))
    fairlead_store.stop()

    again = FairleadStore(tmp_path / "again")
    config = MemberConfig(
        name=again.name, data_dir=again.data_dir, peer_urls=(f"http://127.0.0.1:{again.peer_port}",)
    )
    assert restore_member(snapshot, config) == 4
    with again:
        found = run("get", "key", "--prefix", "--keys-only", address=again.address)
        assert found.split("\n\n")[:3] == ["key 0", "key 1", "key 2"]
        assert run("get", "key 2", address=again.address) == "key 2\n" + "value" * 20_000 + "\n"
