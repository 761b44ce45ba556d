"""A member among the others: when it is one of them."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fairlead.member import (
    Cluster,
    ClusterMember,
    Identity,
    MemberConfig,
    MembershipChange,
    MembershipChangeKind,
)
from fairlead.member.peering import Peering
from fairlead.mvcc.testing import MemoryDatabases

KIND = MembershipChangeKind


def peering_of(kind: MembershipChangeKind, cluster: Cluster, path: Path) -> Peering:
    """Make member 2 of a cluster to which it was added in this way."""
    cluster.load(MemoryDatabases().open(path))
    cluster.bootstrap([ClusterMember(id=1, peer_urls=("http://m1:1",))])
    cluster.apply(MembershipChange(kind=kind, member_id=2, peer_urls=("http://m2:1",)))
    member: Any = SimpleNamespace(
        config=MemberConfig(data_dir=path, heartbeat_s=0.001),
        identity=Identity(cluster_id=7, member_id=2),
        cluster=cluster,
    )
    return Peering(member)


async def test_a_member_that_is_joining_has_joined_when_it_is_promoted(tmp_path: Path) -> None:
    """A member that says it is ready while it is a learner refuses what a voter would serve."""
    cluster = Cluster()
    joined = asyncio.create_task(peering_of(KIND.ADD, cluster, tmp_path).joined())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not joined.done()
    cluster.apply(MembershipChange(kind=KIND.PROMOTE, member_id=2))
    async with asyncio.timeout(10):
        await joined


async def test_a_learner_by_request_waits_for_nothing(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        await peering_of(KIND.ADD_LEARNER, Cluster(), tmp_path).joined()
