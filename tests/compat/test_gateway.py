"""The JSON gateway, asked with curl, answers as etcd's does."""

import json
import re
import subprocess
from http import HTTPStatus
from typing import Any

import pytest
from tests.compat.scripts.gateway import SCRIPT, UNREADABLE, WATCHES
from tests.support.store import EtcdServer, FairleadStore, StoreServer

pytestmark = pytest.mark.peer("etcd", "curl")

_WITHIN_S = 20
_VARIES = {
    "cluster_id", "member_id", "raft_term", "leader", "raftIndex", "raftAppliedIndex", "raftTerm", "dbSize",
    "dbSizeInUse", "hash", "ID", "TTL",
}  # fmt: skip

# What a server of 3.6 says beyond one of 3.4, and why the tests let it.
_NEWER = {
    "storageVersion": "3.6: Status tells the version of the data's layout",
    "dbSizeQuota": "3.6: Status tells the quota",
    "dbSizeInUse": "3.4 on a small database omits it at times",
    "downgradeInfo": "3.6: Status tells of a downgrade under way",
    "details": "grpc-gateway 2: always there, empty",
}

Reply = tuple[int, Any]
Replies = dict[str, Reply]


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Replies, Replies]:
    """What the whole script gave on etcd and on Fairlead."""
    folder = tmp_path_factory.mktemp("gateway")
    return _play(EtcdServer(folder / "etcd")), _play(FairleadStore(folder / "fairlead"))


def _play(store: StoreServer) -> Replies:
    with store:
        replies = {post.name: _post(store, post.path, post.body) for post in SCRIPT}
        return replies | {f"watch {name}": _watch(store, first, lines) for name, first, lines in WATCHES}


def _post(store: StoreServer, path: str, body: dict[str, Any] | str) -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    done = subprocess.run(
        ["curl", "-sS", "-m", str(_WITHIN_S), "-w", "\n%{http_code}", "-d", text, store.endpoint + path],
        capture_output=True,
        text=True,
        check=True,
    )
    reply, _, status = done.stdout.rpartition("\n")
    try:
        return int(status), _comparable(json.loads(reply))
    except ValueError:
        return int(status), reply


def _watch(store: StoreServer, first: dict[str, Any], lines: int) -> Reply:
    """The first ``lines`` lines of a stream that does not end; the body ends at once, which must not end it."""
    with subprocess.Popen(
        ["curl", "-sSN", "-m", str(_WITHIN_S), "-d", json.dumps(first), store.endpoint + "/v3/watch"],
        stdout=subprocess.PIPE,
        text=True,
    ) as curl:
        assert curl.stdout is not None
        said = [curl.stdout.readline() for _ in range(lines)]
        curl.terminate()
    return lines, [_comparable(json.loads(line)) if line else "nothing more" for line in said]


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _said(key, item) for key, item in value.items() if key not in _NEWER}


def _said(key: str, item: Any) -> Any:
    if key in _VARIES and item != "-1":
        return "VARIES"
    if key == "version" and re.fullmatch(r"\d+\.\d+\.\d+", str(item)):
        return "RELEASE"
    if key in {"peerURLs", "clientURLs"}:
        return len(item)
    return _comparable(item)


def as_newer_servers_say(name: str, reply: Reply) -> Reply:
    """What 3.5 and later reply where 3.4 replied ``reply``."""
    status, body = reply
    if status == HTTPStatus.PRECONDITION_FAILED:
        status = HTTPStatus.BAD_REQUEST  # grpc-gateway 1.9 maps FailedPrecondition to 400
    if name == "alarms":
        body = {
            "header": dict.fromkeys(("cluster_id", "member_id", "raft_term"), "VARIES") | {"revision": "11"}
        }
    if name == "hash":
        body |= {"compact_revision": "4", "hash_revision": "11"}  # we answer HashKV at both of its paths
    return status, body


def without_the_parsers_words(reply: Reply) -> Reply:
    """Each JSON parser complains in words of its own: that it refuses, and with what status, is the rule."""
    return reply[0], "words"


@pytest.mark.parametrize("name", [post.name for post in SCRIPT] + [f"watch {name}" for name, *_ in WATCHES])
def test_the_reply_is_the_same(replies: tuple[Replies, Replies], name: str) -> None:
    theirs, ours = (reply[name] for reply in replies)
    theirs = as_newer_servers_say(name, theirs)
    if name in UNREADABLE:
        theirs, ours = without_the_parsers_words(theirs), without_the_parsers_words(ours)
    assert ours == theirs
