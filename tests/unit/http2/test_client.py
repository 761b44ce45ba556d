"""The client's end: what a server may say, what it may not, and what becomes of requests when it goes."""

import struct

import h2.errors
import h2.events
import h2.settings
import pytest
from hyperframe import frame as frames
from tests.unit.http2.ends import Asked, Pair

from fairlead.http2 import ClientConnection, ErrorCode, Field, Limits

PROTOCOL, FLOW, CANCEL = 1, 3, 8


def test_a_request_with_a_body_is_read_by_h2_and_its_answer_by_us() -> None:
    pair = Pair()
    stream = pair.ask(b"body")
    assert [event.data for event in pair.seen(h2.events.DataReceived)] == [b"body", b""]
    pair.answer(stream, (b"x", b"1"), end=False)
    pair.server.send_data(stream.stream_id, b"part")
    pair.server.send_headers(stream.stream_id, [(b"sum", b"2")], end_stream=True)
    pair.exchange()
    assert stream.told == [(200, {b"x": b"1"}, False), (b"part", False), {b"sum": b"2"}, (b"", True)]
    assert pair.client.streams == {}


def test_interim_answers_come_before_the_head() -> None:
    pair = Pair()
    stream = pair.ask()
    pair.answer(stream, status=b"103", end=False)
    pair.answer(stream)
    assert stream.told == [(103, {}, False), (200, {}, True)]


def test_interim_answers_without_end_are_refused() -> None:
    pair = Pair()
    stream = pair.ask()
    for _ in range(17):
        pair.server.send_headers(stream.stream_id, [(b":status", b"103")])
    pair.exchange()
    assert stream.told[-1] == "an interim answer that ends the stream, or one too many"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([(b"x", b"1")], "begin with :status"),
        ([(b":status", b"20")], "begin with :status"),
        ([(b":status", b"600")], "begin with :status"),
        ([(b":status", b"101")], "101"),
        ([(b":status", b"200"), (b":status", b"200")], "characters"),
        ([(b":status", b"200"), (b"Upper", b"1")], "characters"),
        ([(b":status", b"200"), (b"x", b"a\r\nb: c")], "characters"),
        ([(b":status", b"200"), (b"x", b"a\0")], "characters"),
        ([(b":status", b"200"), (b"x", b" a")], "characters"),
        ([(b":status", b"200"), (b"connection", b"close")], "connection-specific"),
        ([(b":status", b"200"), (b"transfer-encoding", b"chunked")], "connection-specific"),
        ([(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")], "two different"),
        ([(b":status", b"200"), (b"content-length", b"+1")], "not a number"),
    ],
)
def test_a_malformed_answer_costs_its_stream_only(fields: list[Field], why: str) -> None:
    """8.1.1, 8.2.1, 8.2.2 and 8.3.2."""
    pair = Pair()
    bad, good = pair.ask(), pair.ask()
    pair.server.send_headers(bad.stream_id, fields)
    pair.exchange()
    assert len(bad.told) == 1
    assert why in bad.told[0]
    assert [event.error_code for event in pair.seen(h2.events.StreamReset)] == [PROTOCOL]
    pair.answer(good)
    assert good.told == [(200, {}, True)]


@pytest.mark.parametrize("body", [b"abc", b"abcde"])
def test_a_body_of_another_length_than_it_says_is_malformed(body: bytes) -> None:
    pair = Pair()
    stream = pair.ask()
    pair.answer(stream, (b"content-length", b"4"), end=False)
    pair.server.send_data(stream.stream_id, body, end_stream=True)
    pair.exchange()
    assert "content-length" in stream.told[-1]
    assert not any(told[-1] is True for told in stream.told if isinstance(told, tuple))


def test_a_length_without_a_body_is_right_for_head_and_304_only() -> None:
    pair = Pair()
    length = (b"content-length", b"4")
    head, unchanged, bad = pair.ask(is_for_head=True), pair.ask(), pair.ask()
    pair.answer(head, length)
    pair.answer(unchanged, length, status=b"304")
    pair.answer(bad, length)
    assert head.told == [(200, {b"content-length": b"4"}, True)]
    assert unchanged.told == [(304, {b"content-length": b"4"}, True)]
    assert bad.told == ["a length without a body"]


def test_a_body_behind_an_answer_to_head_is_malformed() -> None:
    pair = Pair()
    stream = pair.ask(is_for_head=True)
    pair.answer(stream, (b"content-length", b"4"), end=False)
    pair.server.send_data(stream.stream_id, b"body", end_stream=True)
    pair.exchange()
    assert "content-length" in stream.told[-1]


def test_data_before_the_head_is_malformed() -> None:
    pair = Pair()
    stream = pair.ask()
    pair.client.receive(frames.DataFrame(stream.stream_id, b"x").serialize(), 0.0)
    assert stream.told == ["DATA before the head of the answer"]


def test_an_answer_before_the_end_of_the_request_ends_the_request_too() -> None:
    """8.1: what is left of it is of no use; without RST_STREAM the server would wait for it for ever."""
    pair = Pair()
    stream = pair.ask(b"part", end=False)
    pair.answer(stream)
    assert stream.told == [(200, {}, True)]
    assert [event.error_code for event in pair.seen(h2.events.StreamReset)] == [CANCEL]
    assert pair.client.streams == {}


def test_goaway_lets_the_asked_finish_and_gives_the_others_back() -> None:
    """6.8: above the number that it names nothing was looked at."""
    pair = Pair()
    seen, unseen = pair.ask(), pair.ask()
    goaway = frames.GoAwayFrame(0, last_stream_id=seen.stream_id).serialize()
    pair.client.receive(goaway, 0.0)
    assert unseen.told == ["unprocessed"]
    assert not pair.client.is_usable
    assert not pair.has_closed()
    pair.answer(seen)
    assert seen.told == [(200, {}, True)]
    assert pair.has_closed(), "after the last answer"


def test_a_refused_stream_may_be_asked_again_and_a_cancelled_one_not() -> None:
    """8.7."""
    pair = Pair()
    refused, cancelled = pair.ask(), pair.ask()
    pair.server.reset_stream(refused.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
    pair.server.reset_stream(cancelled.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
    pair.exchange()
    assert (refused.told, cancelled.told) == (["unprocessed"], ["cancelled"])


def test_no_more_streams_are_opened_than_the_server_takes() -> None:
    pair = Pair()
    pair.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    pair.exchange()
    stream = pair.ask()
    assert not pair.client.is_usable
    pair.answer(stream)
    assert pair.client.is_usable


def test_a_request_waits_for_the_windows_and_says_when_it_is_through() -> None:
    pair = Pair()
    stream = pair.ask(b"x" * 200_000)
    assert stream.buffered_bytes == 200_000 - 65_535
    pair.server.increment_flow_control_window(200_000)
    pair.server.increment_flow_control_window(200_000, stream.stream_id)
    pair.exchange()
    assert stream.buffered_bytes == 0
    assert "writable" in stream.told
    assert sum(len(event.data) for event in pair.seen(h2.events.DataReceived)) == 200_000


def alone() -> tuple[ClientConnection, Asked]:
    client = ClientConnection(Limits(), wake=lambda: None)
    client.take()
    client.receive(frames.SettingsFrame(0).serialize(), 0.0)
    stream = Asked(client)
    client.open(stream)
    client.sender.headers(stream, b"\x82", is_last=True)
    client.take()
    return client, stream


@pytest.mark.parametrize(
    "sent",
    [
        frames.PushPromiseFrame(1, promised_stream_id=2, data=b"\x82", flags=["END_HEADERS"]),
        frames.HeadersFrame(3, b"\x88", flags=["END_HEADERS"]),
        frames.HeadersFrame(2, b"\x88", flags=["END_HEADERS"]),
        frames.DataFrame(5, b"x"),
        frames.RstStreamFrame(7, 8),
        frames.SettingsFrame(0, {frames.SettingsFrame.ENABLE_PUSH: 1}),
        frames.HeadersFrame(1, b"\xff\xff\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS"]),
    ],
    ids=[
        "push",
        "an answer not asked for",
        "an even stream",
        "DATA",
        "RST_STREAM",
        "ENABLE_PUSH",
        "no HPACK",
    ],
)
def test_what_a_server_may_never_do_ends_the_connection(sent: frames.Frame) -> None:
    client, stream = alone()
    written = client.receive(sent.serialize(), 0.0)
    assert client.is_closed
    assert stream.told == ["cancelled"]
    (kind,) = written[3:4]
    assert kind == 7, "GOAWAY says why"
    assert struct.unpack_from(">I", written, 9) == (0,), "of a server's streams none was taken"


def test_a_server_that_does_not_begin_with_settings_speaks_something_else() -> None:
    client = ClientConnection(Limits(), wake=lambda: None)
    client.receive(frames.PingFrame(0, b"8 octets").serialize(), 0.0)
    assert client.is_closed


def test_late_frames_of_a_stream_that_was_cancelled_are_let_pass() -> None:
    client, stream = alone()
    client.reset(stream, ErrorCode.CANCEL)
    late: list[frames.Frame] = [
        frames.HeadersFrame(1, b"\x88", flags=["END_HEADERS"]),
        *[frames.DataFrame(1, b"x" * 1024)] * 3000,
        frames.RstStreamFrame(1, 8),
    ]
    client.receive(b"".join(each.serialize() for each in late), 0.0)
    assert not client.is_closed
