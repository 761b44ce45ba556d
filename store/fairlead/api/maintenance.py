"""The Maintenance service: how the member does, alarms, hashes, defragmentation."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fairlead.api.replies import reply_to
from fairlead.api.status import status_of
from fairlead.api.version import STORAGE_VERSION, VERSION
from fairlead.member import ALARM, Member, NotSupportedError, hash_database, hash_kv
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY
from fairlead.rpc import Call, Unary


class Maintenance:
    """The methods of ``etcdserverpb.Maintenance``."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> dict[str, Unary]:
        """Return the service's methods by their paths."""
        prefix = "/etcdserverpb.Maintenance/"
        return {
            prefix + "Status": Unary(self.status),
            prefix + "Alarm": Unary(self.alarm),
            prefix + "Defragment": Unary(self.defragment),
            prefix + "HashKV": Unary(self.hash_kv),
            prefix + "Hash": Unary(self.hash),
            prefix + "MoveLeader": Unary(self.move_leader),
            prefix + "Downgrade": Unary(self.refuse),
        }

    def status(self, message: bytes, call: Call) -> bytes:
        """Say how this member does."""
        del message, call
        member = self._member
        replica, backend = member.replica, member.machine.backend
        quota = member.config.quota_bytes
        answer = pb.StatusResponse(
            version=VERSION,
            dbSize=backend.size_bytes,
            dbSizeInUse=backend.size_in_use_bytes,
            leader=replica.raft.leader,
            raftIndex=replica.raft.log.commit,
            raftTerm=replica.raft.term,
            raftAppliedIndex=replica.applied,
            errors=self._errors(),
            isLearner=member.is_learner,
            storageVersion=STORAGE_VERSION,
            dbSizeQuota=max(quota, 0),
            downgradeInfo=pb.DowngradeInfo(),
        )
        return member.header() + answer.SerializeToString()

    def _errors(self) -> list[str]:
        member = self._member
        alarms = [
            f"memberID:{member_id} alarm:{pb.AlarmType.Name(alarm)} "
            for member_id, alarm in sorted(member.machine.alarms)
        ]
        has_leader = member.replica.raft.leader != NOBODY
        return alarms if has_leader else ["etcdserver: no leader", *alarms]

    def alarm(self, message: bytes, call: Call) -> bytes | None:
        """List alarms from local state; propose a change of one."""
        request = pb.AlarmRequest.FromString(message)
        if request.action == pb.AlarmRequest.GET:
            return self._member.machine.apply(ALARM, request)
        self._member.propose(ALARM, message, request, reply_to(call))
        return None

    def defragment(self, message: bytes, call: Call) -> None:
        """Give the database file's holes back to the disk."""
        del message

        async def run() -> bytes:
            await self._member.upkeep.defragment()
            # As in etcd: no header.
            return b""

        self._answer_later(call, run())

    def hash_kv(self, message: bytes, call: Call) -> None:
        """Hash the history up to a revision."""
        request = pb.HashKVRequest.FromString(message)

        async def run() -> bytes:
            digest, compact_revision, hash_revision = await hash_kv(self._member.machine, request.revision)
            answer = pb.HashKVResponse(
                hash=digest, compact_revision=compact_revision, hash_revision=hash_revision
            )
            return self._member.header() + answer.SerializeToString()

        self._answer_later(call, run())

    def hash(self, message: bytes, call: Call) -> None:
        """Hash the whole database; for tests, as in etcd."""
        del message

        async def run() -> bytes:
            digest = await hash_database(self._member.machine)
            return self._member.header() + pb.HashResponse(hash=digest).SerializeToString()

        self._answer_later(call, run())

    def _answer_later(self, call: Call, work: Coroutine[Any, Any, bytes]) -> None:
        async def run() -> None:
            try:
                answer = await work
            except Exception as error:  # noqa: BLE001 - the edge maps every error, unforeseen ones too
                call.fail(*status_of(error))
            else:
                call.reply(answer)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def move_leader(self, message: bytes, call: Call) -> None:
        """Hand leadership over to another voter; only the leader can."""
        request = pb.MoveLeaderRequest.FromString(message)
        # As in etcd: no header.
        self._member.move_leader(request.targetID, reply_to(call))

    def refuse(self, message: bytes, call: Call) -> bytes:
        """Refuse what comes with replication."""
        del message, call
        raise NotSupportedError
