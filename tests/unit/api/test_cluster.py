"""The Cluster service on a member that is alone so far.

Source: reference of etcd's API, section 1.8, and ``docs/decisions/0003``.
"""

from typing import Any

import pytest
from tests.unit.api.conftest import FakeCall, Rig

from fairlead.api.cluster import Cluster
from fairlead.api.status import STATUS
from fairlead.member import (
    LearnerNotReadyError,
    MemberNotFoundError,
    MemberUrlsError,
    NotEnoughStartedError,
    NotLearnerError,
    PeerUrlExistsError,
    TooManyLearnersError,
    member_id_of,
)
from fairlead.proto import rpc_pb2 as pb

NOW_S = 1_700_000_000
NEW_URL = "http://new:2380"
NEW_ID = member_id_of([NEW_URL], "", added_at_s=NOW_S)


@pytest.fixture
def cluster(rig: Rig) -> Cluster:
    return Cluster(rig.member, clock_s=lambda: NOW_S + 0.9)


async def members_of(rig: Rig, cluster: Cluster, *, linearizable: bool = False) -> dict[int, pb.Member]:
    request = pb.MemberListRequest(linearizable=linearizable)
    answer = await rig.ask(cluster.list, request, pb.MemberListResponse)
    return {member.ID: member for member in answer.members}


async def add(rig: Rig, cluster: Cluster, url: str = NEW_URL, **fields: Any) -> pb.MemberAddResponse:
    return await rig.ask(cluster.add, pb.MemberAddRequest(peerURLs=[url], **fields), pb.MemberAddResponse)


async def refusal(handler: Any, request: Any) -> tuple[Any, str]:
    """Call a handler that will refuse; return what the client is told."""
    call = FakeCall()
    handler(request.SerializeToString(), call)
    await call.until(lambda: not call.is_open)
    assert call.status is not None
    return call.status


@pytest.mark.parametrize("linearizable", [False, True])
async def test_a_list_shows_names_urls_and_no_revision(
    rig: Rig, cluster: Cluster, *, linearizable: bool
) -> None:
    request = pb.MemberListRequest(linearizable=linearizable)
    answer = await rig.ask(cluster.list, request, pb.MemberListResponse)
    (member,) = answer.members
    assert (member.ID, member.name) == (rig.member.identity.member_id, "default")
    assert list(member.clientURLs) == ["http://localhost:2379"]
    assert not member.isLearner
    assert answer.header.member_id == rig.member.identity.member_id
    assert answer.header.revision == 0


async def test_a_new_voter_is_answered_as_asked_for_and_listed_as_the_learner_it_is(
    rig: Rig, cluster: Cluster
) -> None:
    answer = await add(rig, cluster)
    assert answer.member == pb.Member(ID=NEW_ID, peerURLs=[NEW_URL])
    assert {member.ID for member in answer.members} == {rig.member.identity.member_id, NEW_ID}
    listed = (await members_of(rig, cluster))[NEW_ID]
    assert listed == pb.Member(ID=NEW_ID, peerURLs=[NEW_URL], isLearner=True)


async def test_a_member_that_does_not_come_holds_up_nobody(rig: Rig, cluster: Cluster) -> None:
    await add(rig, cluster)
    before = rig.member.store.revision
    assert await rig.put(b"k") == before + 1
    assert NEW_ID in await members_of(rig, cluster, linearizable=True)


async def test_a_learner_is_answered_as_one(rig: Rig, cluster: Cluster) -> None:
    answer = await add(rig, cluster, isLearner=True)
    assert answer.member.isLearner


async def test_a_member_that_is_removed_is_gone_for_good(rig: Rig, cluster: Cluster) -> None:
    await add(rig, cluster)
    request = pb.MemberRemoveRequest(ID=NEW_ID)
    answer = await rig.ask(cluster.remove, request, pb.MemberRemoveResponse)
    assert [member.ID for member in answer.members] == [rig.member.identity.member_id]
    assert await refusal(cluster.remove, request) == STATUS[MemberNotFoundError]
    # The same URLs at the same second make the same id, which has been used.
    again = pb.MemberAddRequest(peerURLs=[NEW_URL])
    assert await refusal(cluster.add, again) == STATUS[MemberNotFoundError]


async def test_the_only_voter_is_not_removed(rig: Rig, cluster: Cluster) -> None:
    request = pb.MemberRemoveRequest(ID=rig.member.identity.member_id)
    assert await refusal(cluster.remove, request) == STATUS[NotEnoughStartedError]


async def test_members_are_promoted_once_they_have_caught_up(rig: Rig, cluster: Cluster) -> None:
    own = pb.MemberPromoteRequest(ID=rig.member.identity.member_id)
    assert await refusal(cluster.promote, own) == STATUS[NotLearnerError]
    assert await refusal(cluster.promote, pb.MemberPromoteRequest(ID=1)) == STATUS[MemberNotFoundError]
    await add(rig, cluster, isLearner=True)
    new = pb.MemberPromoteRequest(ID=NEW_ID)
    assert await refusal(cluster.promote, new) == STATUS[LearnerNotReadyError]


async def test_a_second_learner_is_too_many(rig: Rig, cluster: Cluster) -> None:
    await add(rig, cluster, isLearner=True)
    request = pb.MemberAddRequest(peerURLs=["http://other:2380"], isLearner=True)
    assert await refusal(cluster.add, request) == STATUS[TooManyLearnersError]


async def test_peer_urls_are_updated(rig: Rig, cluster: Cluster) -> None:
    await add(rig, cluster)
    own_id = rig.member.identity.member_id
    request = pb.MemberUpdateRequest(ID=own_id, peerURLs=["http://b:1", "http://a:1"])
    answer = await rig.ask(cluster.update, request, pb.MemberUpdateResponse)
    urls = {member.ID: list(member.peerURLs) for member in answer.members}
    assert urls[own_id] == ["http://a:1", "http://b:1"]
    taken = pb.MemberUpdateRequest(ID=own_id, peerURLs=[NEW_URL])
    assert await refusal(cluster.update, taken) == STATUS[PeerUrlExistsError]
    unknown = pb.MemberUpdateRequest(ID=1, peerURLs=["http://c:1"])
    assert await refusal(cluster.update, unknown) == STATUS[MemberNotFoundError]


async def test_urls_that_nobody_could_listen_at_are_refused(rig: Rig, cluster: Cluster) -> None:
    for handler, request in (
        (cluster.add, pb.MemberAddRequest(peerURLs=["nowhere"])),
        (cluster.add, pb.MemberAddRequest()),
        (cluster.update, pb.MemberUpdateRequest(ID=rig.member.identity.member_id, peerURLs=["http://a"])),
    ):
        with pytest.raises(MemberUrlsError):
            handler(request.SerializeToString(), FakeCall())
    taken = pb.MemberAddRequest(peerURLs=[rig.member.config.peer_urls[0]])
    assert await refusal(cluster.add, taken) == STATUS[PeerUrlExistsError]
