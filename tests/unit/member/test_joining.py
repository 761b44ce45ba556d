"""Joining: what the cluster says decides; what this member was told has to agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fairlead.member import Identity, JoinError, MemberConfig, joining
from fairlead.member.joining import founding_by_asking
from fairlead.member.opening import Founding
from fairlead.peer import PeerUnreachableError
from fairlead.proto import rpc_pb2 as pb

HERE, THERE = "http://m2:2380", "http://m1:2380"
CONFIG = MemberConfig(
    name="m2", data_dir=Path("unused"), initial_cluster={"m1": (THERE,), "m2": (HERE,)}, is_join=True
)
WITHOUT = pb.MemberListResponse(
    header=pb.ResponseHeader(cluster_id=7), members=[pb.Member(ID=1, name="m1", peerURLs=[THERE])]
)
WITH = pb.MemberListResponse(
    header=pb.ResponseHeader(cluster_id=7),
    members=[*WITHOUT.members, pb.Member(ID=2, peerURLs=[HERE], isLearner=True)],
)


class Cluster:
    """Gives its answers in order, the last one for ever; None is silence."""

    def __init__(self, *answers: pb.MemberListResponse | None) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[str]] = []

    async def ask(self, urls: Sequence[str], method: str, payload: bytes, **how: Any) -> bytes:
        del method, payload, how
        self.asked.append(urls)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise PeerUnreachableError("http://m1:2380: connection refused")
        return answer.SerializeToString()


async def join(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> Founding:
    monkeypatch.setattr(joining, "ask", cluster.ask)
    return await founding_by_asking(CONFIG, pause_s=0.0)


async def test_a_member_that_was_added_begins_with_what_the_cluster_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(WITH)
    founding = await join(monkeypatch, cluster)
    assert founding.identity == Identity(cluster_id=7, member_id=2)
    assert founding.is_join
    assert [(member.id, member.peer_urls) for member in founding.members] == [(1, (THERE,)), (2, (HERE,))]
    assert cluster.asked == [[THERE]], "nobody asks itself"


async def test_the_member_that_was_asked_may_hear_of_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    founding = await join(monkeypatch, Cluster(None, WITHOUT, WITH))
    assert founding.identity.member_id == 2


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(None), "no member of the cluster answers .*refused.; start one, or mend --initial-cluster"),
        (Cluster(WITHOUT), "etcdctl member add m2 --peer-urls=http://m2:2380"),
    ],
)
async def test_a_member_that_cannot_join_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster, said: str
) -> None:
    with pytest.raises(JoinError, match=said) as caught:
        await join(monkeypatch, cluster)
    assert "\n" not in str(caught.value)
    assert 2 <= len(cluster.asked) <= 10
