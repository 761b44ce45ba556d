"""Flow control both ways: nothing is sent beyond a window, nothing is lost, nobody is held up by another."""

import random

import pytest
from h2.settings import SettingCodes
from hyperframe import frame as frames
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rpc.wire import (
    CHAT,
    ECHO,
    KEEP,
    Polite,
    Raw,
    goaway_of,
    grpc_head,
    http_head,
    limits,
    message,
    messages,
)

from fairlead.rpc import Code

WINDOW = 65_535


def sizes(found: list[object]) -> dict[int, int]:
    """DATA by stream."""
    total: dict[int, int] = {}
    for frame in found:
        if isinstance(frame, frames.DataFrame):
            total[frame.stream_id] = total.get(frame.stream_id, 0) + len(frame.data)
    return total


class TestSending:
    def test_an_answer_stops_at_the_stream_window(self) -> None:
        client = Raw()
        client.send(frames.WindowUpdateFrame(0, 10_000_000), client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 100_000)
        assert sizes(client.take()) == {1: WINDOW}
        assert client.take() == []
        assert sizes(client.send(frames.WindowUpdateFrame(1, 1000))) == {1: 1000}

    def test_an_answer_stops_at_the_connection_window(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.send(frames.WindowUpdateFrame(1, 1_000_000))
        client.calls[0].reply(b"x" * 100_000)
        assert sizes(client.take()) == {1: WINDOW}
        assert sizes(client.send(frames.WindowUpdateFrame(0, 7))) == {1: 7}

    def test_trailers_wait_for_the_data(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 70_000)
        assert not any("END_STREAM" in f.flags for f in client.take())
        found = client.send(frames.WindowUpdateFrame(0, 100_000), frames.WindowUpdateFrame(1, 100_000))
        assert "END_STREAM" in found[-1].flags
        assert client.fields(found[-1]) == {"grpc-status": "0"}
        assert client.connection.streams == {}

    def test_a_blocked_stream_does_not_hold_up_another(self) -> None:
        """The reason for flow control by stream: one slow watch beside everything else."""
        client = Raw()
        client.send(frames.WindowUpdateFrame(0, 1_000_000), client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 100_000)
        client.take()
        found = client.send(client.request(3, b"quick"))
        assert sizes(found) == {3: 10}
        assert "END_STREAM" in found[-1].flags

    def test_streams_take_turns(self) -> None:
        """Two large answers on one narrow connection proceed together."""
        client = Raw()
        client.send(client.request(1, path=KEEP), client.request(3, path=KEEP))
        client.calls[0].reply(b"x" * 200_000)
        client.calls[1].reply(b"y" * 200_000)
        client.take()
        client.send(frames.WindowUpdateFrame(1, 1_000_000), frames.WindowUpdateFrame(3, 1_000_000))
        found = client.send(frames.WindowUpdateFrame(0, 16_384 * 4))
        assert sizes(found) == {1: 32_768, 3: 32_768}

    def test_a_small_answer_does_not_overtake_the_line_for_the_connection_window(self) -> None:
        """Otherwise a stream of small answers could starve a large one for ever."""
        client = Raw()
        client.send(client.request(1, path=KEEP), client.request(3, path=KEEP))
        client.send(frames.WindowUpdateFrame(1, 1_000_000))
        client.calls[0].reply(b"x" * 100_000)
        client.take()
        client.calls[1].reply(b"small")
        assert sizes(client.take()) == {}
        grant, quick = frames.WindowUpdateFrame(0, 10), client.request(5, b"quick")
        assert sizes(client.send(grant, quick)) == {1: 10}
        left = 100_005 - WINDOW - 10
        assert sizes(client.send(frames.WindowUpdateFrame(0, 100_000))) == {1: left, 3: 10, 5: 10}

    def test_a_changed_initial_window_moves_open_streams(self) -> None:
        """6.9.2: by the difference, also below zero, from where WINDOW_UPDATE must lift it first."""
        client = Raw()
        client.send(frames.WindowUpdateFrame(0, 10_000_000), client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 200_000)
        assert sizes(client.take()) == {1: WINDOW}
        initial = frames.SettingsFrame.INITIAL_WINDOW_SIZE
        assert sizes(client.send(frames.SettingsFrame(0, {initial: WINDOW + 10}))) == {1: 10}
        assert sizes(client.send(frames.SettingsFrame(0, {initial: 1000}))) == {}
        assert sizes(client.send(frames.WindowUpdateFrame(1, WINDOW - 1000 + 10))) == {}
        assert sizes(client.send(frames.WindowUpdateFrame(1, 3))) == {1: 3}

    def test_frames_are_as_large_as_the_client_takes(self) -> None:
        client = Raw(limits(sent_frame_bytes_max=50_000))
        setting = {frames.SettingsFrame.MAX_FRAME_SIZE: 100_000}
        client.send(frames.SettingsFrame(0, setting), client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 60_000)
        found = [len(f.data) for f in client.take() if isinstance(f, frames.DataFrame)]
        assert found == [50_000, 10_005]

    def test_a_pause_of_the_transport_holds_data_but_not_acknowledgements(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.connection.pause()
        client.calls[0].reply(b"x" * 100)
        found = client.send(frames.PingFrame(0, b"8 octets"))
        assert sizes(found) == {}
        assert any(isinstance(f, frames.PingFrame) for f in found)
        client.connection.resume()
        assert sizes(client.take()) == {1: 105}

    def test_one_turn_writes_one_burst(self) -> None:
        """A huge answer to a wide window must leave the loop to others in between."""
        client = Raw(limits(send_burst_bytes=100_000))
        wide = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1}
        client.send(frames.SettingsFrame(0, wide), frames.WindowUpdateFrame(0, 2**30))
        client.send(client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 1_000_000)
        first = sizes(client.take())[1]
        assert 100_000 <= first < 100_000 + 16_384
        assert client.has_more()
        total = first
        while client.has_more():
            total += sizes(client.take())[1]
        assert total == 1_000_005

    def test_a_reset_drops_what_was_held_back(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.calls[0].reply(b"x" * 100_000)
        client.take()
        assert client.connection.sender.buffered_bytes == 100_005 - WINDOW
        client.send(frames.RstStreamFrame(1, 8))
        assert client.connection.sender.buffered_bytes == 0
        assert sizes(client.send(frames.WindowUpdateFrame(0, 100_000))) == {}

    def test_replies_of_one_turn_wake_the_shell_once(self) -> None:
        """After one fsync hundreds of puts are answered; they leave in one write."""
        client = Raw()
        client.send(*(client.request(n, path=KEEP) for n in range(1, 201, 2)))
        assert client.wakes == 0
        for call in client.calls:
            call.reply(b"done")
        assert client.wakes == 1
        assert len(sizes(client.take())) == 100
        client.send(client.request(201, path=KEEP))
        client.calls[-1].reply(b"again")
        assert client.wakes == 2

    def test_buffered_bytes_and_on_writable_let_a_stream_stop_producing(self) -> None:
        client = Raw(limits(writable_bytes=1000))
        client.send(client.headers(1, grpc_head(CHAT)))
        call = client.chats[0].call
        call.send(b"x" * (WINDOW - 5))
        assert call.buffered_bytes == WINDOW
        client.take()
        assert (call.buffered_bytes, client.log) == (0, ["writable"])
        client.log.clear()
        call.send(b"y" * 2995)
        assert call.buffered_bytes == 3000
        client.send(frames.WindowUpdateFrame(0, 100_000), frames.WindowUpdateFrame(1, 1000))
        assert (call.buffered_bytes, client.log) == (2000, [])
        client.send(frames.WindowUpdateFrame(1, 1500))
        assert (call.buffered_bytes, client.log) == (500, ["writable"])
        client.send(frames.WindowUpdateFrame(1, 500))
        assert (call.buffered_bytes, client.log) == (0, ["writable", "writable"])

    def test_more_held_back_than_the_cap_ends_the_connection(self) -> None:
        """A client that asks for large answers and takes none must not fill our memory."""
        client = Raw(limits(send_buffer_bytes_max=100_000))
        client.send(*(client.request(n, path=KEEP) for n in (1, 3, 5)))
        for call in client.calls:
            call.reply(b"x" * 100_000)
        goaway = goaway_of(client.take())
        assert goaway == (11, "too many answers left unread")
        assert client.connection.sender.buffered_bytes == 0

    def test_messages_sent_while_blocked_come_in_order_and_share_frames(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)))
        call = client.chats[0].call
        call.send(b"x" * (WINDOW - 5))
        client.take()
        for n in range(100):
            call.send(b"%03d" % n)
        call.finish()
        found = client.send(frames.WindowUpdateFrame(0, 10_000), frames.WindowUpdateFrame(1, 10_000))
        data = [f for f in found if isinstance(f, frames.DataFrame)]
        assert len(data) == 1
        assert messages(data[0].data) == [b"%03d" % n for n in range(100)]
        assert client.fields(found[1]) == {"grpc-status": "0"}

    @settings(max_examples=40)
    @given(seed=st.integers(0, 2**32))
    def test_whatever_the_windows_every_answer_arrives_whole(self, seed: int) -> None:
        """The h2 library refuses every byte beyond its windows; nothing may be lost or mixed up."""
        rng = random.Random(seed)
        window = {SettingCodes.INITIAL_WINDOW_SIZE: rng.choice([1, 100, 5000, WINDOW])}
        client = Polite(limits(send_burst_bytes=rng.choice([1, 20_000, 10**6])), settings=window)
        expected = {}
        for _ in range(rng.randrange(1, 6)):
            stream_id = client.request(grpc_head(KEEP), message(b""))
            expected[stream_id] = message(rng.randbytes(rng.choice([0, 10, 3000, 20_000])))
        for call, answer in zip(client.calls, expected.values(), strict=True):
            call.reply(answer[5:])
        for _ in range(100_000):
            client.exchange()
            if all(client.has_ended(stream_id) for stream_id in expected):
                break
            client.acknowledge()
            if rng.random() < 0.02:
                client.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: rng.randrange(1, WINDOW)})
            for stream_id in expected:
                if not client.has_ended(stream_id) and rng.random() < 0.3:
                    client.client.increment_flow_control_window(rng.randrange(1, 2000), stream_id)
        assert {stream_id: client.body(stream_id) for stream_id in expected} == expected
        assert client.connection.sender.buffered_bytes == 0


class TestReceiving:
    def test_a_message_larger_than_every_window_gets_through(self) -> None:
        """The windows are given back as the message arrives."""
        client = Polite(limits(stream_window_bytes=16_384, connection_window_bytes=65_535))
        stream_id = client.request(grpc_head(ECHO), message(b"x" * 500_000))
        client.acknowledge()
        while not client.has_ended(stream_id):
            client.acknowledge()
            client.exchange()
        assert messages(client.body(stream_id)) == [b"x" * 500_000]

    def test_windows_are_given_back_in_halves(self) -> None:
        """One WINDOW_UPDATE for many frames."""
        client = Raw(limits(stream_window_bytes=65_535, connection_window_bytes=200_000))
        client.send(client.headers(1, grpc_head()))
        client.send(client.data(1, b"\0\0\2\0\0" + b"x" * 16_379))
        found = client.send(client.data(1, b"x" * 16_384))
        assert [(f.stream_id, f.window_increment) for f in found] == [(1, 32_768)]

    def test_padding_counts(self) -> None:
        """6.9.1: the whole payload of DATA is in the window, padding too."""
        client = Raw(limits(stream_window_bytes=16_384, connection_window_bytes=65_535))
        client.send(client.headers(1, grpc_head()))
        padded = frames.DataFrame(1, b"\0\0\0\x10\0", flags=["PADDED"], pad_length=250)
        found = []
        for _ in range(33):
            found += client.send(padded)
            padded = frames.DataFrame(1, b"x", flags=["PADDED"], pad_length=250)
        assert [(f.stream_id, f.window_increment) for f in found] == [(1, 33 * 252 + 4)]

    def test_data_for_a_stream_that_is_gone_is_given_back_to_the_connection(self) -> None:
        """6.9: otherwise every early answer would narrow the connection for good."""
        client = Polite(limits(stream_window_bytes=65_535, connection_window_bytes=65_535))
        before = client.client.outbound_flow_control_window
        for _ in range(20):
            stream_id = client.client.get_next_available_stream_id()
            client.client.send_headers(stream_id, grpc_head("/t.T/Nothing"))
            client.client.send_data(stream_id, b"x" * 10_000)
            client.exchange()
        assert client.client.outbound_flow_control_window >= before // 2

    def test_an_application_that_pauses_is_sent_no_more_than_the_window(self) -> None:
        client = Raw(limits(stream_window_bytes=16_384, connection_window_bytes=1_000_000))
        client.app = lambda _, reply: reply.pause()
        client.send(client.headers(1, http_head("/up", "POST")))
        assert client.send(client.data(1, b"x" * 16_000)) == []
        client.http[0][1].resume()
        assert [(f.stream_id, f.window_increment) for f in client.take()] == [(1, 16_000)]

    def test_unfinished_messages_of_many_streams_are_bounded(self) -> None:
        client = Raw(limits(receive_buffer_bytes_max=40_000))
        streams = (1, 3, 5)
        client.send(*(client.headers(n, grpc_head()) for n in streams))
        found = []
        for n in streams:
            found += client.send(client.data(n, b"\0\0\1\0\0" + b"x" * 16_000))
        failed = [client.fields(f) for f in found if isinstance(f, frames.HeadersFrame)]
        assert [f["grpc-status"] for f in failed] == [str(Code.RESOURCE_EXHAUSTED.value)]
        assert client.connection.held_bytes == 2 * 16_005
        client.send(frames.RstStreamFrame(1, 8), frames.RstStreamFrame(3, 8))
        assert client.connection.held_bytes == 0


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_an_empty_message_is_a_message(kind: str) -> None:
    client = Polite()
    stream_id = client.request(grpc_head(ECHO if kind == "unary" else CHAT), message(b""))
    assert messages(client.body(stream_id)) == [b""]
    assert client.status(stream_id) == (0, "")
