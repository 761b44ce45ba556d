"""A database that reaches its quota: refused as etcd refuses it, and brought back as etcd is."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.store import KINDS, StoreServer
from tests.support.wire import Answer, Wire

from fairlead.proto import rpc_pb2 as pb

_QUOTA_BYTES = 4 * 1024 * 1024
_VALUE = b"v" * 100_000
_PUTS_MAX = 200
_FULL = Answer(None, "RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded")


@pytest.fixture(params=[pytest.param("etcd", marks=pytest.mark.peer("etcd")), "fairlead"])
def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreServer]:
    """A store that holds a few megabytes."""
    with KINDS[request.param](tmp_path, flags=["--quota-backend-bytes", str(_QUOTA_BYTES)]) as running:
        yield running


def _fill(wire: Wire) -> Answer:
    """Write one key over and over until it is refused; return the refusal."""
    for number in count():
        assert number < _PUTS_MAX, "the quota never bit"
        answer = wire.call("Put", pb.PutRequest(key=b"k", value=_VALUE))
        if answer.message is None:
            return answer
    raise AssertionError


def _alarms(wire: Wire) -> list[int]:
    return [raised.alarm for raised in wire.get("Alarm", pb.AlarmRequest()).alarms]


def test_a_full_store_refuses_writes_until_it_is_cleaned(small_store: StoreServer) -> None:
    with Wire(small_store.address) as wire:
        assert _fill(wire) == _FULL
        assert _alarms(wire) == [pb.NOSPACE]
        assert not small_store.is_healthy()

        assert wire.call("Put", pb.PutRequest(key=b"x")) == _FULL
        write = pb.RequestOp(request_put=pb.PutRequest(key=b"x"))
        assert wire.call("Txn", pb.TxnRequest(success=[write])) == _FULL
        assert wire.call("LeaseGrant", pb.LeaseGrantRequest(TTL=60)) == _FULL
        kept = wire.get("Range", pb.RangeRequest(key=b"k"))
        assert kept.kvs[0].value == _VALUE
        assert wire.get("DeleteRange", pb.DeleteRangeRequest(key=b"k")).deleted == 1

        wire.get("Compact", pb.CompactionRequest(revision=wire.revision(), physical=True))
        wire.get("Defragment", pb.DefragmentRequest())
        assert wire.call("Put", pb.PutRequest(key=b"x")) == _FULL, "cleaned, but the alarm was not disarmed"
        (raised,) = wire.get("Alarm", pb.AlarmRequest()).alarms
        disarm = pb.AlarmRequest(
            action=pb.AlarmRequest.DEACTIVATE, memberID=raised.memberID, alarm=raised.alarm
        )
        assert list(wire.get("Alarm", disarm).alarms) == [raised]
        assert _alarms(wire) == []
        assert small_store.is_healthy()
        wire.get("Put", pb.PutRequest(key=b"x", value=_VALUE))


def test_the_alarm_outlives_a_restart(small_store: StoreServer) -> None:
    with Wire(small_store.address) as wire:
        _fill(wire)
    small_store.kill()
    small_store.program.start(lambda: _answers(small_store))
    with Wire(small_store.address) as wire:
        assert wire.call("Put", pb.PutRequest(key=b"x")) == _FULL
        assert _alarms(wire) == [pb.NOSPACE]


def _answers(store: StoreServer) -> bool:
    """Whether it serves at all: with an alarm it says that it is not healthy."""
    try:
        return b"health" in store.get("/health")[1]
    except OSError:
        return False
