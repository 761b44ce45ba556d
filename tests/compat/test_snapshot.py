"""``etcdctl snapshot save`` takes a snapshot of Fairlead for whole."""

import subprocess
from pathlib import Path

import pytest
from tests import peers
from tests.support.etcd35 import find35
from tests.support.processes import clean_environment
from tests.support.store import StoreServer

from fairlead.member.backup import check_backup, read_database
from fairlead.mvcc import Backend, Store

pytestmark = pytest.mark.peer("etcdctl")

CLIENTS = {"3.4": lambda: peers.find("etcdctl"), "3.5": lambda: find35("etcdctl")}


@pytest.mark.parametrize("version", CLIENTS)
def test_etcdctl_saves_a_snapshot_that_a_database_can_be_made_of(
    fairlead_store: StoreServer, tmp_path: Path, version: str
) -> None:
    """It checks the size and that a checksum came; we check that all keys did."""
    etcdctl = CLIENTS[version]()
    if etcdctl is None:
        pytest.skip(f"not installed: etcdctl {version}")

    def run(*words: str, stdin: str = "") -> str:
        return subprocess.run(
            [etcdctl, "--endpoints", fairlead_store.address, *words],
            env=clean_environment({"ETCDCTL_API": "3"}),
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    for number in range(3):
        run("put", f"key {number}", stdin="value" * 20_000)
    path = tmp_path / "backup"
    run("snapshot", "save", str(path))
    header = check_backup(path)
    assert header.database_bytes > 300_000
    Backend.load(tmp_path / "db", read_database(path, header))
    backend = Backend.open(tmp_path / "db")
    store = Store.open(backend)
    assert (store.revision, store.range(b"\0", b"\0").count) == (4, 3)
    backend.close()
