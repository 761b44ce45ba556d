"""Looking for members whose history is not the others': hashes of one revision, compared.

Raft makes members agree on what was written, not on what a disk has made of it since.  A member that differs before
it serves must not begin to; one that is found later is named by the CORRUPT alarm, after which the cluster takes no
request that could spread the damage (as in etcd's ``server/etcdserver/corrupt.go``).

Later there are two ways to look.  To compare all there is at the present revision, a member must have got that far.
What a member had at a compaction is hashed when it compacts, so that it can be compared whenever it answers.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from fairlead.member.errors import CorruptMemberError, MemberError, UnavailableError
from fairlead.member.hashing import hash_kv
from fairlead.mvcc import KeyValueHash, MvccError
from fairlead.proto import rpc_pb2 as pb

if TYPE_CHECKING:
    from fairlead.member.member import Member
    from fairlead.member.questions import Answer

_log = structlog.get_logger("fairlead.store")

HASH_KV = "HashKV"
COMPACT_HASH = "CompactHash"
HASHES_MAX = 10
"""Compactions whose hash is kept, as in etcd."""


def find_corrupt(hashes: Mapping[int, KeyValueHash], *, trusted: int) -> set[int]:
    """Return the members whose hash differs from what most have; ``trusted`` decides where there is no majority.

    Hashes are compared only where revision and compacted revision are those of ``trusted``.
    """
    own = hashes[trusted]
    comparable = {member: found.hash for member, found in hashes.items() if found[1:] == own[1:]}
    (common, count), *_ = Counter(comparable.values()).most_common(1)
    truth = common if count * 2 > len(comparable) else own.hash
    return {member for member, found in comparable.items() if found != truth}


class CompactHashes:
    """What this member had at its last compactions, and up to which all members have been found alike."""

    def __init__(self) -> None:
        self._hashes: dict[int, KeyValueHash] = {}
        self._checked = 0

    def add(self, found: KeyValueHash) -> None:
        """Keep the hash of a compaction, and of no more than ``HASHES_MAX``."""
        self._hashes[found.hash_revision] = found
        if len(self._hashes) > HASHES_MAX:
            del self._hashes[min(self._hashes)]

    def at(self, revision: int) -> KeyValueHash | None:
        """Return the hash of the compaction to ``revision``; None if there was none, or it is too long ago."""
        return self._hashes.get(revision)

    def unchecked(self) -> list[KeyValueHash]:
        """Return those that have not been compared with all members', the newest first."""
        return [
            self._hashes[revision]
            for revision in sorted(self._hashes, reverse=True)
            if revision > self._checked
        ]

    def checked(self, revision: int) -> None:
        """Take the news that all members were compared at ``revision``: what lies before needs no look."""
        self._checked = max(self._checked, revision)


class CorruptionChecks:
    """The checks of one member: answers others, and asks them when it is time."""

    def __init__(self, member: "Member") -> None:
        self._member = member
        self._tasks: set[asyncio.Task[None]] = set()
        self._compact_hashes = CompactHashes()
        self._compacted = 0  # the last compaction; not hashed yet while a task is at work
        self._is_hashing = False
        member.replica.questions.answers[HASH_KV] = self._answer
        member.replica.questions.answers[COMPACT_HASH] = self._answer_compacted

    def start(self) -> None:
        """Begin the regular checks, if any are wanted; they run on whoever leads."""
        config = self._member.config
        if config.corrupt_check_s > 0:
            self._run(self._check_regularly(config.corrupt_check_s, self.check_all))
        if config.compact_hash_check_s > 0:
            self._member.machine.on_compacted = self._begin_hash
            self._run(self._check_regularly(config.compact_hash_check_s, self.check_compacted))

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
        others = await self._ask_others(HASH_KV, own.hash_revision)
        for other, found in others.items():
            if found[1:] == own[1:] and found.hash != own.hash:
                raise CorruptMemberError(member.config.data_dir, other=other, revision=own.hash_revision)

    async def _check_regularly(self, every_s: float, check: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(every_s)
            if self._member.replica.leads:
                with suppress(MemberError, MvccError):
                    await check()

    async def check_all(self) -> None:
        """Compare all members' history with this one's; raise the alarm for those that differ."""
        own = await hash_kv(self._member.machine)
        await self._compare(own, HASH_KV)

    async def check_compacted(self) -> None:
        """Compare what members had at the last compactions, until one is found that all could be asked about."""
        for own in self._compact_hashes.unchecked():
            if await self._compare(own, COMPACT_HASH):
                self._compact_hashes.checked(own.hash_revision)
                return

    async def _compare(self, own: KeyValueHash, method: str) -> bool:
        """Raise the alarm for members that differ; return whether one did, or all members were compared."""
        member = self._member
        own_id, everybody = member.identity.member_id, set(member.cluster.members)
        hashes = {own_id: own, **await self._ask_others(method, own.hash_revision)}
        found = find_corrupt(hashes, trusted=own_id)
        for corrupt in sorted(found):
            if (corrupt, pb.CORRUPT) in member.machine.alarms:
                continue
            _log.critical(
                "a member's data differs from the others': the cluster refuses requests until an operator has looked",
                member=f"{corrupt:x}",
                revision=own.hash_revision,
                next="member remove, empty its data directory, member add; then: etcdctl alarm disarm",
            )
            member.raise_alarm(pb.CORRUPT, of=corrupt)
        return bool(found) or {key for key, other in hashes.items() if other[1:] == own[1:]} == everybody

    async def _ask_others(self, method: str, revision: int) -> dict[int, KeyValueHash]:
        member = self._member
        request = pb.HashKVRequest(revision=revision).SerializeToString()
        others = [other for other in member.cluster.members if other != member.identity.member_id]
        answers = await asyncio.gather(*(member.ask(other, method, request) for other in others))
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
                answer(_encode(found))
            self._member.flush_soon()

        self._run(work())

    def _answer_compacted(self, payload: bytes, answer: "Answer") -> None:
        found = self._compact_hashes.at(pb.HashKVRequest.FromString(payload).revision)
        answer(UnavailableError() if found is None else _encode(found))

    def _begin_hash(self, revision: int) -> None:
        self._compacted = revision
        if not self._is_hashing:
            self._is_hashing = True
            self._run(self._hash_compacted())

    async def _hash_compacted(self) -> None:
        """Hash what was compacted last, one at a time; those that a later one overtook meanwhile are not missed."""
        revision = 0
        try:
            while revision != self._compacted:
                revision = self._compacted
                with suppress(MvccError):
                    found = await hash_kv(self._member.machine, revision)
                    if found.compact_revision == revision:
                        self._compact_hashes.add(found)
        finally:
            self._is_hashing = False

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _encode(found: KeyValueHash) -> bytes:
    response = pb.HashKVResponse(
        hash=found.hash, compact_revision=found.compact_revision, hash_revision=found.hash_revision
    )
    return response.SerializeToString()
