"""The multi-version store as one would write it without thinking of speed: a copy of everything per revision."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from google_crc32c import value as crc32c

from fairlead.proto.kv_pb2 import Event, KeyValue

Op = tuple[str, bytes, bytes]
"""("put", key, value) or ("delete", key, range_end)."""


def selects(start: bytes, end: bytes, key: bytes) -> bool:
    """Whether a range of the API holds a key."""
    if not end:
        return key == start
    return key >= start and (end == b"\0" or key < end)


@dataclass
class Model:
    """Every state there ever was, and every event."""

    compact_revision: int = -1
    states: list[dict[bytes, KeyValue]] = field(default_factory=lambda: [{}, {}])
    events: list[list[Event]] = field(default_factory=lambda: [[], []])

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def copy(self) -> "Model":
        return Model(self.compact_revision, list(self.states), list(self.events))

    def apply(self, ops: Iterable[Op]) -> None:
        main, state, events = self.revision + 1, dict(self.states[-1]), list[Event]()
        for kind, key, argument in ops:
            if kind == "put":
                old = state.get(key)
                state[key] = KeyValue(
                    key=key,
                    create_revision=old.create_revision if old else main,
                    mod_revision=main,
                    version=old.version + 1 if old else 1,
                    value=argument,
                    lease=len(argument),
                )
                events.append(Event(kv=state[key]))
                continue
            for found in sorted(found for found in state if selects(key, argument, found)):
                del state[found]
                events.append(Event(type=Event.DELETE, kv=KeyValue(key=found, mod_revision=main)))
        if events:
            self.states.append(state)
            self.events.append(events)

    def range(self, start: bytes, end: bytes, revision: int) -> list[bytes]:
        state = self.states[revision or -1]
        return [state[key].SerializeToString() for key in sorted(state) if selects(start, end, key)]

    def kept(self, *, with_tombstones: bool = True) -> list[tuple[int, int, Event]]:
        """The (main, sub, event) that compaction leaves in the log."""
        return [
            (main, sub, event)
            for main, events in enumerate(self.events)
            for sub, event in enumerate(events)
            if main > self.compact_revision or self._is_needed(main, event, with_tombstones=with_tombstones)
        ]

    def _is_needed(self, main: int, event: Event, *, with_tombstones: bool) -> bool:
        if event.type == Event.DELETE:
            return with_tombstones and main == self.compact_revision
        live = self.states[self.compact_revision].get(event.kv.key)
        return live is not None and live.mod_revision == main

    def hash(self, revision: int) -> int:
        raw = b"key"
        for main, sub, event in self.kept(with_tombstones=False):
            # A deletion at the compacted revision is left out; younger ones are in.
            if main <= revision:
                raw += main.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big")
                if event.type == Event.DELETE:
                    raw += b"t" + KeyValue(key=event.kv.key).SerializeToString()
                else:
                    raw += event.kv.SerializeToString()
        return int(crc32c(raw))
