"""What is encoded is decoded; what is not a message is refused as such."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.peer.strategies import BY_KIND, MESSAGES

from fairlead.peer import Call, PeerDecodeError, PeerMessage, Return, decode_message, encode_message
from fairlead.peer.codec import EntriesCache
from fairlead.proto import peer_pb2 as pb
from fairlead.raft import (
    AppendEntries,
    Configuration,
    Entry,
    EntryKind,
    InstallSnapshot,
    Message,
    Snapshot,
    TimeoutNow,
    encode_configuration,
)


def append(*entries: Entry, to: int = 2) -> AppendEntries:
    return AppendEntries(to=to, sender=1, term=7, prev_index=9, prev_term=3, entries=entries, commit=8)


def test_the_strategies_know_every_message() -> None:
    """A message that Raft learns must be encoded too."""
    # By name: a slotted dataclass leaves the class that it was made from behind.
    names = {kind.__name__ for kind in (*Message.__subclasses__(), Call, Return)}
    assert {kind.__name__ for kind in BY_KIND} == names


@pytest.mark.parametrize("kind", BY_KIND, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_message_is_decoded_as_it_was(kind: type[PeerMessage], data: st.DataObject) -> None:
    message = data.draw(BY_KIND[kind])
    assert decode_message(encode_message(message)) == message


def test_entries_come_back_as_raft_has_them() -> None:
    """Equal is not enough: Raft asks an entry for its kind, and a tuple equals an Entry."""
    (entry,) = decode_message(encode_message(append(Entry(3, 10, b"x")))).entries  # type: ignore[union-attr]
    assert type(entry) is Entry
    assert entry.kind is EntryKind.COMMAND


def test_configurations_are_told_from_commands() -> None:
    entries = [
        Entry(3, 10, b"a"),
        Entry(3, 11, b"b", EntryKind.CONFIGURATION),
        Entry(4, 12, b"c"),
        Entry(4, 13, b"d", EntryKind.CONFIGURATION),
    ]
    message = decode_message(encode_message(append(*entries)))
    assert isinstance(message, AppendEntries)
    assert message.entries == entries


def test_a_cache_changes_nothing_but_the_work() -> None:
    cache = EntriesCache()
    first, second = append(Entry(3, 10, b"x"), to=2), append(Entry(3, 10, b"x"), to=3)
    encoded = encode_message(first, cache)
    assert len(cache) == 1
    assert encoded == encode_message(first)
    assert encode_message(second, cache) == encode_message(second)
    assert decode_message(encode_message(second, cache)) == replace(second, entries=[*second.entries])


@given(ranges=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=6))
def test_a_cache_tells_overlapping_entries_apart(ranges: list[tuple[int, int]]) -> None:
    """Followers that are not equally far get entries that begin or end elsewhere."""
    log = [Entry(index // 3, index, bytes([index])) for index in range(1, 8)]
    cache = EntriesCache()
    for begin, length in ranges:
        message = append(*log[begin - 1 : begin - 1 + length])
        assert encode_message(message, cache) == encode_message(message)


@given(st.binary(max_size=300))
def test_random_bytes_are_a_message_or_refused(data: bytes) -> None:
    with contextlib.suppress(PeerDecodeError):
        decode_message(data)


@given(message=MESSAGES, at=st.integers(min_value=0), byte=st.integers(0, 255), cut=st.integers(min_value=0))
def test_damaged_messages_are_a_message_or_refused(
    message: PeerMessage, at: int, byte: int, cut: int
) -> None:
    data = bytearray(encode_message(message))
    data[at % len(data)] = byte
    with contextlib.suppress(PeerDecodeError):
        decode_message(bytes(data[: cut % (len(data) + 1)] or data))


def test_a_kind_that_is_unknown_is_refused() -> None:
    with pytest.raises(PeerDecodeError, match="does not know"):
        decode_message(pb.PeerMessage(to=1, sender=2).SerializeToString())


@pytest.mark.parametrize(
    "entries",
    [
        pb.Entries(first_index=1, terms=[1, 2], data=[b"a", b"b", b"c"]),
        pb.Entries(first_index=1, data=[b"a"]),
        pb.Entries(first_index=1, terms=[1, 1], data=[b"a"]),
        pb.Entries(first_index=1, terms=[1], data=[b"a"], configurations=[1]),
    ],
)
def test_entries_whose_columns_do_not_agree_are_refused(entries: pb.Entries) -> None:
    wire = pb.PeerMessage(to=1, sender=2, append_entries=pb.AppendEntries(), entries=entries)
    with pytest.raises(PeerDecodeError, match="entries"):
        decode_message(wire.SerializeToString())


@pytest.mark.parametrize("configuration", [b"", b"\x01", encode_configuration(Configuration()) + b"x"])
def test_a_snapshot_with_a_broken_configuration_is_refused(configuration: bytes) -> None:
    body = pb.InstallSnapshot(index=1, term=1, configuration=configuration)
    wire = pb.PeerMessage(to=1, sender=2, install_snapshot=body)
    with pytest.raises(PeerDecodeError, match="configuration"):
        decode_message(wire.SerializeToString())


def test_a_body_without_fields_is_still_there() -> None:
    message = TimeoutNow(to=1, sender=2, term=0)
    assert decode_message(encode_message(message)) == message
    snapshot = InstallSnapshot(to=1, sender=2, term=0, snapshot=Snapshot())
    assert decode_message(encode_message(snapshot)) == snapshot
