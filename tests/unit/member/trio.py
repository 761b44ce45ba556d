"""Three replicas in memory: messages and writes are done at once, unless a test says otherwise."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairlead.lease import LeaseTable
from fairlead.member import PUT, Headers, Identity
from fairlead.member.cluster import Cluster, ClusterMember
from fairlead.member.configurations import save_configuration
from fairlead.member.machine import Machine, Quota
from fairlead.member.replica import Replica
from fairlead.member.work import ReplicaLimits
from fairlead.mvcc import Store
from fairlead.mvcc.testing import MemoryDatabases
from fairlead.peer import PeerMessage
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Config, Configuration, InstallSnapshot, Raft, Snapshot

IDS = (1, 2, 3)


def make_replica(member_id: int, voters: tuple[int, ...]) -> Replica:
    """Make one member of a cluster of ``voters``; none at all for one that joins."""
    backend = MemoryDatabases().open(Path(f"/{member_id}"))
    cluster = Cluster()
    machine = Machine(
        store=Store.open(backend),
        backend=backend,
        leases=LeaseTable(ttl_s_min=1),
        cluster=cluster,
        headers=Headers(Identity(cluster_id=7, member_id=member_id), 0),
        quota=Quota(-1),
    )
    machine.load()
    configuration = Configuration(voters=frozenset(voters))
    cluster.bootstrap([ClusterMember(id=i, peer_urls=(f"http://m{i}:1",), name=f"m{i}") for i in voters])
    save_configuration(backend, 0, configuration)
    return Replica(
        member_id=member_id,
        raft=Raft(
            Config(member_id=member_id),
            snapshot=Snapshot(configuration=configuration),
            rng=random.Random(member_id),
        ),
        machine=machine,
        cluster=cluster,
        first_id=member_id << 32,
        limits=ReplicaLimits(request_timeout_s=7.0, lease_extend_s=1.0),
    )


class Trio:
    """The replicas, their network and their clock.

    Attributes:
        down: members that hear and say nothing.
        drops: returns whether a message is lost.
    """

    def __init__(self, ids: tuple[int, ...] = IDS) -> None:
        self.now_s = 100.0
        self.replicas = {member_id: make_replica(member_id, ids) for member_id in ids}
        self.down: set[int] = set()
        self.drops: Callable[[PeerMessage], bool] = lambda _: False
        self.snapshots: list[InstallSnapshot] = []
        self.sent: list[PeerMessage] = []

    def __getitem__(self, member_id: int) -> Replica:
        return self.replicas[member_id]

    def elect(self, member_id: int) -> Replica:
        """Let one of them lead."""
        self[member_id].raft.campaign()
        self.settle()
        assert self[member_id].leads
        return self[member_id]

    def settle(self) -> None:
        """Do all that is to be done, until nothing is."""
        # A list: everybody gets a turn, whoever had something to do.
        while any([self._run(member_id) for member_id in self.replicas if member_id not in self.down]):  # noqa: C419 - see above
            pass

    def _run(self, member_id: int) -> bool:
        replica = self[member_id]
        has_run = False
        while (work := replica.take(now_s=self.now_s)) is not None:
            has_run = True
            self._send(work.send)
            self.snapshots += work.snapshots
            self._send(replica.written(work))
        return has_run

    def _send(self, messages: Any) -> None:
        for message in messages:
            self.sent.append(message)
            to = self.replicas.get(message.to)
            if to is not None and message.to not in self.down and not self.drops(message):
                to.receive(message)

    def tick(self, ticks: int = 1) -> None:
        """Let heartbeat intervals of 0.1 s pass."""
        for _ in range(ticks):
            self.now_s += 0.1
            for member_id, replica in self.replicas.items():
                if member_id not in self.down:
                    replica.tick(now_s=self.now_s)
            self.settle()

    def leader(self) -> Replica:
        """Let time pass until somebody leads; return who does."""
        for _ in range(200):
            for member_id, replica in self.replicas.items():
                if member_id not in self.down and replica.leads and replica.applied_term == replica.raft.term:
                    return replica
            self.tick()
        raise AssertionError("nobody leads")

    def put(self, member_id: int, key: bytes, answers: list[bytes | Exception]) -> None:
        """Propose a put at a member."""
        request = pb.PutRequest(key=key, value=b"v")
        self[member_id].propose(
            PUT, request.SerializeToString(), request, answers.append, deadline_s=self.now_s + 7.0
        )
