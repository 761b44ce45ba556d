"""The watch stream: reference section 1.6, one test a rule."""

from typing import Any

import pytest
from tests.unit.api.conftest import FakeCall, Rig

from fairlead.api.watch import Watches, WatchStream
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

PUT, DELETE = kv_pb2.Event.PUT, kv_pb2.Event.DELETE
COMPACTED = "etcdserver: mvcc: required revision has been compacted"


class Stream:
    """One watch stream as its client sees it."""

    def __init__(self, rig: Rig) -> None:
        self.call = FakeCall()
        self.watches = Watches(rig.member)
        self.handler = WatchStream(rig.member, self.call, self.watches.streams)  # type: ignore[arg-type]  # a fake

    def create(self, key: bytes = b"a", **fields: Any) -> None:
        request = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=key, **fields))
        self.handler.on_message(request.SerializeToString())

    def cancel(self, watch_id: int) -> None:
        request = pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=watch_id))
        self.handler.on_message(request.SerializeToString())

    def ask_progress(self) -> None:
        request = pb.WatchRequest(progress_request=pb.WatchProgressRequest())
        self.handler.on_message(request.SerializeToString())

    @property
    def heard(self) -> list[pb.WatchResponse]:
        return [pb.WatchResponse.FromString(message) for message in self.call.sent]

    @property
    def events(self) -> list[kv_pb2.Event]:
        return [event for response in self.heard for event in response.events]

    async def until_events(self, count: int) -> list[kv_pb2.Event]:
        await self.call.until(lambda: len(self.events) >= count)
        return self.events

    async def until_messages(self, count: int) -> list[pb.WatchResponse]:
        await self.call.until(lambda: len(self.call.sent) >= count)
        return self.heard


@pytest.fixture
def stream(rig: Rig) -> Stream:
    return Stream(rig)


async def test_the_first_answer_is_created_with_the_current_revision_and_no_event(
    rig: Rig, stream: Stream
) -> None:
    await rig.put(b"a")
    stream.create(start_revision=1)
    first = (await stream.until_messages(2))[0]
    assert (first.created, first.canceled, first.header.revision, len(first.events)) == (True, False, 2, 0)


async def test_ids_count_up_from_zero_and_skip_those_in_use(stream: Stream) -> None:
    stream.create()
    stream.create(watch_id=1)
    stream.create()
    assert [response.watch_id for response in stream.heard] == [0, 1, 2]


async def test_a_duplicate_id_is_created_and_cancelled_as_minus_one(stream: Stream) -> None:
    stream.create(watch_id=7)
    stream.create(watch_id=7)
    second = stream.heard[1]
    assert (second.created, second.canceled, second.watch_id) == (True, True, -1)
    assert second.cancel_reason == "mvcc: duplicate watch ID provided on the WatchStream"


async def test_an_empty_range_is_created_and_cancelled(stream: Stream) -> None:
    stream.create(b"b", range_end=b"a")
    answer = stream.heard[0]
    assert (answer.created, answer.canceled, answer.watch_id) == (True, True, -1)
    assert answer.cancel_reason == "mvcc: watcher range is empty"


async def test_an_empty_key_is_the_first_key(rig: Rig, stream: Stream) -> None:
    stream.create(b"", range_end=b"\0")
    await rig.put(b"anything")
    assert (await stream.until_events(1))[0].kv.key == b"anything"


async def test_without_a_start_revision_only_what_comes_is_heard(rig: Rig, stream: Stream) -> None:
    await rig.put(b"a", b"before")
    stream.create()
    await rig.put(b"a", b"after")
    assert [event.kv.value for event in await stream.until_events(1)] == [b"after"]


async def test_a_past_start_revision_replays_history_in_order(rig: Rig, stream: Stream) -> None:
    for value in (b"1", b"2", b"3"):
        await rig.put(b"a", value)
    stream.create(start_revision=3)
    assert [event.kv.value for event in await stream.until_events(2)] == [b"2", b"3"]


async def test_a_future_start_revision_hears_nothing_earlier_and_no_progress(
    rig: Rig, stream: Stream
) -> None:
    """etcd's issue 20221."""
    stream.create(start_revision=4)
    await rig.put(b"a", b"2")
    stream.ask_progress()
    await rig.put(b"a", b"3")
    await rig.put(b"a", b"4")
    assert [event.kv.value for event in await stream.until_events(1)] == [b"4"]
    assert len(stream.heard) == 2


async def test_a_negative_start_revision_is_compacted(stream: Stream) -> None:
    stream.create(start_revision=-1)
    answer = stream.heard[0]
    assert (answer.created, answer.canceled, answer.watch_id, answer.compact_revision) == (True, True, -1, 0)
    assert answer.cancel_reason == COMPACTED


async def test_a_compacted_start_is_created_first_and_then_cancelled(rig: Rig, stream: Stream) -> None:
    for _ in range(3):
        await rig.put(b"a")
    await rig.compact(3)
    stream.create(start_revision=2)
    created, cancelled = await stream.until_messages(2)
    assert (created.created, created.canceled) == (True, False)
    assert (cancelled.canceled, cancelled.compact_revision, cancelled.cancel_reason) == (True, 3, "")
    assert cancelled.header.revision == 0


async def test_the_compacted_revision_itself_can_be_watched_with_its_deletion(
    rig: Rig, stream: Stream
) -> None:
    """etcd's issues 18089 and 19179."""
    await rig.put(b"a")
    deleted_at = await rig.delete(b"a")
    await rig.compact(deleted_at)
    stream.create(start_revision=deleted_at)
    event = (await stream.until_events(1))[0]
    assert (event.type, event.kv.mod_revision) == (DELETE, deleted_at)


async def test_a_cancelled_watch_is_told_and_its_id_may_be_used_again(rig: Rig, stream: Stream) -> None:
    stream.create(watch_id=5)
    stream.cancel(5)
    assert (stream.heard[1].canceled, stream.heard[1].watch_id) == (True, 5)
    await rig.put(b"a")
    stream.create(watch_id=5)
    assert stream.heard[2].created
    assert stream.events == []


async def test_an_unknown_id_is_cancelled_in_silence(stream: Stream) -> None:
    stream.cancel(99)
    assert stream.heard == []


async def test_a_deletion_shows_key_and_revision_alone(rig: Rig, stream: Stream) -> None:
    stream.create()
    await rig.put(b"a")
    await rig.delete(b"a")
    event = (await stream.until_events(2))[1]
    assert event == kv_pb2.Event(type=DELETE, kv=kv_pb2.KeyValue(key=b"a", mod_revision=3))


async def test_filters_drop_kinds_of_events_and_send_nothing_instead(rig: Rig, stream: Stream) -> None:
    stream.create(filters=[pb.WatchCreateRequest.NOPUT])
    stream.create(filters=[pb.WatchCreateRequest.NODELETE])
    await rig.put(b"a")
    await rig.delete(b"a")
    await stream.until_events(2)
    heard = [(response.watch_id, response.events[0].type) for response in stream.heard if response.events]
    assert heard == [(1, PUT), (0, DELETE)]


async def test_prev_kv_shows_the_pair_before_and_nothing_for_a_creation(rig: Rig, stream: Stream) -> None:
    stream.create(prev_kv=True)
    await rig.put(b"a", b"1")
    await rig.put(b"a", b"2")
    await rig.delete(b"a")
    first, second, third = await stream.until_events(3)
    assert not first.HasField("prev_kv")
    assert (second.prev_kv.value, third.prev_kv.value) == (b"1", b"2")


async def test_all_events_of_one_revision_come_in_one_answer(rig: Rig, stream: Stream) -> None:
    stream.create(b"a", range_end=b"z")
    puts = [pb.RequestOp(request_put=pb.PutRequest(key=key)) for key in (b"a", b"b", b"c")]
    await rig.ask(rig.kv.txn, pb.TxnRequest(success=puts), pb.TxnResponse)
    await stream.until_events(3)
    assert [len(response.events) for response in stream.heard] == [0, 3]
    assert {event.kv.mod_revision for event in stream.events} == {2}


async def test_fragments_are_cut_only_where_they_are_asked_for_and_all_but_the_last_say_so(
    rig: Rig, stream: Stream
) -> None:
    stream.create(b"a", range_end=b"z", fragment=True)
    stream.create(b"a", range_end=b"z")
    stream.handler._fragment_bytes = 1000
    puts = [pb.RequestOp(request_put=pb.PutRequest(key=key, value=bytes(600))) for key in (b"a", b"b", b"c")]
    await rig.ask(rig.kv.txn, pb.TxnRequest(success=puts), pb.TxnResponse)
    await stream.until_events(6)
    pieces = [r for r in stream.heard if r.watch_id == 0 and r.events]
    assert [piece.fragment for piece in pieces] == [True, True, False]
    assert [event.kv.key for piece in pieces for event in piece.events] == [b"a", b"b", b"c"]
    (whole,) = [r for r in stream.heard if r.watch_id == 1 and r.events]
    assert (whole.fragment, len(whole.events)) == (False, 3)


async def test_progress_is_answered_as_minus_one_when_all_watchers_are_synced(
    rig: Rig, stream: Stream
) -> None:
    stream.create()
    await rig.put(b"other")
    stream.ask_progress()
    answer = stream.heard[-1]
    assert (answer.watch_id, answer.header.revision, len(answer.events)) == (-1, 2, 0)
    assert [answer.created, answer.canceled, answer.compact_revision] == [False, False, 0]


async def test_progress_of_a_stream_without_watchers_or_behind_is_silence(rig: Rig, stream: Stream) -> None:
    """etcd's issue 15220: progress must never run ahead of events."""
    stream.ask_progress()
    assert stream.heard == []
    await rig.put(b"a")
    stream.create(start_revision=1)
    stream.ask_progress()
    assert [response.watch_id for response in stream.heard] == [0]
    await stream.until_events(1)
    stream.ask_progress()
    assert stream.heard[-1].watch_id == -1


async def test_quiet_watchers_that_asked_are_told_of_progress_and_others_are_not(
    rig: Rig, stream: Stream
) -> None:
    stream.create(b"quiet", progress_notify=True)
    stream.create(b"busy", progress_notify=True)
    stream.create(b"quiet")
    await rig.put(b"busy")
    await stream.until_events(1)
    stream.watches.notify_progress()
    told = [(r.watch_id, r.header.revision) for r in stream.heard if not r.created and not r.events]
    assert told == [(0, 2)]
    stream.watches.notify_progress()
    assert {r.watch_id for r in stream.heard[5:]} == {0, 1}


async def test_half_close_does_not_end_the_watch(rig: Rig, stream: Stream) -> None:
    stream.create()
    stream.handler.on_half_close()
    await rig.put(b"a")
    assert len(await stream.until_events(1)) == 1
    assert stream.call.is_open


async def test_a_slow_client_is_caught_up_later_and_loses_nothing(rig: Rig, stream: Stream) -> None:
    stream.create()
    stream.call.buffered_bytes = 10**9
    for number in range(5):
        await rig.put(b"a", str(number).encode())
    assert stream.events == []
    stream.call.buffered_bytes = 0
    stream.handler.on_writable()
    assert [event.kv.value for event in await stream.until_events(5)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_stream_that_is_gone_leaves_no_watcher_behind(rig: Rig, stream: Stream) -> None:
    stream.create()
    stream.create(b"b", start_revision=1)
    stream.handler.on_cancel()
    assert rig.member.hub.watchers_count == 0
    assert stream.watches.streams == set()
