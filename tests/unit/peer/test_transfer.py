"""How much of a snapshot may be under way, and what is said about it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.peer.strategies import BY_KIND

from fairlead.peer import PeerDecodeError, encode_message
from fairlead.peer.transfer import (
    Offer,
    Progress,
    Window,
    decode_ack,
    decode_chunk,
    decode_offer,
    decode_result,
    encode_ack,
    encode_chunk,
    encode_offer,
    encode_result,
)
from fairlead.proto import peer_pb2 as pb
from fairlead.raft import InstallSnapshot, Snapshot, TimeoutNow


def window(size: int, offset: int = 0) -> Window:
    return Window(size, offset, chunk_bytes=10, window_bytes=35)


@given(st.builds(Offer, BY_KIND[InstallSnapshot], st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)))
def test_an_offer_is_read_as_it_was_made(offer: Offer) -> None:
    assert decode_offer(encode_offer(offer)) == offer


def test_other_payloads_are_read_as_they_were_made() -> None:
    assert decode_chunk(encode_chunk(2**40, b"abc")) == (2**40, b"abc")
    assert decode_ack(encode_ack(2**40)) == 2**40
    assert decode_result(encode_result("no room")) == "no room"
    assert decode_result(encode_result("")) == ""


@given(st.binary(max_size=100))
def test_random_bytes_are_a_payload_or_refused(data: bytes) -> None:
    for decode in (decode_offer, decode_chunk, decode_ack, decode_result):
        with contextlib.suppress(PeerDecodeError):
            decode(data)


def test_only_a_snapshot_can_be_offered() -> None:
    message = encode_message(TimeoutNow(to=1, sender=2, term=3))
    with pytest.raises(PeerDecodeError, match="TimeoutNow"):
        decode_offer(pb.SnapshotOffer(message=message).SerializeToString())


def test_a_chunk_holds_something() -> None:
    with pytest.raises(PeerDecodeError, match="nothing in it"):
        decode_chunk(encode_chunk(0, b""))


def test_the_beginnings_of_two_files_of_one_name_are_kept_apart() -> None:
    message = InstallSnapshot(to=1, sender=2, term=3, snapshot=Snapshot(0x64, 5))
    one, other = Offer(message, 10, 0xABC), Offer(message, 10, 0xDEF)
    assert one.name == other.name == "0000000000000005-0000000000000064.snap"
    assert one.part_name == "0000000000000005-0000000000000064.snap.00000abc.part"
    assert one.part_name != other.part_name


# ---- the window ----


@given(
    size=st.integers(0, 500),
    offset=st.integers(0, 500),
    acks=st.lists(st.integers(1, 40), min_size=1, max_size=50),
)
def test_the_whole_file_goes_in_order_and_never_too_much_at_a_time(
    size: int, offset: int, acks: list[int]
) -> None:
    offset = min(offset, size)
    sender, sent, acked, at = window(size, offset), offset, offset, 0
    while acked < size:
        while (chunk := sender.next_chunk()) is not None:
            assert chunk[0] == sent
            assert 0 < chunk[1] <= 10
            sent += chunk[1]
        assert sent - acked <= 35
        assert sent > acked, "it must never wait for an acknowledgement of nothing"
        acked = min(sent, acked + acks[at % len(acks)])
        sender.acknowledge(acked)
        at += 1
    assert sender.next_chunk() is None


def test_a_receiver_cannot_have_more_than_there_is() -> None:
    with pytest.raises(PeerDecodeError, match="has 11 bytes of a snapshot of 10"):
        window(10, offset=11)


@pytest.mark.parametrize("ack", [4, 16])
def test_an_acknowledgement_is_of_what_is_on_the_way(ack: int) -> None:
    sender = window(100, offset=5)
    assert sender.next_chunk() == (5, 10)
    with pytest.raises(PeerDecodeError, match="acknowledged"):
        sender.acknowledge(ack)
    assert repr(sender) == "<Window acked=5 sent=15 of 100>"


# ---- what is said ----


def test_progress_is_said_at_each_tenth() -> None:
    progress = Progress(1000, 0, now_s=0)
    said = [at for at in range(0, 1001, 20) if progress.is_due(at, now_s=at)]
    assert said == [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]


def test_progress_is_not_said_more_than_once_a_second() -> None:
    progress = Progress(1000, 0, now_s=0)
    said = [at for at in range(0, 1001, 20) if progress.is_due(at, now_s=at / 500)]
    assert said == [500, 1000]


def test_progress_counts_what_this_attempt_did() -> None:
    progress = Progress(100 << 20, 50 << 20, now_s=10)
    assert progress.describe(75 << 20, now_s=20) == {
        "percent": 75,
        "bytes": 75 << 20,
        "size_bytes": 100 << 20,
        "mib_per_s": 2.5,
    }
    assert Progress(0, 0, now_s=0).describe(0, now_s=0)["percent"] == 0
