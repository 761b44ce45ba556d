"""Records: what goes in comes out, and no flipped bit goes unseen."""

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.wal.record import (
    Checkpoint,
    Entry,
    HardState,
    Head,
    Kind,
    Record,
    RecordError,
    decode_checkpoint,
    decode_entry,
    decode_hard_state,
    decode_head,
    encode,
    encode_checkpoint,
    encode_entries,
    encode_hard_state,
    encode_head,
    encode_mark,
    extend_crc,
    has_mark_after,
    is_torn,
    read_records,
    record_bytes,
)

u64 = st.integers(0, 2**64 - 1)
entry_lists = st.lists(st.builds(Entry, u64, u64, st.binary(max_size=600), st.integers(0, 1)), max_size=8)


def encoded(*batch: Entry, crc: int = 7) -> bytes:
    parts: list[bytes] = []
    encode_entries(batch, crc=crc, into=parts)
    return b"".join(parts)


def read(data: bytes, *, crc: int = 7) -> list[Record]:
    return list(read_records(data, offset=0, crc=crc))


def test_the_checksum_is_crc32c() -> None:
    """The check value of RFC 3720, appendix B.4: 32 bytes of zeros."""
    assert extend_crc(0, bytes(32)) == 0x8A9136AA
    assert google_crc32c.implementation == "c", "the pure Python one is a hundred times slower"


@given(entry_lists, u64, st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_entries_come_back_as_they_were(batch: list[Entry], zero: int, crc: int, zeros: int) -> None:
    data = encoded(*batch, crc=crc)
    records = read(data + bytes(zeros * 8), crc=crc)
    assert [decode_entry(record.kind, record.payload) for record in records] == batch
    kinds = [Kind.CONFIGURATION if entry.kind else Kind.ENTRY for entry in batch]
    assert [record.kind for record in records] == kinds
    assert all(record.offset % 8 == 0 for record in records)
    assert [record.end for record in records[:-1]] == [record.offset for record in records[1:]]
    assert all(record.end - record.offset == record_bytes(len(record.payload)) for record in records)


@given(u64, u64, u64)
def test_hard_states_and_checkpoints_come_back_as_they_were(a: int, b: int, c: int) -> None:
    state, crc = encode_hard_state(HardState(a, b, c), crc=7)
    checkpoint, crc = encode_checkpoint(Checkpoint(a, b), crc=crc)
    first, second = read(state + checkpoint)
    assert (first.kind, second.kind) == (Kind.HARD_STATE, Kind.CHECKPOINT)
    assert decode_hard_state(first.payload) == HardState(a, b, c)
    assert decode_checkpoint(second.payload) == Checkpoint(a, b)
    assert second.crc == crc


HEAD = Head(0xCAFE, 3, 101, HardState(5, 1, 99), Checkpoint(4, 90), b"member 1")


def test_a_head_comes_back_as_it_was_and_brings_its_own_checksum() -> None:
    """Older segments may be gone: the head alone must say where the rolling CRC stood."""
    data, crc = encode_head(HEAD)
    head, record = decode_head(data + bytes(64))
    assert head == HEAD
    assert (record.end, record.crc) == (len(data), crc)


def test_every_flipped_bit_of_a_head_is_seen() -> None:
    data, _ = encode_head(HEAD)
    for offset in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data + bytes(64))
            damaged[offset] ^= 1 << bit
            with pytest.raises(RecordError):
                decode_head(bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"\0" * 30, b"\0" * 4096, b"x" * 4096])
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode_head(data)


def test_another_record_cannot_stand_in_for_the_head() -> None:
    data, _ = encode(Kind.HARD_STATE, bytes(100), crc=0)
    with pytest.raises(RecordError, match="does not begin with the head"):
        decode_head(data)


def test_an_unknown_format_is_named() -> None:
    fixed = (2).to_bytes(4, "little") + bytes(60)
    data, _ = encode(Kind.HEAD, fixed, crc=0)
    with pytest.raises(RecordError, match="its format is 2, and this program reads 1"):
        decode_head(data)


def test_every_flipped_bit_of_a_middle_record_is_seen() -> None:
    first, middle, last = Entry(1, 1, b"first"), Entry(1, 2, b"the middle one"), Entry(1, 3, b"last")
    data = encoded(first, middle, last)
    start, end = len(encoded(first)), len(encoded(first, middle))
    for offset in range(start, end):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            with pytest.raises(RecordError) as caught:
                read(bytes(damaged))
            assert caught.value.offset == start
            assert not is_torn(bytes(damaged), offset=start, sector_bytes=512), (
                "rot must not pass for tearing"
            )


def test_a_record_that_is_lost_doubled_or_out_of_order_is_seen() -> None:
    """Each is valid by itself: only the rolling CRC tells."""
    a, b, c = (Entry(1, index, b"x" * 20) for index in (1, 2, 3))
    one, two = len(encoded(a)), len(encoded(a, b))
    data = encoded(a, b, c)
    assert len(read(data)) == 3
    for damaged in (
        data[:one] + data[two:],
        data[:two] + data[one:],
        data[one:two] + data[:one] + data[two:],
    ):
        with pytest.raises(RecordError, match="checksum"):
            read(damaged)


def test_zeros_end_the_log_wherever_they_begin() -> None:
    data = encoded(Entry(1, 1, b"data"))
    assert len(read(data)) == len(read(data + bytes(8))) == len(read(data + bytes(4096))) == 1
    assert read(bytes(512)) == []


def test_a_record_that_ends_with_zeros_is_read_whole() -> None:
    """The end of what was written is found by its zeros; a value's own must not count as that."""
    batch = [Entry(1, 1, bytes(100))]
    assert [decode_entry(record.kind, record.payload) for record in read(encoded(*batch))] == batch


@pytest.mark.parametrize("cut", [1, 8, 20, 30])
def test_a_record_that_the_file_ends_in_is_incomplete_and_torn(cut: int) -> None:
    data = encoded(Entry(1, 1, b"x" * 24))
    with pytest.raises(RecordError, match="incomplete"):
        read(data[:-cut])
    assert is_torn(data[:-cut], offset=0, sector_bytes=512)


def test_a_record_with_a_sector_of_zeros_is_torn() -> None:
    data = bytearray(encoded(Entry(1, 1, b"x" * 2000)) + bytes(4096))
    for start in (0, 512, 1024, 1536):
        torn = bytearray(data)
        torn[start : start + 512] = bytes(512)
        assert is_torn(bytes(torn), offset=0, sector_bytes=512)


def test_a_record_with_zeros_in_it_is_not_torn_unless_a_whole_sector_is_zero() -> None:
    data = bytearray(encoded(Entry(1, 1, b"x" * 2000)) + bytes(4096))
    data[512:1023] = bytes(511)
    assert not is_torn(bytes(data), offset=0, sector_bytes=512)
    data[0:16] = bytes(16)
    assert not is_torn(bytes(data), offset=0, sector_bytes=512), "a header goes with its sector"


def test_a_mark_is_found_beyond_an_offset_and_only_where_it_says_it_is() -> None:
    filler = encoded(Entry(1, 1, b"x" * 100))
    mark, _ = encode_mark(sequence=3, offset=len(filler), crc=0)
    data = filler + mark + filler
    assert has_mark_after(data, sequence=3, offset=0)
    assert not has_mark_after(data, sequence=3, offset=len(filler)), "the mark itself is not behind itself"
    assert not has_mark_after(data, sequence=4, offset=0), "left over from another segment"
    assert not has_mark_after(b"12345678" + data, sequence=3, offset=0), "not in its place"
    assert has_mark_after(mark[16:24] + data[8:], sequence=3, offset=0), "a false one before it hides nothing"
