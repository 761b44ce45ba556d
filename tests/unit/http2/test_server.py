"""The rules of RFC 9113 that a server must enforce, byte by byte; a docstring's number is the section."""

import pytest
from hyperframe import frame as frames
from tests.unit.rpc.wire import CHAT, KEEP, PREFACE, Raw, goaway_of, grpc_head, limits, message, reset_of

NO_ERROR, PROTOCOL, INTERNAL, FLOW, _, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
CALM = 11


def raw_frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A frame as hyperframe would refuse to make it."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def refused(found: list[object], code: int) -> bool:
    """Whether the connection ended by GOAWAY with ``code``."""
    goaway = goaway_of(found)
    return goaway is not None and goaway[0] == code


class TestConnection:
    def test_the_server_greets_with_settings_first(self) -> None:
        """3.4: the server connection preface is a SETTINGS frame, the first that it sends."""
        client = Raw(greet=False)
        found = client.send(PREFACE + frames.SettingsFrame(0).serialize())
        assert isinstance(found[0], frames.SettingsFrame)
        assert found[0].settings[frames.SettingsFrame.MAX_CONCURRENT_STREAMS] == 10_000
        assert any(isinstance(f, frames.SettingsFrame) and "ACK" in f.flags for f in found)

    def test_a_wrong_preface_ends_the_connection(self) -> None:
        """3.4: an invalid connection preface is PROTOCOL_ERROR."""
        client = Raw(greet=False)
        assert refused(client.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), PROTOCOL)
        assert client.has_closed()

    def test_the_preface_may_come_byte_by_byte(self) -> None:
        client = Raw(greet=False)
        found = []
        for byte in PREFACE + frames.SettingsFrame(0).serialize():
            found += client.send(bytes((byte,)))
        found += client.send(client.request(1))
        assert goaway_of(found) is None
        assert isinstance(found[-1], frames.HeadersFrame)

    def test_the_first_frame_must_be_settings(self) -> None:
        """3.4: the client's preface is followed by a SETTINGS frame."""
        client = Raw(greet=False)
        assert refused(client.send(PREFACE, frames.PingFrame(0, b"12345678")), PROTOCOL)

    def test_frames_may_be_cut_anywhere(self) -> None:
        """4.1: TCP knows no frames."""
        client = Raw()
        data = client.request(1, b"payload")
        found = []
        for byte in data:
            found += client.send(bytes((byte,)))
        assert [type(f).__name__ for f in found] == ["HeadersFrame", "DataFrame", "HeadersFrame"]
        assert found[1].data == message(b"payload")

    def test_unknown_frames_are_ignored(self) -> None:
        """4.1 and 5.5: implementations must ignore and discard frames of unknown types."""
        client = Raw()
        assert client.send(raw_frame(0xEE, 0xFF, 0, b"whatever")) == []
        assert not client.has_closed()

    def test_the_reserved_bit_is_ignored(self) -> None:
        """4.1: the reserved bit must be ignored when receiving."""
        client = Raw()
        assert client.send(raw_frame(6, 0, 0x8000_0000, b"12345678"))[0].opaque_data == b"12345678"

    def test_unknown_flags_are_ignored(self) -> None:
        """4.1: flags without a meaning for the kind must be ignored."""
        client = Raw()
        assert client.send(raw_frame(6, 0xFE, 0, b"12345678"))[0].opaque_data == b"12345678"

    def test_a_frame_above_the_limit_is_refused(self) -> None:
        """4.2: FRAME_SIZE_ERROR for a frame above SETTINGS_MAX_FRAME_SIZE, before it has arrived."""
        client = Raw()
        assert refused(client.send(b"\x00\x40\x01\x00\x00\x00\x00\x00\x01"), SIZE)

    def test_a_block_that_cannot_be_decoded_ends_the_connection(self) -> None:
        """4.3: a decoding error in a field block is a connection error COMPRESSION_ERROR."""
        client = Raw()
        assert refused(client.send(raw_frame(1, 4, 1, b"\xff\xff\xff\xff\xff")), COMPRESSION)

    def test_a_block_may_not_be_interrupted(self) -> None:
        """4.3 and 6.10: a field block is one contiguous run of frames."""
        client = Raw()
        block = client.block(grpc_head())
        start = frames.HeadersFrame(1, block[:3])
        assert refused(client.send(start, frames.PingFrame(0, b"12345678")), PROTOCOL)

    def test_a_block_may_not_be_interrupted_by_unknown_frames_either(self) -> None:
        """5.5: extension frames in the middle of a field block are a connection error."""
        client = Raw()
        start = frames.HeadersFrame(1, client.block(grpc_head())[:3])
        assert refused(client.send(start, raw_frame(0xEE, 0, 0, b"")), PROTOCOL)

    def test_nothing_is_handled_after_an_error(self) -> None:
        """5.4.1: the connection closes after GOAWAY."""
        client = Raw()
        client.send(raw_frame(6, 0, 1, b"12345678"))
        assert client.send(client.request(1)) == []
        assert client.calls == []

    def test_goaway_names_the_last_stream_taken(self) -> None:
        """6.8: the last stream identifier tells the client what it may retry."""
        client = Raw()
        client.send(client.request(1), client.request(7))
        found = client.send(raw_frame(6, 0, 1, b"12345678"))
        assert [f.last_stream_id for f in found if isinstance(f, frames.GoAwayFrame)] == [7]


class TestStreams:
    def test_data_on_an_idle_stream_ends_the_connection(self) -> None:
        """5.1: anything but HEADERS or PRIORITY in idle is PROTOCOL_ERROR."""
        client = Raw()
        assert refused(client.send(client.data(1, b"x")), PROTOCOL)

    @pytest.mark.parametrize(
        "frame",
        [frames.RstStreamFrame(1, 8), frames.WindowUpdateFrame(1, 1)],
        ids=["RST_STREAM", "WINDOW_UPDATE"],
    )
    def test_control_frames_on_an_idle_stream_end_the_connection(self, frame: frames.Frame) -> None:
        """5.1, 6.4 and 6.9."""
        assert refused(Raw().send(frame), PROTOCOL)

    def test_data_after_the_end_of_the_request_is_a_stream_error(self) -> None:
        """5.1, half-closed (remote): STREAM_CLOSED for whatever comes but WINDOW_UPDATE, PRIORITY, RST_STREAM."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert reset_of(client.send(client.data(1, b"more"))) == (1, CLOSED)
        assert not client.has_closed()

    def test_headers_after_the_end_of_the_request_are_a_stream_error(self) -> None:
        """5.1, half-closed (remote)."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        trailers = client.headers(1, [("x-checksum", "1")], "END_STREAM")
        assert reset_of(client.send(trailers)) == (1, CLOSED)

    def test_window_update_and_reset_are_taken_when_half_closed(self) -> None:
        """5.1, half-closed (remote)."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert client.send(frames.WindowUpdateFrame(1, 100)) == []
        cancelled = []
        client.calls[0].on_cancel = lambda: cancelled.append(True)
        assert client.send(frames.RstStreamFrame(1, 8)) == []
        assert cancelled == [True]

    def test_data_on_a_closed_stream_is_a_stream_error(self) -> None:
        """5.1, closed."""
        client = Raw()
        client.send(client.request(1))
        assert reset_of(client.send(client.data(1, b"late"))) == (1, CLOSED)

    def test_what_was_in_flight_for_a_stream_we_ended_is_let_pass(self) -> None:
        """5.1: frames that arrive after our RST_STREAM must not hurt the connection."""
        client = Raw()
        found = client.send(client.headers(1, grpc_head("/t.T/Nothing")))
        assert reset_of(found) == (1, NO_ERROR)
        trailers = client.headers(1, [("x-trailer", "1")], "END_STREAM")
        assert client.send(client.data(1, b"late"), trailers) == []
        assert goaway_of(client.send(client.request(3))) is None

    def test_window_updates_and_resets_for_a_closed_stream_are_ignored(self) -> None:
        """5.1: they may have crossed our END_STREAM."""
        client = Raw()
        client.send(client.request(1))
        assert client.send(frames.WindowUpdateFrame(1, 1), frames.RstStreamFrame(1, 8)) == []

    def test_even_stream_ids_are_refused(self) -> None:
        """5.1.1: streams initiated by a client have odd identifiers."""
        client = Raw()
        assert refused(client.send(client.headers(2, grpc_head(), "END_STREAM")), PROTOCOL)

    def test_stream_zero_takes_no_headers(self) -> None:
        """6.2."""
        client = Raw()
        assert refused(client.send(raw_frame(1, 5, 0, client.block(grpc_head()))), PROTOCOL)

    def test_stream_ids_only_grow(self) -> None:
        """5.1.1: an unexpected stream identifier is a connection error PROTOCOL_ERROR."""
        client = Raw()
        client.send(client.request(5))
        assert refused(client.send(client.request(3)), PROTOCOL)

    def test_a_known_block_does_not_open_an_old_stream(self) -> None:
        """5.1.1, on the fast path: the block is remembered, the rule still holds."""
        client = Raw()
        client.send(client.request(1), client.request(3))
        client.send(client.request(9))
        assert refused(client.send(client.request(7)), PROTOCOL)

    def test_one_stream_too_many_is_refused(self) -> None:
        """5.1.2: beyond SETTINGS_MAX_CONCURRENT_STREAMS a stream error, REFUSED_STREAM so that it is retried."""
        client = Raw(limits(concurrent_streams_max=2))
        client.send(client.request(1, path=KEEP), client.request(3, path=KEEP))
        assert reset_of(client.send(client.request(5, path=KEEP))) == (5, REFUSED)
        client.calls[0].reply(b"done")
        client.take()
        assert reset_of(client.send(client.request(7, path=KEEP))) is None
        assert len(client.calls) == 3

    def test_a_stream_error_leaves_the_others_alone(self) -> None:
        """5.4.2."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.send(client.headers(3, [*grpc_head(), ("connection", "close")]))
        client.calls[0].reply(b"fine")
        assert [f.data for f in client.take() if isinstance(f, frames.DataFrame)] == [message(b"fine")]


class TestFrames:
    def test_data_on_stream_zero(self) -> None:
        """6.1."""
        assert refused(Raw().send(raw_frame(0, 0, 0, b"x")), PROTOCOL)

    def test_padding_is_taken_off_data(self) -> None:
        """6.1."""
        client = Raw()
        body = frames.DataFrame(1, message(b"abc"), flags=["END_STREAM", "PADDED"], pad_length=7)
        found = client.send(client.headers(1, grpc_head()), body)
        assert found[1].data == message(b"abc")

    @pytest.mark.parametrize("kind", [0, 1], ids=["DATA", "HEADERS"])
    def test_padding_longer_than_the_frame(self, kind: int) -> None:
        """6.1 and 6.2: PROTOCOL_ERROR."""
        client = Raw()
        client.send(client.headers(1, grpc_head()))
        stream_id = 1 if kind == 0 else 3
        assert refused(client.send(raw_frame(kind, 0x8 | 0x4, stream_id, b"\x05abcd")), PROTOCOL)

    @pytest.mark.parametrize("kind", [0, 1], ids=["DATA", "HEADERS"])
    def test_padded_without_a_length(self, kind: int) -> None:
        """6.1 and 6.2: there is no room for the Pad Length."""
        client = Raw()
        client.send(client.headers(1, grpc_head()))
        assert refused(client.send(raw_frame(kind, 0x8 | 0x4, 1 if kind == 0 else 3, b"")), PROTOCOL)

    def test_padding_and_priority_are_taken_off_headers(self) -> None:
        """6.2."""
        client = Raw()
        head = frames.HeadersFrame(1, client.block(grpc_head()), flags=["END_HEADERS", "PADDED", "PRIORITY"])
        head.pad_length = 9
        head.depends_on = 3
        found = client.send(head, client.data(1, message(b"abc"), "END_STREAM"))
        assert found[1].data == message(b"abc")

    def test_headers_too_short_for_their_priority(self) -> None:
        """6.2."""
        assert refused(Raw().send(raw_frame(1, 0x24, 1, b"\0\0")), SIZE)

    def test_priority_is_ignored(self) -> None:
        """5.3.2: deprecated, whatever the state of its stream."""
        client = Raw()
        assert client.send(frames.PriorityFrame(9, depends_on=3)) == []
        assert isinstance(client.send(client.request(1))[0], frames.HeadersFrame)

    def test_priority_of_a_wrong_size_is_a_stream_error(self) -> None:
        """6.3."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert reset_of(client.send(raw_frame(2, 0, 1, b"\0\0\0\0"))) == (1, SIZE)

    def test_priority_on_stream_zero(self) -> None:
        """6.3."""
        assert refused(Raw().send(raw_frame(2, 0, 0, b"\0\0\0\0\0")), PROTOCOL)

    def test_reset_of_a_wrong_size(self) -> None:
        """6.4."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert refused(client.send(raw_frame(3, 0, 1, b"\0\0\0")), SIZE)

    def test_reset_on_stream_zero(self) -> None:
        """6.4."""
        assert refused(Raw().send(raw_frame(3, 0, 0, b"\0\0\0\x08")), PROTOCOL)

    def test_settings_are_acknowledged(self) -> None:
        """6.5.3."""
        found = Raw().send(frames.SettingsFrame(0, {frames.SettingsFrame.MAX_CONCURRENT_STREAMS: 1}))
        assert "ACK" in found[0].flags

    def test_settings_on_a_stream(self) -> None:
        """6.5."""
        assert refused(Raw().send(raw_frame(4, 0, 1, b"")), PROTOCOL)

    def test_settings_of_a_wrong_size(self) -> None:
        """6.5."""
        assert refused(Raw().send(raw_frame(4, 0, 0, b"\0\0\0")), SIZE)

    def test_an_acknowledgement_with_settings(self) -> None:
        """6.5."""
        assert refused(Raw().send(raw_frame(4, 1, 0, b"\0\x03\0\0\0\x01")), SIZE)

    @pytest.mark.parametrize(
        ("identifier", "value", "code"),
        [
            pytest.param(2, 2, PROTOCOL, id="ENABLE_PUSH is neither 0 nor 1"),
            pytest.param(4, 2**31, FLOW, id="INITIAL_WINDOW_SIZE above 2^31-1"),
            pytest.param(5, 2**14 - 1, PROTOCOL, id="MAX_FRAME_SIZE below 2^14"),
            pytest.param(5, 2**24, PROTOCOL, id="MAX_FRAME_SIZE above 2^24-1"),
        ],
    )
    def test_settings_out_of_range(self, identifier: int, value: int, code: int) -> None:
        """6.5.2."""
        payload = identifier.to_bytes(2, "big") + value.to_bytes(4, "big")
        assert refused(Raw().send(raw_frame(4, 0, 0, payload)), code)

    def test_unknown_settings_are_ignored(self) -> None:
        """6.5.2."""
        found = Raw().send(raw_frame(4, 0, 0, b"\xab\xcd\0\0\0\x01"))
        assert "ACK" in found[0].flags

    def test_push_promise_from_a_client(self) -> None:
        """8.4: a client cannot push."""
        assert refused(Raw().send(raw_frame(5, 4, 1, b"\0\0\0\x02")), PROTOCOL)

    def test_ping_is_answered_with_its_payload(self) -> None:
        """6.7."""
        found = Raw().send(frames.PingFrame(0, b"8 octets"))
        assert (found[0].opaque_data, "ACK" in found[0].flags) == (b"8 octets", True)

    def test_an_answer_to_a_ping_is_not_answered(self) -> None:
        """6.7."""
        assert Raw().send(frames.PingFrame(0, b"8 octets", flags=["ACK"])) == []

    def test_ping_on_a_stream(self) -> None:
        """6.7."""
        assert refused(Raw().send(raw_frame(6, 0, 1, b"12345678")), PROTOCOL)

    def test_ping_of_a_wrong_size(self) -> None:
        """6.7."""
        assert refused(Raw().send(raw_frame(6, 0, 0, b"1234567")), SIZE)

    def test_goaway_on_a_stream(self) -> None:
        """6.8."""
        assert refused(Raw().send(raw_frame(7, 0, 1, b"\0" * 8)), PROTOCOL)

    def test_goaway_of_a_wrong_size(self) -> None:
        """6.8 and 4.2."""
        assert refused(Raw().send(raw_frame(7, 0, 0, b"\0" * 7)), SIZE)

    def test_a_client_that_goes_away_gets_its_answers(self) -> None:
        """6.8: streams that are open may finish."""
        client = Raw()
        client.send(client.request(1, path=KEEP), frames.GoAwayFrame(0))
        client.calls[0].reply(b"done")
        assert [f.data for f in client.take() if isinstance(f, frames.DataFrame)] == [message(b"done")]

    def test_window_update_of_a_wrong_size(self) -> None:
        """6.9."""
        assert refused(Raw().send(raw_frame(8, 0, 0, b"\0\0\0")), SIZE)

    def test_window_update_by_nothing(self) -> None:
        """6.9: a connection error on stream 0, a stream error on a stream."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert reset_of(client.send(raw_frame(8, 0, 1, b"\0\0\0\0"))) == (1, PROTOCOL)
        assert refused(client.send(raw_frame(8, 0, 0, b"\0\0\0\0")), PROTOCOL)

    def test_a_window_above_the_maximum(self) -> None:
        """6.9.1: FLOW_CONTROL_ERROR, of the stream or of the connection."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        assert reset_of(client.send(frames.WindowUpdateFrame(1, 2**31 - 1))) == (1, FLOW)
        assert refused(client.send(frames.WindowUpdateFrame(0, 2**31 - 1)), FLOW)

    def test_a_setting_that_takes_a_window_above_the_maximum(self) -> None:
        """6.9.2."""
        client = Raw()
        client.send(client.request(1, path=KEEP), frames.WindowUpdateFrame(1, 2**31 - 1 - 65_535))
        setting = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 65_536}
        assert refused(client.send(frames.SettingsFrame(0, setting)), FLOW)

    def test_more_data_than_the_stream_window(self) -> None:
        """6.9.1: a receiver may treat it as a stream error FLOW_CONTROL_ERROR."""
        client = Raw(limits(stream_window_bytes=16_384, connection_window_bytes=1_000_000))
        client.send(client.headers(1, grpc_head()))
        client.connection.streams[1].pause()
        client.send(client.data(1, b"\0\0\1\0\0" + b"x" * 16_000))
        assert reset_of(client.send(client.data(1, b"x" * 385))) == (1, FLOW)

    def test_more_data_than_the_connection_window(self) -> None:
        """6.9.1: on the connection it is a connection error."""
        client = Raw(limits(stream_window_bytes=65_535, connection_window_bytes=65_535))
        client.send(client.headers(1, grpc_head()))
        burst: list[frames.Frame] = [client.data(1, b"\0\0\1\0\0" + b"x" * 16_379)]
        burst += [client.data(1, b"x" * 16_384)] * 4
        assert refused(client.send(*burst), FLOW)

    def test_continuation_out_of_place(self) -> None:
        """6.10."""
        client = Raw()
        assert refused(client.send(frames.ContinuationFrame(1, b"")), PROTOCOL)

    def test_continuation_of_another_stream(self) -> None:
        """6.10."""
        client = Raw()
        start = frames.HeadersFrame(1, client.block(grpc_head())[:3])
        assert refused(client.send(start, frames.ContinuationFrame(3, b"")), PROTOCOL)

    def test_a_block_in_pieces_is_one_block(self) -> None:
        """6.10."""
        client = Raw()
        block = client.block(grpc_head())
        found = client.send(
            frames.HeadersFrame(1, block[:3]),
            frames.ContinuationFrame(1, block[3:10]),
            frames.ContinuationFrame(1, block[10:], flags=["END_HEADERS"]),
            client.data(1, message(b"abc"), "END_STREAM"),
        )
        assert found[1].data == message(b"abc")


def test_no_more_is_accepted_while_a_header_block_is_on_its_way() -> None:
    """The block belongs to a stream that GOAWAY does not name, and its end must still be read as such."""
    client = Raw()
    client.send(client.request(1, path=KEEP))
    block = client.block(grpc_head())
    client.send(frames.HeadersFrame(3, block[:5]))
    client.connection.stop_accepting()
    found = client.send(frames.ContinuationFrame(3, block[5:], flags=["END_HEADERS"]))
    assert goaway_of(found) == (0, "server is shutting down")
    assert not client.has_closed()
    client.calls[0].reply(b"")
    assert client.has_closed()


def test_a_block_is_not_interrupted_because_no_more_is_accepted() -> None:
    client = Raw()
    client.send(client.request(1, path=KEEP), frames.HeadersFrame(3, b""))
    client.connection.stop_accepting()
    client.take()
    assert goaway_of(client.send(frames.PingFrame(0, b"8 octets"))) == (
        PROTOCOL,
        "a header block interrupted by another frame",
    )


class TestRequests:
    """Section 8: what makes a request malformed, a stream error PROTOCOL_ERROR."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param([("X-Upper", "1")], id="8.2: uppercase name"),
            pytest.param([("x bad", "1")], id="8.2.1: name with a space"),
            pytest.param([("x\x7f", "1")], id="8.2.1: name with a control character"),
            pytest.param([("", "1")], id="8.2.1: empty name"),
            pytest.param([("x", "a\nb")], id="8.2.1: value with a line feed"),
            pytest.param([("x", "a\rb")], id="8.2.1: value with a carriage return"),
            pytest.param([("x", "a\0b")], id="8.2.1: value with NUL"),
            pytest.param([("x", " a")], id="8.2.1: value that begins with a space"),
            pytest.param([("x", "a\t")], id="8.2.1: value that ends with a tab"),
            pytest.param([("connection", "close")], id="8.2.2: connection"),
            pytest.param([("proxy-connection", "close")], id="8.2.2: proxy-connection"),
            pytest.param([("keep-alive", "1")], id="8.2.2: keep-alive"),
            pytest.param([("transfer-encoding", "chunked")], id="8.2.2: transfer-encoding"),
            pytest.param([("upgrade", "websocket")], id="8.2.2: upgrade"),
            pytest.param([("te", "gzip")], id="8.2.2: te other than trailers"),
            pytest.param([(":path", "/again")], id="8.3: pseudo-header field after a regular one"),
            pytest.param([(":status", "200")], id="8.3: pseudo-header field of a response"),
            pytest.param([("host", "elsewhere")], id="8.3.1: host that differs from :authority"),
            pytest.param([("content-length", "x")], id="8.1.1: content-length that is no number"),
            pytest.param([("content-length", "1"), ("content-length", "2")], id="8.1.1: two content-lengths"),
        ],
    )
    def test_malformed_fields(self, change: list[tuple[str, str]]) -> None:
        client = Raw()
        found = client.send(client.headers(1, [*grpc_head(), *change]))
        assert reset_of(found) == (1, PROTOCOL)
        assert goaway_of(client.send(client.request(3))) is None

    @pytest.mark.parametrize(
        "pseudo",
        [
            pytest.param([(":scheme", "http"), (":path", "/")], id="no :method"),
            pytest.param([(":method", "GET"), (":path", "/")], id="no :scheme"),
            pytest.param([(":method", "GET"), (":scheme", "http")], id="no :path"),
            pytest.param([(":method", "GET"), (":scheme", "http"), (":path", "")], id="empty :path"),
            pytest.param([(":method", "GET"), (":scheme", "http"), (":path", "x")], id=":path without slash"),
            pytest.param(
                [(":method", "GET"), (":scheme", "http"), (":path", "*")], id="asterisk, not OPTIONS"
            ),
            pytest.param(
                [(":method", "GET"), (":method", "GET"), (":scheme", "http"), (":path", "/")],
                id=":method twice",
            ),
            pytest.param(
                [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":unknown", "1")],
                id="unknown pseudo",
            ),
            pytest.param(
                [(":method", "CONNECT"), (":scheme", "http"), (":path", "/")], id="8.5: CONNECT with :path"
            ),
        ],
    )
    def test_malformed_pseudo_fields(self, pseudo: list[tuple[str, str]]) -> None:
        """8.3.1."""
        client = Raw()
        assert reset_of(client.send(client.headers(1, pseudo, "END_STREAM"))) == (1, PROTOCOL)

    def test_less_data_than_content_length(self) -> None:
        """8.1.1."""
        client = Raw()
        head = client.headers(1, [*grpc_head(), ("content-length", "9")])
        assert reset_of(client.send(head, client.data(1, message(b"x"), "END_STREAM"))) == (1, PROTOCOL)
        assert client.calls == []

    def test_more_data_than_content_length(self) -> None:
        """8.1.1, before the end of the stream."""
        client = Raw()
        head = client.headers(1, [*grpc_head(), ("content-length", "9")])
        assert reset_of(client.send(head, client.data(1, b"\0\0\0\0\x20" + b"x" * 10))) == (1, PROTOCOL)

    def test_content_length_without_data(self) -> None:
        """8.1.1: END_STREAM on HEADERS means length 0."""
        client = Raw()
        head = client.headers(1, [*grpc_head(), ("content-length", "9")], "END_STREAM")
        assert reset_of(client.send(head)) == (1, PROTOCOL)

    def test_content_length_without_data_behind_a_head_that_was_right_with_data(self) -> None:
        """A block that is remembered may come with END_STREAM next."""
        client = Raw()
        fields = [*grpc_head(), ("content-length", "6")]
        for number in (1, 3):
            body = client.data(number, message(b"x"), "END_STREAM")
            assert reset_of(client.send(client.headers(number, fields), body)) is None
        assert reset_of(client.send(client.headers(5, fields, "END_STREAM"))) == (5, PROTOCOL)

    def test_trailers_end_the_request(self) -> None:
        """8.1: a request may end in trailers."""
        client = Raw()
        found = client.send(
            client.headers(1, grpc_head()),
            client.data(1, message(b"abc")),
            client.headers(1, [("x-checksum", "1")], "END_STREAM"),
        )
        assert found[1].data == message(b"abc")

    def test_trailers_that_do_not_end_the_stream(self) -> None:
        """8.1: a second HEADERS without END_STREAM is malformed."""
        client = Raw()
        client.send(client.headers(1, grpc_head()))
        assert reset_of(client.send(client.headers(1, [("x", "1")]))) == (1, PROTOCOL)

    def test_trailers_with_pseudo_fields(self) -> None:
        """8.1: pseudo-header fields must not appear in trailers."""
        client = Raw()
        client.send(client.headers(1, grpc_head()))
        assert reset_of(client.send(client.headers(1, [(":path", "/")], "END_STREAM"))) == (1, PROTOCOL)

    def test_cookies_in_pieces_are_joined(self) -> None:
        """8.2.3."""
        client = Raw()
        client.send(client.headers(1, [*grpc_head(KEEP), ("cookie", "a=1"), ("cookie", "b=2")]))
        client.send(client.data(1, message(b"x"), "END_STREAM"))
        assert client.calls[0].metadata("cookie") == "a=1; b=2"

    def test_an_authority_that_no_url_would_have(self) -> None:
        """clientv3 3.5 sends its endpoints: refusing them would refuse real clients."""
        client = Raw()
        head = [(n, "#initially=[host:2379;host2:2379]" if n == ":authority" else v) for n, v in grpc_head()]
        found = client.send(client.headers(1, head), client.data(1, message(b"abc"), "END_STREAM"))
        assert found[1].data == message(b"abc")
        assert client.calls[0].head.authority == "#initially=[host:2379;host2:2379]"

    def test_an_early_answer_stops_the_upload(self) -> None:
        """8.1: RST_STREAM with NO_ERROR after a complete answer."""
        client = Raw()
        found = client.send(client.headers(1, grpc_head(CHAT)), client.data(1, message(b"boom")))
        assert [type(f).__name__ for f in found] == ["HeadersFrame", "RstStreamFrame"]
        assert found[1].error_code == NO_ERROR


class TestHeaderLists:
    def test_a_list_above_the_limit_is_refused_politely(self) -> None:
        """10.5.1: 431, and the connection lives."""
        client = Raw(limits(header_bytes_max=2000))
        big = [*grpc_head(), *((f"x-{n}", "v" * 100) for n in range(20))]
        found = client.send(client.headers(1, big))
        assert client.fields(found[0])[":status"] == "431"
        assert goaway_of(client.send(client.request(3))) is None

    def test_a_list_far_above_the_limit_ends_the_connection(self) -> None:
        """10.5.1: one indexed byte for each copy of a large field is the HPACK bomb."""
        client = Raw(limits(header_bytes_max=2000))
        block = client.block(grpc_head()) + client.encoder.encode([("x", "v" * 1000)]) + b"\xbe" * 20
        assert refused(client.send(raw_frame(1, 4, 1, block)), CALM)

    def test_our_own_blocks_never_need_a_table(self) -> None:
        """RFC 7541, 4.2: a client that allows no table gets none, and is told so before the first field."""
        client = Raw(greet=False)
        client.decoder.header_table_size = 0
        client.decoder.max_allowed_table_size = 0
        setting = frames.SettingsFrame(0, {frames.SettingsFrame.HEADER_TABLE_SIZE: 0})
        client.send(PREFACE, setting)
        found = client.send(client.request(1), client.request(3))
        heads = [f for f in found if isinstance(f, frames.HeadersFrame)]
        assert [f.data[:1] == b"\x20" for f in heads] == [True, False, False, False]
        assert [client.fields(f).get("grpc-status") for f in heads] == [None, "0", None, "0"]
