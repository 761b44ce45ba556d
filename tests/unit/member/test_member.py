"""The running member: what it does when the disk or the code fails, and at its end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.member import PUT, Member, MemberConfig, NoSpaceError, RequestTooLargeError, StoppedError
from fairlead.member.machine import Quota
from fairlead.mvcc import BackendFullError, Commit
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Heartbeat, LostEntriesError
from fairlead.wal import DiskFailedError


class Running:
    """A started member, and what it said when it died."""

    def __init__(self, member: Member, fatal: "asyncio.Future[Exception]") -> None:
        self.member = member
        self.fatal = fatal

    def put(self, key: bytes, value: bytes = b"v") -> "asyncio.Future[bytes]":
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def reply(result: bytes | Exception) -> None:
            if isinstance(result, bytes):
                answer.set_result(result)
            else:
                answer.set_exception(result)

        request = pb.PutRequest(key=key, value=value)
        self.member.propose(PUT, request.SerializeToString(), request, reply)
        return answer


async def start(tmp_path: Path) -> Running:
    fatal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    member = await Member.start(MemberConfig(data_dir=tmp_path / "data"), on_fatal=fatal.set_result)
    return Running(member, fatal)


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


async def test_a_started_member_reads_linearizably_at_once(tmp_path: Path) -> None:
    running = await start(tmp_path)
    assert running.member.replica.can_read
    await running.member.stop()


async def test_a_failed_fsync_answers_nobody_and_stops_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To try again would be to lie: nobody knows what the disk holds."""
    running = await start(tmp_path)
    error = DiskFailedError(tmp_path, "sync", "input/output error")
    monkeypatch.setattr(running.member._opened.wal, "sync", failing(error))
    answer = running.put(b"a")
    assert await running.fatal is error
    with pytest.raises(StoppedError):
        await answer
    with pytest.raises(StoppedError):
        await running.put(b"b")
    with pytest.raises(StoppedError):
        running.member.range(pb.RangeRequest(key=b"a", serializable=True))
    monkeypatch.undo()
    await running.member.stop()


async def test_a_database_that_could_not_be_committed_is_not_committed_again_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it all.  Of the second try, only a traceback would be seen."""
    running = await start(tmp_path)
    error = BackendFullError(tmp_path, "no space left on device")
    monkeypatch.setattr(Commit, "run", failing(error))
    await running.put(b"a")
    assert await running.fatal is error
    await running.member.stop()
    monkeypatch.undo()

    again = await start(tmp_path)
    assert again.member.store.revision == 2
    await again.member.stop()


async def test_an_entry_that_cannot_be_applied_stops_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an entry may be applied; a member that went on would differ from all others."""
    running = await start(tmp_path)
    bug = ZeroDivisionError()
    monkeypatch.setattr(type(running.member.store), "begin", failing(bug))
    answer = running.put(b"a")
    assert await running.fatal is bug
    assert not answer.done()
    monkeypatch.undo()
    await running.member.stop()


async def test_a_message_that_proves_lost_entries_stops_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its promises are void: to vote or to acknowledge anything more could lose what others were told."""
    running = await start(tmp_path)
    member_id = running.member.identity.member_id
    lost = LostEntriesError(9, 4)
    monkeypatch.setattr(type(running.member.replica), "receive", failing(lost))
    running.member.peers.on_message(Heartbeat(to=member_id, sender=7, term=9, commit=9, round=0))
    assert await running.fatal is lost
    with pytest.raises(StoppedError):
        await running.put(b"a")
    monkeypatch.undo()
    await running.member.stop()


async def test_a_command_that_is_too_large_is_refused_before_the_log(tmp_path: Path) -> None:
    running = await start(tmp_path)
    with pytest.raises(RequestTooLargeError):
        running.put(b"a", bytes(running.member.config.request_bytes_max))
    assert len(running.member.replica.pending) == 0
    await running.member.stop()


async def test_a_write_that_overran_the_quota_raises_the_alarm_too(tmp_path: Path) -> None:
    """Both passed the front, since neither was applied; the second finds no room when its turn comes."""
    running = await start(tmp_path)
    machine = running.member.machine
    machine.quota = Quota(machine.quota.used_bytes + 1000)
    machine.quota.used_bytes = machine.quota.bytes_max - 1000
    first, second = running.put(b"a", bytes(300)), running.put(b"b", bytes(600))
    await first
    with pytest.raises(NoSpaceError):
        await second
    with pytest.raises(NoSpaceError):
        await running.put(b"c", bytes(600))
    assert machine.has_alarm(pb.NOSPACE)
    assert running.member.store.range(b"a", b"z").count == 2
    await running.member.stop()


async def test_all_that_was_answered_is_there_after_an_orderly_stop(tmp_path: Path) -> None:
    running = await start(tmp_path)
    await asyncio.gather(*(running.put(b"%d" % number) for number in range(100)))
    await running.member.stop()
    again = await start(tmp_path)
    assert again.member.store.revision == 101
    await again.member.stop()


async def test_old_log_segments_go_once_the_database_has_them(tmp_path: Path) -> None:
    config = MemberConfig(
        data_dir=tmp_path / "data", snapshot_count=1, snapshot_catchup_entries=0, commit_interval_s=0.01
    )
    fatal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    running = Running(await Member.start(config, on_fatal=fatal.set_result), fatal)
    running.member._opened.wal._segment_bytes = 64 * 1024
    for number in range(20):
        await running.put(b"a", bytes([number]) * 16 * 1024)
        await running.member.upkeep.committed()
    await running.member.stop()
    segments = list((tmp_path / "data" / "wal").glob("*.wal"))
    assert len(segments) <= 2
    again = await start(tmp_path)
    assert again.member.store.revision == 21
    await again.member.stop()
