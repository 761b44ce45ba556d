"""Who may talk to whom, and what is said to those who may not."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.peer import (
    BusyError,
    ClusterMismatchError,
    HandshakeError,
    PeerDecodeError,
    RemovedError,
    VersionMismatchError,
    WrongMemberError,
)
from fairlead.peer.handshake import (
    Hello,
    Identity,
    StreamKind,
    check_hello,
    check_welcome,
    decode_hello,
    decode_refusal,
    decode_welcome,
    encode_hello,
    encode_refusal,
    encode_welcome,
)
from fairlead.proto import peer_pb2 as pb

IDS = st.integers(min_value=1, max_value=2**64 - 1)
IDENTITIES = st.builds(Identity, st.integers(0, 2**32 - 1), IDS, IDS)
US, THEM, REMOVED = Identity(1, 70, 1), Identity(1, 70, 2), Identity(1, 70, 9)


def greet(sender: Identity, to: int = 1, stream: StreamKind = StreamKind.URGENT) -> None:
    check_hello(Hello(sender, to, stream), US, is_removed=lambda member: member == 9)


@given(st.builds(Hello, IDENTITIES, IDS, st.sampled_from(StreamKind)))
def test_a_hello_is_read_as_it_was_said(hello: Hello) -> None:
    assert decode_hello(encode_hello(hello)) == hello


@given(IDENTITIES)
def test_a_welcome_is_read_as_it_was_said(identity: Identity) -> None:
    assert decode_welcome(encode_welcome(identity)) == identity


@given(st.binary(max_size=60))
def test_random_bytes_are_a_greeting_or_refused(data: bytes) -> None:
    for decode in (decode_hello, decode_welcome, decode_refusal):
        with contextlib.suppress(PeerDecodeError):
            decode(data)


def test_a_member_of_our_cluster_is_let_in() -> None:
    for stream in (StreamKind.URGENT, StreamKind.BULK):
        greet(THEM, stream=stream)


def test_another_version_is_refused_whatever_else_it_says() -> None:
    with pytest.raises(VersionMismatchError, match="speaks version 1 of the peer protocol, this one 2"):
        greet(Identity(2, 71, 9), to=5)


def test_another_cluster_is_refused() -> None:
    with pytest.raises(ClusterMismatchError, match="cluster 46, this one to 47; check --initial-cluster"):
        greet(THEM._replace(cluster_id=71))


def test_who_looks_for_another_member_is_refused() -> None:
    with pytest.raises(WrongMemberError, match="member 1 is at this address, not 3; correct the peer URLs"):
        greet(THEM, to=3)


def test_a_removed_member_is_told_so_even_at_a_wrong_address() -> None:
    """It is final, and must not be hidden behind what could be mended."""
    with pytest.raises(RemovedError, match="member 9 was removed from cluster 46; to bring"):
        greet(REMOVED, to=3)


def test_a_guest_needs_no_ids_but_our_version() -> None:
    greet(Identity(1, 0, 0), to=0, stream=StreamKind.GUEST)
    with pytest.raises(VersionMismatchError):
        greet(Identity(2, 0, 0), to=0, stream=StreamKind.GUEST)


def test_cluster_zero_is_for_guests_only() -> None:
    with pytest.raises(ClusterMismatchError):
        greet(THEM._replace(cluster_id=0))


def test_a_member_needs_an_id() -> None:
    hello = Hello(Identity(1, 70, 0), 1, StreamKind.BULK)
    with pytest.raises(PeerDecodeError, match="without an id"):
        decode_hello(encode_hello(hello))


def test_a_stream_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(PeerDecodeError):
        decode_hello(pb.Hello(sender=1, stream=7).SerializeToString())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("theirs", "error"),
    [
        (Identity(2, 70, 1), VersionMismatchError),
        (Identity(1, 71, 1), ClusterMismatchError),
        (Identity(1, 70, 3), WrongMemberError),
    ],
)
def test_who_dials_looks_as_well(theirs: Identity, error: type[HandshakeError]) -> None:
    with pytest.raises(error):
        check_welcome(theirs, Hello(THEM, 1, StreamKind.URGENT))


def test_who_dials_is_content_with_whom_it_looked_for() -> None:
    check_welcome(US, Hello(THEM, 1, StreamKind.URGENT))
    check_welcome(US, Hello(Identity(1, 0, 0), 0, StreamKind.GUEST))


@pytest.mark.parametrize("kind", [*HandshakeError.__subclasses__()])
def test_a_refusal_arrives_as_the_error_it_was(kind: type[HandshakeError]) -> None:
    error = decode_refusal(encode_refusal(kind("because")))
    assert type(error) is kind
    assert str(error) == "because"


def test_a_reason_of_a_later_version_is_still_a_refusal() -> None:
    error = decode_refusal(pb.Refusal(reason=99, text="new").SerializeToString())  # type: ignore[arg-type]
    assert type(error) is HandshakeError
    assert str(error) == "new"


def test_another_members_words_fit_on_a_line_of_our_log() -> None:
    text = str(decode_refusal(pb.Refusal(text="a\nb\x1b " + "c" * 5000).SerializeToString()))
    assert len(text) <= 500
    assert text.isprintable()
    assert str(decode_refusal(b"")) == "refused without a reason"


def test_a_refusal_is_not_longer_than_a_handshake_may_be() -> None:
    assert len(encode_refusal(BusyError("x" * 10_000))) < 1000
