"""A watcher's other end, which remembers all it is told."""

from fairlead.mvcc import EncodedEvents, Watcher
from fairlead.proto.kv_pb2 import Event
from fairlead.proto.rpc_pb2 import WatchResponse


class RecordingSink:
    """Takes as many deliveries as it has room for."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.deliveries: list[EncodedEvents] = []
        self.compacted_at: list[int] = []

    def has_room(self) -> bool:
        return self.room > 0

    def deliver(self, watcher: Watcher, events: EncodedEvents) -> None:
        assert self.room > 0, "events for a sink without room"
        assert not watcher.is_cancelled, "events for a watcher that has ended"
        assert not self.compacted_at, "events after the end"
        self.room -= 1
        self.deliveries.append(events)

    def compacted(self, watcher: Watcher, compact_revision: int) -> None:
        assert watcher.is_cancelled
        self.compacted_at.append(compact_revision)

    @property
    def events(self) -> list[Event]:
        return [event for delivery in self.deliveries for event in decoded(delivery)]

    @property
    def told(self) -> list[tuple[bytes, int]]:
        """Key and revision of each event, in the order of arrival."""
        return [(event.kv.key, event.kv.mod_revision) for event in self.events]


def decoded(events: EncodedEvents) -> list[Event]:
    """The events as a client sees them."""
    return list(WatchResponse.FromString(events.body).events)
