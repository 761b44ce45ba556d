"""Random frames, and streams of good ones with a few bytes changed: faults are typed, or there are none."""

import random

import hpack
from hyperframe import frame as frames
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.http2.ends import GET, Asked

from fairlead.http2 import (
    PREFACE,
    ClientConnection,
    Connection,
    Head,
    HeaderReader,
    Limits,
    ServerConnection,
    Stream,
    encoded,
    request_pseudo,
)

SMALL = Limits(header_bytes_max=4096, concurrent_streams_max=4, send_buffer_bytes_max=100_000)
ANSWER = encoded([(b":status", b"200"), (b"x-filler", b"y" * 40)])


class Answering(Stream):
    """Answers at the end, with more than a window takes."""

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        if is_last and self.is_open:
            self.is_open = False
            self.connection.sender.message(self, ANSWER, b"z" * 20_000)

    def cancelled(self) -> None:
        self.is_open = False


def read(fields: list[tuple[bytes, bytes]], stream_id: int) -> Head:
    request_pseudo(fields, stream_id)
    head = Head()
    head.content_length = None
    head.open = Answering
    return head


def server() -> ServerConnection:
    connection = ServerConnection(SMALL, HeaderReader(SMALL, read), wake=lambda: None)
    connection.receive(PREFACE + frames.SettingsFrame(0).serialize(), 0.0)
    return connection


def client() -> ClientConnection:
    connection = ClientConnection(SMALL, wake=lambda: None)
    connection.receive(frames.SettingsFrame(0).serialize(), 0.0)
    for number in range(4):
        stream = Asked(connection)
        connection.open(stream)
        connection.sender.headers(stream, encoded(GET), is_last=number % 2 == 0)
    connection.take()
    return connection


def endure(connection: Connection, pieces: list[bytes]) -> None:
    """Take ``pieces``; whatever is wrong with them ends a stream or the connection, and nothing else."""
    now_s = 0.0
    for piece in pieces:
        connection.receive(piece, now_s)
        connection.take()
        now_s += 0.5
        connection.tick(now_s)
    connection.close()
    connection.take()
    assert connection.streams == {}
    assert connection.sender.buffered_bytes == 0
    assert len(connection.abandoned) <= 1024


def valid(rng: random.Random, *, is_server: bool) -> list[bytes]:
    """What a peer in good health might send, frame by frame."""
    encoder = hpack.Encoder()
    sent: list[frames.Frame] = []
    for number in range(1, rng.randrange(2, 24), 2):
        if is_server:
            fields = [*GET, (b"x-n", b"%d" % rng.randrange(9)), (b"cookie", b"c" * rng.randrange(60))]
        else:
            fields = [(b":status", b"200"), (b"x-n", b"%d" % rng.randrange(9))]
        block = encoder.encode(fields)
        flags = ["END_STREAM"] if rng.random() < 0.5 else []
        if rng.random() < 0.2:
            cut = rng.randrange(len(block))
            sent.append(frames.HeadersFrame(number, block[:cut], flags=flags))
            sent.append(frames.ContinuationFrame(number, block[cut:], flags=["END_HEADERS"]))
        else:
            extra = rng.choice([{}, {"pad_length": rng.randrange(20)}])
            padded = ["PADDED"] if extra else []
            sent.append(frames.HeadersFrame(number, block, flags=["END_HEADERS", *padded, *flags], **extra))
        if not flags:
            sent.append(frames.DataFrame(number, b"d" * rng.randrange(200)))
            sent.append(frames.DataFrame(number, b"", flags=["END_STREAM"]))
        sent.append(
            rng.choice(
                [
                    frames.PingFrame(0, b"8 octets"),
                    frames.WindowUpdateFrame(0, 1 + rng.randrange(9)),
                    frames.WindowUpdateFrame(number, 1 + rng.randrange(70_000)),
                    frames.SettingsFrame(0, {4: rng.randrange(70_000)}),
                    frames.RstStreamFrame(number, 8),
                    frames.PriorityFrame(number),
                ]
            )
        )
    return [each.serialize() for each in sent]


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), is_server=st.booleans(), changes=st.integers(0, 6))
def test_mutated_streams_end_by_typed_faults(*, seed: int, is_server: bool, changes: int) -> None:
    rng = random.Random(seed)
    stream = bytearray(b"".join(valid(rng, is_server=is_server)))
    for _ in range(changes):
        at = rng.randrange(len(stream))
        what = rng.random()
        if what < 0.6:
            stream[at] = rng.randrange(256)
        elif what < 0.8:
            del stream[at : at + rng.randrange(1, 12)]
        else:
            stream[at:at] = rng.randbytes(rng.randrange(1, 12))
        if not stream:
            break
    pieces = []
    while stream:
        size = rng.choice([1, 9, 100, 5000])
        pieces.append(bytes(stream[:size]))
        del stream[:size]
    endure(server() if is_server else client(), pieces)


@settings(max_examples=300)
@given(
    is_server=st.booleans(),
    sent=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40))
    ),
)
def test_random_frames_end_by_typed_faults(
    *, is_server: bool, sent: list[tuple[int, int, int, bytes]]
) -> None:
    pieces = [
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload
        for kind, flags, stream_id, payload in sent
    ]
    endure(server() if is_server else client(), pieces)


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), is_server=st.booleans())
def test_streams_in_good_health_are_never_refused(*, seed: int, is_server: bool) -> None:
    """The other side of the two above: a fault of nobody's would pass them."""
    rng = random.Random(seed)
    connection = server() if is_server else client()
    calm = [each for each in valid(rng, is_server=is_server) if each[3] not in {2, 3, 4, 6}]
    if not is_server:
        calm = [each for each in calm if int.from_bytes(each[5:9], "big") <= 7]
    for piece in calm:
        connection.receive(piece, 0.0)
    assert connection.fault is None
