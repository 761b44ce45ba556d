"""Hashes and defragmentation: reference section 1.9."""

from typing import Any

import pytest
from tests.unit.api.conftest import FakeCall, Rig

from fairlead.api.maintenance import Maintenance
from fairlead.mvcc import BackendFailedError
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Code


@pytest.fixture
def maintenance(rig: Rig) -> Maintenance:
    return Maintenance(rig.member)


async def test_the_hash_of_the_history_says_which_revisions_it_is_of(
    rig: Rig, maintenance: Maintenance
) -> None:
    for key in (b"a", b"b", b"a"):
        await rig.put(key)
    await rig.compact(3)
    answer = await rig.ask(maintenance.hash_kv, pb.HashKVRequest(), pb.HashKVResponse)
    assert (answer.hash, answer.compact_revision, answer.hash_revision) == rig.member.store.hash_kv()
    assert answer.hash_revision == answer.header.revision == 4


@pytest.mark.parametrize(
    ("revision", "text"), [(2, "compacted"), (9, "future revision")], ids=["compacted", "future"]
)
async def test_a_revision_that_cannot_be_read_cannot_be_hashed(
    rig: Rig, maintenance: Maintenance, revision: int, text: str
) -> None:
    for key in (b"a", b"b", b"a"):
        await rig.put(key)
    await rig.compact(3)
    call: Any = FakeCall()
    maintenance.hash_kv(pb.HashKVRequest(revision=revision).SerializeToString(), call)
    await call.until(lambda: not call.is_open)
    assert call.status[0] is Code.OUT_OF_RANGE
    assert text in call.status[1]


async def test_the_hash_of_the_database_is_of_more_than_the_keys(rig: Rig, maintenance: Maintenance) -> None:
    async def hashed() -> int:
        return (await rig.ask(maintenance.hash, pb.HashRequest(), pb.HashResponse)).hash

    before = await hashed()
    await rig.member.upkeep.committed()
    assert await hashed() == before
    rig.member.machine.backend.put("auth", b"enabled", b"1")
    assert await hashed() != before


async def test_a_defragmentation_that_the_disk_refuses_is_answered(
    rig: Rig, maintenance: Maintenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its client waits for ever."""

    def refuse() -> None:
        raise BackendFailedError(rig.member.machine.backend.path, "defragment", "no space")

    monkeypatch.setattr(rig.member.machine.backend, "defragment", refuse)
    call: Any = FakeCall()
    maintenance.defragment(b"", call)
    await call.until(lambda: not call.is_open)
    assert call.status[0] is Code.INTERNAL
