"""Looking for members whose history is not the others': hashes of one revision, compared.

Raft makes members agree on what was written, not on what a disk has made of it since.  A member that differs before
it serves must not begin to; one that is found later is named by the CORRUPT alarm, after which the cluster takes no
request that could spread the damage (as in etcd's ``server/etcdserver/corrupt.go``).
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from fairlead.member.errors import CorruptMemberError, MemberError
from fairlead.member.hashing import hash_kv
from fairlead.mvcc import KeyValueHash, MvccError
from fairlead.proto import rpc_pb2 as pb

if TYPE_CHECKING:
    from fairlead.member.member import Member
    from fairlead.member.questions import Answer

_log = structlog.get_logger("fairlead.store")

HASH_KV = "HashKV"


def find_corrupt(hashes: Mapping[int, KeyValueHash], *, trusted: int) -> set[int]:
    """Return the members whose hash differs from what most have; ``trusted`` decides where there is no majority.

    Hashes are compared only where revision and compacted revision are those of ``trusted``.
    """
    own = hashes[trusted]
    comparable = {member: found.hash for member, found in hashes.items() if found[1:] == own[1:]}
    (common, count), *_ = Counter(comparable.values()).most_common(1)
    truth = common if count * 2 > len(comparable) else own.hash
    return {member for member, found in comparable.items() if found != truth}


class CorruptionChecks:
    """The checks of one member: answers others, and asks them when it is time."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self._tasks: set[asyncio.Task[None]] = set()
        member.replica.questions.answers[HASH_KV] = self._answer

    def start(self) -> None:
        """Begin the regular checks, if any are wanted; they run on whoever leads."""
        if self._member.config.corrupt_check_s > 0:
            self._run(self._check_regularly())

    async def stop(self) -> None:
        """End them."""
        for task in tuple(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def check_before_serving(self) -> None:
        """Compare with the others; members that do not answer are passed over.

        Raises:
            CorruptMemberError: this member's history is not that of another at the same revision.
        """
        member = self._member
        own = await hash_kv(self._member.machine)
        _log.info("comparing with the other members before serving", revision=own.hash_revision)
        others = await self._ask_others(own.hash_revision)
        for other, found in others.items():
            if found[1:] == own[1:] and found.hash != own.hash:
                raise CorruptMemberError(member.config.data_dir, other=other, revision=own.hash_revision)

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._member.config.corrupt_check_s)
            if self._member.replica.leads:
                with suppress(MemberError, MvccError):
                    await self.check_all()

    async def check_all(self) -> None:
        """Compare all members' history with this one's; raise the alarm for those that differ."""
        member = self._member
        own_id = member.identity.member_id
        own = await hash_kv(self._member.machine)
        hashes = {own_id: own, **await self._ask_others(own.hash_revision)}
        for corrupt in sorted(find_corrupt(hashes, trusted=own_id)):
            if (corrupt, pb.CORRUPT) in member.machine.alarms:
                continue
            _log.critical(
                "a member's data differs from the others': the cluster refuses requests until an operator has looked",
                member=f"{corrupt:x}",
                revision=own.hash_revision,
                next="member remove, empty its data directory, member add; then: etcdctl alarm disarm",
            )
            member.raise_alarm(pb.CORRUPT, of=corrupt)

    async def _ask_others(self, revision: int) -> dict[int, KeyValueHash]:
        member = self._member
        request = pb.HashKVRequest(revision=revision).SerializeToString()
        others = [other for other in member.cluster.members if other != member.identity.member_id]
        answers = await asyncio.gather(*(member.ask(other, HASH_KV, request) for other in others))
        hashes = {}
        for other, answer in zip(others, answers, strict=True):
            if isinstance(answer, Exception):
                _log.info("no hash to compare", member=f"{other:x}", why=type(answer).__name__)
                continue
            response = pb.HashKVResponse.FromString(answer)
            hashes[other] = KeyValueHash(response.hash, response.compact_revision, response.hash_revision)
        return hashes

    def _answer(self, payload: bytes, answer: "Answer") -> None:
        request = pb.HashKVRequest.FromString(payload)

        async def work() -> None:
            try:
                found = await hash_kv(self._member.machine, request.revision)
            except MvccError as error:
                answer(error)
            else:
                response = pb.HashKVResponse(
                    hash=found.hash,
                    compact_revision=found.compact_revision,
                    hash_revision=found.hash_revision,
                )
                answer(response.SerializeToString())
            self._member.flush_soon()

        self._run(work())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
