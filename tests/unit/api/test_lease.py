"""The lease service: reference section 1.7."""

import pytest
from tests.unit.api.conftest import FakeCall, Rig
from tests.unit.api.test_watch import Stream

from fairlead.api.lease import KeepAlive, Leases
from fairlead.lease import LeaseNotFoundError
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Code


@pytest.fixture
def leases(rig: Rig) -> Leases:
    return Leases(rig.member)


async def grant(rig: Rig, leases: Leases, ttl_s: int, lease_id: int = 0) -> pb.LeaseGrantResponse:
    return await rig.ask(leases.grant, pb.LeaseGrantRequest(TTL=ttl_s, ID=lease_id), pb.LeaseGrantResponse)


async def test_the_server_chooses_a_positive_id_when_none_is_given(rig: Rig, leases: Leases) -> None:
    first, second = await grant(rig, leases, 60), await grant(rig, leases, 60)
    assert first.ID > 0
    assert first.ID != second.ID


async def test_a_ttl_below_the_minimum_is_raised_to_two_seconds(rig: Rig, leases: Leases) -> None:
    assert (await grant(rig, leases, 1)).TTL == 2


async def test_a_keep_alive_answers_each_request_in_order(rig: Rig, leases: Leases) -> None:
    first, second = await grant(rig, leases, 60), await grant(rig, leases, 30)
    call = FakeCall()
    stream = KeepAlive(rig.member, call)  # type: ignore[arg-type]  # a fake
    for lease in (first, second, first):
        stream.on_message(pb.LeaseKeepAliveRequest(ID=lease.ID).SerializeToString())
    answers = [pb.LeaseKeepAliveResponse.FromString(message) for message in call.sent]
    assert [(a.ID, a.TTL) for a in answers] == [(first.ID, 60), (second.ID, 30), (first.ID, 60)]


async def test_keeping_an_unknown_lease_alive_answers_a_ttl_of_zero_and_no_error(rig: Rig) -> None:
    call = FakeCall()
    KeepAlive(rig.member, call).on_message(pb.LeaseKeepAliveRequest(ID=5).SerializeToString())  # type: ignore[arg-type]  # a fake
    answer = pb.LeaseKeepAliveResponse.FromString(call.sent[0])
    assert (answer.ID, answer.TTL) == (5, 0)
    assert call.is_open


async def test_half_close_ends_a_keep_alive_stream(rig: Rig) -> None:
    call = FakeCall()
    KeepAlive(rig.member, call).on_half_close()  # type: ignore[arg-type]  # a fake
    assert call.status == (Code.OK, "")


async def test_time_to_live_tells_what_is_left_and_the_keys_when_asked(rig: Rig, leases: Leases) -> None:
    lease = await grant(rig, leases, 60)
    await rig.put(b"b", lease=lease.ID)
    await rig.put(b"a", lease=lease.ID)
    request = pb.LeaseTimeToLiveRequest(ID=lease.ID, keys=True)
    answer = await rig.ask(leases.time_to_live, request, pb.LeaseTimeToLiveResponse)
    assert answer.grantedTTL == 60
    assert 0 < answer.TTL <= 60
    assert list(answer.keys) == [b"a", b"b"]
    request.keys = False
    assert not (await rig.ask(leases.time_to_live, request, pb.LeaseTimeToLiveResponse)).keys


async def test_time_to_live_of_an_unknown_lease_is_minus_one(rig: Rig, leases: Leases) -> None:
    answer = await rig.ask(leases.time_to_live, pb.LeaseTimeToLiveRequest(ID=9), pb.LeaseTimeToLiveResponse)
    assert (answer.ID, answer.TTL, answer.grantedTTL) == (9, -1, 0)


async def test_leases_are_listed_by_their_end(rig: Rig, leases: Leases) -> None:
    late, soon = await grant(rig, leases, 600), await grant(rig, leases, 60)
    answer = await rig.ask(leases.leases, pb.LeaseLeasesRequest(), pb.LeaseLeasesResponse)
    assert [lease.ID for lease in answer.leases] == [soon.ID, late.ID]


async def test_a_dead_lease_is_revoked_and_takes_its_keys(rig: Rig, leases: Leases) -> None:
    """The member's clock is moved, so that nobody waits two seconds."""
    lease = await grant(rig, leases, 2)
    await rig.put(b"a", lease=lease.ID)
    watch = Stream(rig)
    watch.create(b"a")
    real_s = rig.member._clock_s
    rig.member._clock_s = lambda: real_s() + 10
    (event,) = await watch.until_events(1)
    rig.member._clock_s = real_s
    assert event.type == kv_pb2.Event.DELETE
    assert lease.ID not in rig.member.leases


async def test_revoking_an_unknown_lease_is_an_error(rig: Rig, leases: Leases) -> None:
    call = FakeCall()
    leases.revoke(pb.LeaseRevokeRequest(ID=3).SerializeToString(), call)  # type: ignore[arg-type]  # a fake
    await call.until(lambda: not call.is_open)
    assert call.status == (Code.NOT_FOUND, "etcdserver: requested lease not found")
    assert LeaseNotFoundError(3).lease_id == 3
