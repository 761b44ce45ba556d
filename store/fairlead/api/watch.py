"""The Watch service: many watches on one stream, in the order and with the silences of etcd.

The hub says what happened; this module says it to one client: ids, the ``created`` message first, whole
revisions, fragments where they were asked for, and progress only when every watcher of the stream has seen
all there is.
"""

from collections.abc import Iterable

from fairlead.api.guard import requires_leader
from fairlead.api.status import status_of
from fairlead.member import Member, NoLeaderError, varint
from fairlead.mvcc import CompactedError, EncodedEvents, Watcher
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Code, Stream

_WATCH_ID = b"\x10"
_CREATED = b"\x18\x01"
_FRAGMENT = b"\x38\x01"
_NO_WATCH = -1
# Above this the stream's watchers wait, and catch up later from the history.
_BUFFERED_BYTES_MAX = 1024 * 1024
_DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"
_EMPTY_RANGE = "mvcc: watcher range is empty"


class Watches:
    """``etcdserverpb.Watch``: opens streams, and ticks those that asked for progress."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.streams: set[WatchStream] = set()

    def routes(self) -> dict[str, Stream]:
        """Return the service's method by its path."""
        return {
            "/etcdserverpb.Watch/Watch": Stream(lambda call: WatchStream(self._member, call, self.streams))
        }

    def end_without_leader(self) -> None:
        """End the streams whose clients would rather look for another member than wait for a leader."""
        for stream in tuple(self.streams):
            if stream.requires_leader:
                stream.end(*status_of(NoLeaderError()))

    def notify_progress(self) -> None:
        """Tell the watchers that asked for it, and have been quiet, how far they are."""
        for stream in tuple(self.streams):
            stream.notify_progress()


class WatchStream:
    """One stream and its watchers; the sink that the hub delivers to."""

    def __init__(self, member: Member, call: Call, streams: "set[WatchStream]") -> None:
        self._member = member
        self._call = call
        self._streams = streams
        self._watchers: dict[int, Watcher] = {}
        self._ids: dict[Watcher, int] = {}
        self._fragmented: set[Watcher] = set()
        self._wants_progress: set[Watcher] = set()
        self._heard: set[Watcher] = set()
        self._next_id = 0
        self.requires_leader = requires_leader(call)
        # One message may be this large before it is cut into fragments.
        self._fragment_bytes = member.config.request_bytes_max + 512 * 1024
        streams.add(self)

    def __repr__(self) -> str:
        return f"<WatchStream peer={self._call.peer} watchers={len(self._watchers)}>"

    # ---- what the client says ----

    def on_message(self, message: bytes) -> None:
        """Take one WatchRequest."""
        request = pb.WatchRequest.FromString(message)
        kind = request.WhichOneof("request_union")
        if kind == "create_request":
            self._create(request.create_request)
        elif kind == "cancel_request":
            self._cancel(request.cancel_request.watch_id)
        elif kind == "progress_request":
            self._answer_progress()

    def on_half_close(self) -> None:
        """A client that says no more still listens: the gateway's users rely on it."""

    def on_cancel(self) -> None:
        """The stream is gone."""
        self._streams.discard(self)
        for watcher in self._watchers.values():
            self._member.hub.cancel(watcher)
        self._watchers.clear()
        self._ids.clear()

    def on_writable(self) -> None:
        """The client reads again: watchers that had to wait catch up."""
        self._member.upkeep.sync_watchers_soon()

    def _create(self, request: pb.WatchCreateRequest) -> None:
        range_end = request.range_end
        key = request.key or b"\0"
        watch_id = request.watch_id
        if range_end and range_end != b"\0" and range_end <= key:
            self._refuse(_EMPTY_RANGE)
            return
        if watch_id in self._watchers and watch_id != 0:
            self._refuse(_DUPLICATE_ID)
            return
        if request.start_revision < 0:
            self._refuse(status_of(CompactedError(request.start_revision, 0))[1])
            return
        if watch_id == 0:
            watch_id = self._free_id()
        # The client is told of the watch before it can be told of any event.
        self._send(watch_id, _CREATED)
        watcher = self._member.hub.watch(
            key,
            range_end,
            start_revision=request.start_revision,
            noput=pb.WatchCreateRequest.NOPUT in request.filters,
            nodelete=pb.WatchCreateRequest.NODELETE in request.filters,
            prev_kv=request.prev_kv,
            sink=self,
        )
        self._watchers[watch_id] = watcher
        self._ids[watcher] = watch_id
        if request.fragment:
            self._fragmented.add(watcher)
        if request.progress_notify:
            self._wants_progress.add(watcher)
        self._member.upkeep.sync_watchers_soon()

    def _free_id(self) -> int:
        while self._next_id in self._watchers:
            self._next_id += 1
        watch_id = self._next_id
        self._next_id += 1
        return watch_id

    def _refuse(self, reason: str) -> None:
        answer = pb.WatchResponse(watch_id=_NO_WATCH, created=True, canceled=True, cancel_reason=reason)
        self._call.send(self._member.header() + answer.SerializeToString())

    def _cancel(self, watch_id: int) -> None:
        watcher = self._watchers.get(watch_id)
        # As in etcd: about an unknown id nothing is said at all.
        if watcher is None:
            return
        self._member.hub.cancel(watcher)
        self._forget(watcher)
        answer = pb.WatchResponse(watch_id=watch_id, canceled=True)
        self._call.send(self._member.header() + answer.SerializeToString())

    def _forget(self, watcher: Watcher) -> int:
        watch_id = self._ids.pop(watcher)
        del self._watchers[watch_id]
        for group in (self._fragmented, self._wants_progress, self._heard):
            group.discard(watcher)
        return watch_id

    # ---- what the hub says ----

    def has_room(self) -> bool:
        """Whether the client keeps up; if not, its watchers catch up later."""
        return self._call.buffered_bytes < _BUFFERED_BYTES_MAX

    def deliver(self, watcher: Watcher, events: EncodedEvents) -> None:
        """Send the events of one or more whole revisions."""
        watch_id = self._ids[watcher]
        self._heard.add(watcher)
        if watcher in self._fragmented and len(events.body) >= self._fragment_bytes:
            self._send_fragments(watch_id, events)
        else:
            self._send(watch_id, events.body)

    def compacted(self, watcher: Watcher, compact_revision: int) -> None:
        """The history that the watcher still had to see is gone: say so, and end it."""
        watch_id = self._forget(watcher)
        answer = pb.WatchResponse(watch_id=watch_id, canceled=True, compact_revision=compact_revision)
        # As in etcd: a header without a revision.
        self._call.send(self._member.machine.headers.at(0) + answer.SerializeToString())

    def _send(self, watch_id: int, body: bytes) -> None:
        if watch_id:
            self._call.send(b"".join((self._member.header(), _WATCH_ID, varint(watch_id), body)))
        else:
            self._call.send(self._member.header() + body)

    def _send_fragments(self, watch_id: int, events: EncodedEvents) -> None:
        *most, last = events.fragments(self._fragment_bytes)
        for piece in most:
            self._send(watch_id, _FRAGMENT + piece)
        self._send(watch_id, last)

    # ---- progress ----

    def _answer_progress(self) -> None:
        """Answer a progress request, but only when every watcher here has seen everything.

        Until then nothing is said and the client asks again; so etcd keeps progress ordered after events
        (its issue 15220).
        """
        if not self._watchers or not self._is_synced(self._watchers.values()):
            return
        answer = pb.WatchResponse(watch_id=_NO_WATCH).SerializeToString()
        self._call.send(self._member.header() + answer)

    def _is_synced(self, watchers: Iterable[Watcher]) -> bool:
        return self._member.hub.all_synced(watchers, self._member.store.revision)

    def notify_progress(self) -> None:
        """Tell each watcher that asked and heard nothing since the last time."""
        for watcher in self._wants_progress - self._heard:
            if self._is_synced((watcher,)):
                self._send(self._ids[watcher], b"")
        self._heard.clear()

    def end(self, code: Code, detail: str) -> None:
        """End the whole stream."""
        self.on_cancel()
        self._call.finish(code, detail)
