"""A member's core without threads: a proposal is written, committed, applied and answered at once."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fairlead.lease import LeaseTable
from fairlead.member import DELETE_RANGE, LEASE_GRANT, PUT, TXN, Headers, Identity
from fairlead.member.checks import check_range
from fairlead.member.cluster import Cluster, ClusterMember
from fairlead.member.machine import Machine, Quota
from fairlead.member.ranges import answer_range
from fairlead.member.replica import Replica
from fairlead.member.work import ReplicaLimits, Work
from fairlead.mvcc import Backend, Store
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Config, Configuration, Raft, Snapshot

IDENTITY = Identity(cluster_id=7, member_id=9)


@dataclass
class Rig:
    """One replica on a real database file."""

    replica: Replica
    machine: Machine
    store: Store

    def do(self, kind: int, request: Any) -> bytes:
        """Send a command through the log; return its response or raise its error."""
        answers: list[bytes | Exception] = []
        self.replica.submit(kind, request.SerializeToString(), request, answers.append, deadline_s=1.0)
        self.flush()
        (answer,) = answers
        if isinstance(answer, Exception):
            raise answer
        return answer

    def flush(self) -> None:
        """Write, commit and apply what waits."""
        while (work := self.take()) is not None:
            self.replica.written(work)

    def take(self) -> Work | None:
        return self.replica.take(now_s=0.0)

    def put(self, key: bytes, value: bytes = b"v", **fields: Any) -> pb.PutResponse:
        return pb.PutResponse.FromString(self.do(PUT, pb.PutRequest(key=key, value=value, **fields)))

    def delete(self, key: bytes, range_end: bytes = b"", **fields: Any) -> pb.DeleteRangeResponse:
        request = pb.DeleteRangeRequest(key=key, range_end=range_end, **fields)
        return pb.DeleteRangeResponse.FromString(self.do(DELETE_RANGE, request))

    def txn(
        self,
        *,
        compare: Any = (),
        success: Any = (),
        failure: Any = (),
    ) -> pb.TxnResponse:
        request = pb.TxnRequest(compare=compare, success=success, failure=failure)
        return pb.TxnResponse.FromString(self.do(TXN, request))

    def range(self, key: bytes, range_end: bytes = b"", **fields: Any) -> pb.RangeResponse:
        request = pb.RangeRequest(key=key, range_end=range_end, **fields)
        check_range(request)
        header = self.machine.headers.at(self.store.revision)
        return pb.RangeResponse.FromString(header + answer_range(self.store, request))

    def grant(self, lease_id: int, ttl_s: int = 60) -> pb.LeaseGrantResponse:
        request = pb.LeaseGrantRequest(ID=lease_id, TTL=ttl_s)
        return pb.LeaseGrantResponse.FromString(self.do(LEASE_GRANT, request))


def make_follower(path: Path, *, quota_bytes: int = -1) -> Rig:
    """Make a replica that does not lead yet."""
    backend = Backend.open(path)
    store = Store.open(backend)
    cluster = Cluster()
    machine = Machine(
        store=store,
        backend=backend,
        leases=LeaseTable(ttl_s_min=2),
        cluster=cluster,
        headers=Headers(IDENTITY, 1),
        quota=Quota(quota_bytes),
    )
    machine.load()
    cluster.bootstrap([ClusterMember(id=9, peer_urls=("http://localhost:2380",), name="m1")])
    raft = Raft(
        Config(member_id=9),
        snapshot=Snapshot(configuration=Configuration(voters=frozenset({9}))),
        rng=random.Random(1),
    )
    replica = Replica(
        member_id=9,
        raft=raft,
        machine=machine,
        cluster=cluster,
        first_id=1,
        limits=ReplicaLimits(pending_max=10, pending_bytes_max=10_000),
    )
    return Rig(replica, machine, store)


def make_rig(path: Path, *, quota_bytes: int = -1) -> Rig:
    """Make a replica that leads a cluster of its own."""
    rig = make_follower(path, quota_bytes=quota_bytes)
    rig.replica.raft.campaign()
    rig.flush()
    return rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A fresh replica without a quota."""
    rig = make_rig(tmp_path / "db")
    yield rig
    rig.machine.backend.close()
