"""What is received is given back once it is passed on: a proxy's way, at both windows."""

from hyperframe import frame as frames
from tests.unit.http2.ends import Asked
from tests.unit.http2.test_client import alone

STREAM, WHOLE = 1_048_576, 16_777_216


def grants(written: bytes) -> dict[int, int]:
    """WINDOW_UPDATE by stream."""
    found: dict[int, int] = {}
    while written:
        frame, length = frames.Frame.parse_frame_header(memoryview(written[:9]))
        frame.parse_body(memoryview(written[9 : 9 + length]))
        if isinstance(frame, frames.WindowUpdateFrame):
            found[frame.stream_id] = found.get(frame.stream_id, 0) + frame.window_increment
        written = written[9 + length :]
    return found


def data(stream: Asked, count: int) -> bytes:
    return b"".join(
        frames.DataFrame(stream.stream_id, b"x" * 16_384).serialize() for _ in range(count // 16_384)
    )


def test_what_is_withheld_is_not_given_back() -> None:
    client, stream = alone()
    client.receive(frames.HeadersFrame(1, b"\x88", flags=["END_HEADERS"]).serialize(), 0.0)
    stream.pause()
    client.withheld_bytes += STREAM
    assert grants(client.receive(data(stream, STREAM), 0.0)) == {}
    client.withheld_bytes -= STREAM
    stream.resume()
    client.return_window()
    assert grants(client.take()) == {1: STREAM}, "of the connection's half is not used up"


def test_others_go_on_while_most_of_the_connection_is_withheld() -> None:
    """Half of what is left, not half of all: else a stream that stands still would stop every other one."""
    client, stream = alone()
    client.receive(frames.HeadersFrame(1, b"\x88", flags=["END_HEADERS"]).serialize(), 0.0)
    client.withheld_bytes = client.unacknowledged = WHOLE - STREAM
    assert grants(client.receive(data(stream, STREAM // 2), 0.0)) == {0: STREAM // 2, 1: STREAM // 2}


def test_a_server_that_does_not_heed_a_window_is_stopped() -> None:
    client, stream = alone()
    client.receive(frames.HeadersFrame(1, b"\x88", flags=["END_HEADERS"]).serialize(), 0.0)
    stream.pause()
    client.receive(data(stream, STREAM) + data(stream, 16_384), 0.0)
    assert stream.told[-1] == "more DATA than the stream's window"
