"""``fairlead store`` as one of several: when it says that it is ready, and how it ends while it is not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import peers
from tests.e2e.cli.command import Kv, run
from tests.support.cluster import StoreCluster
from tests.support.ports import free_port
from tests.support.processes import clean_environment
from tests.support.store import FairleadStore, StoreServer


def test_a_member_that_waits_for_a_majority_can_be_stopped(tmp_path: Path) -> None:
    cluster = StoreCluster(FairleadStore, tmp_path)
    program = cluster.members["m1"].program
    program.start(lambda: "cannot reach a peer" in program.log())
    assert program.stop() == 0
    assert "Traceback" not in program.log()
    assert "ready" not in program.log()


@pytest.mark.peer("etcdctl")
def test_a_member_that_was_added_is_ready_once_it_votes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts start a member, wait until it is ready, and use it: a learner would refuse nearly everything."""
    with StoreCluster(FairleadStore, tmp_path, size=1) as cluster:
        first = cluster.members["m1"]
        second = cluster.newcomer("m2")
        etcdctl(first, "member", "add", "m2", f"--peer-urls={cluster.peer_url(second)}")
        second.program.start(lambda: "ready" in second.program.log())
        assert Kv(second.endpoint, capsys)("put", "/a", "1").status == 0
        assert not any(member.get("isLearner") for member in members(second))


@pytest.mark.peer("etcdctl")
def test_a_member_that_is_removed_ends_and_says_how_it_may_come_back(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path) as cluster:
        first, last = cluster.members["m1"], cluster.members["m3"]
        (last_id,) = (member["ID"] for member in members(first) if member["name"] == "m3")
        etcdctl(first, "member", "remove", f"{last_id:x}")
        assert last.program.wait() == 0
        assert "this member was removed from its cluster; to let it join again" in last.program.log()
        assert "bug" not in last.program.log()


def test_a_port_for_the_others_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with FairleadStore(tmp_path) as store:
        taken = f"http://127.0.0.1:{store.peer_port}"
        client = f"http://127.0.0.1:{free_port()}"
        said = run(
            "store", "--data-dir", tmp_path / "other", "--listen-client-urls", client, "--listen-peer-urls", taken
        ).err.splitlines()  # fmt: skip
    assert [line for line in said if line.startswith("fairlead: ")] == said[-1:]
    assert taken in said[-1]
    assert "in use" in said[-1]


def etcdctl(store: StoreServer, *words: str) -> str:
    command = [peers.find("etcdctl") or "etcdctl", "--endpoints", store.address, *words]
    env = clean_environment({"ETCDCTL_API": "3"})
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=30).stdout


def members(store: StoreServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(etcdctl(store, "member", "list", "-w", "json"))["members"]
    return found
