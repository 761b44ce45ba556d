"""The known floods, each as an attack: the connection must end with ENHANCE_YOUR_CALM, and cheaply."""

from collections.abc import Callable

import pytest
from hyperframe import frame as frames
from tests.unit.rpc.wire import CHAT, KEEP, Raw, goaway_of, grpc_head, limits

from fairlead.http2 import ConnectionFault
from fairlead.http2.guard import BUDGETS, Event, Guard

CALM = 11


def flood(client: Raw, make: Callable[[int], bytes | frames.Frame], *, at_most: int) -> str:
    """Send what ``make`` makes until the connection ends; return why it did."""
    for n in range(at_most):
        found = client.send(make(n))
        goaway = goaway_of(found)
        if goaway is not None:
            assert goaway[0] == CALM
            assert client.has_closed()
            return goaway[1]
    raise AssertionError(f"{at_most} frames were not one too many")


def test_rapid_reset() -> None:
    """CVE-2023-44487: open and cancel, so that the limit on streams is never reached."""
    client = Raw()

    def attack(n: int) -> bytes:
        stream_id = 2 * n + 1
        return bytes(client.request(stream_id, path=KEEP)) + frames.RstStreamFrame(stream_id, 8).serialize()

    assert flood(client, attack, at_most=2000) == "too many streams reset"
    assert len(client.calls) <= BUDGETS[Event.RESET].burst + 1


def test_resets_that_the_client_provokes() -> None:
    """CVE-2025-8671: break a rule of each stream, so that we reset it."""
    client = Raw()

    def attack(n: int) -> bytes:
        stream_id = 2 * n + 1
        zero = frames.WindowUpdateFrame(stream_id, 1).serialize()[:-4] + b"\0\0\0\0"
        return bytes(client.request(stream_id, path=KEEP)) + zero

    assert flood(client, attack, at_most=2000) == "too many streams reset"


def test_malformed_requests_without_end() -> None:
    client = Raw()
    bad = [*grpc_head(), ("connection", "close")]
    assert flood(client, lambda n: client.headers(2 * n + 1, bad), at_most=2000) == "too many streams reset"


def test_refused_streams_without_end() -> None:
    client = Raw(limits(concurrent_streams_max=1))
    client.send(client.request(1, path=KEEP))
    attack = lambda n: client.headers(2 * n + 3, grpc_head(KEEP))  # noqa: E731 - an attack is one expression
    assert flood(client, attack, at_most=2000) == "too many streams reset"


def test_continuation_without_end() -> None:
    """CVE-2024-27316 and its kin: a header block that never ends."""
    client = Raw()
    client.send(frames.HeadersFrame(1, client.block(grpc_head())))
    reason = flood(client, lambda _: frames.ContinuationFrame(1, b"\0\1x\1y"), at_most=100)
    assert reason == "header block too long"


def test_empty_continuations_without_end() -> None:
    """CVE-2019-9518: frames that carry nothing and end nothing."""
    client = Raw()
    client.send(frames.HeadersFrame(1, b""))
    assert flood(client, lambda _: frames.ContinuationFrame(1, b""), at_most=100) == "header block too long"


def test_a_block_larger_than_any_list_may_be() -> None:
    client = Raw(limits(header_bytes_max=30_000))
    client.send(frames.HeadersFrame(1, client.block(grpc_head())))
    reason = flood(client, lambda _: frames.ContinuationFrame(1, b"\0" * 16_000), at_most=3)
    assert reason == "header block too long"


def test_pings_without_end() -> None:
    """CVE-2019-9512.  With nothing sent between them, they are strikes as in grpc-go."""
    reason = flood(Raw(), lambda _: frames.PingFrame(0, b"8 octets"), at_most=20)
    assert reason == "too_many_pings"


def test_pings_with_data_between_them_are_bounded_too() -> None:
    client = Raw()
    attack = lambda n: client.request(2 * n + 1) + frames.PingFrame(0, b"8 octets").serialize()  # noqa: E731
    assert flood(client, attack, at_most=500) == "too many PING frames"


def test_pings_at_the_permitted_pace_go_on_for_ever() -> None:
    """etcd permits one in five seconds."""
    client = Raw()
    for _ in range(1000):
        client.now_s += 5.0
        assert isinstance(client.send(frames.PingFrame(0, b"8 octets"))[0], frames.PingFrame)


def test_settings_without_end() -> None:
    """CVE-2019-9515: each must be acknowledged."""
    setting = {frames.SettingsFrame.MAX_CONCURRENT_STREAMS: 1}
    reason = flood(Raw(), lambda _: frames.SettingsFrame(0, setting), at_most=100)
    assert reason == "too many SETTINGS frames"


def test_empty_data_without_end() -> None:
    """CVE-2019-9518."""
    client = Raw()
    client.send(client.headers(1, grpc_head(CHAT)))
    assert flood(client, lambda _: client.data(1, b""), at_most=500) == "too many empty DATA frames"


def test_padding_without_data_is_empty_data() -> None:
    client = Raw()
    client.send(client.headers(1, grpc_head(CHAT)))
    padded = frames.DataFrame(1, b"", flags=["PADDED"], pad_length=200)
    assert flood(client, lambda _: padded, at_most=500) == "too many empty DATA frames"


def test_priorities_without_end() -> None:
    """CVE-2019-9513."""
    reason = flood(Raw(), lambda n: frames.PriorityFrame(2 * n + 1), at_most=5000)
    assert reason == "too many frames to no effect"


def test_frames_of_unknown_kinds_without_end() -> None:
    unknown = b"\x00\x00\x00\xee\x00\x00\x00\x00\x00"
    assert flood(Raw(), lambda _: unknown, at_most=5000) == "too many frames to no effect"


def test_window_updates_without_end() -> None:
    client = Raw()
    client.send(client.request(1, path=KEEP))
    burst = frames.WindowUpdateFrame(1, 1).serialize() * 100
    assert flood(client, lambda _: burst, at_most=500) == "too many WINDOW_UPDATE frames"


def test_late_data_without_end() -> None:
    """For a stream that was answered early: let pass, but not for ever."""
    client = Raw()
    client.send(client.headers(1, grpc_head("/t.T/Nothing")))
    assert flood(client, lambda _: client.data(1, b"x"), at_most=5000) == "too many frames to no effect"


@pytest.mark.parametrize("how", ["zero window", "unread transport"])
def test_a_client_that_never_takes_its_answers(how: str) -> None:
    """CVE-2019-9517: bounded in memory (test_flow) and, here, in time."""
    client = Raw(limits(stall_s=60.0))
    if how == "zero window":
        client.send(frames.SettingsFrame(0, {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
    else:
        client.connection.pause()
    client.send(client.request(1, path=KEEP))
    client.connection.tick(client.now_s)
    client.calls[0].reply(b"x" * 1000)
    client.connection.tick(client.now_s + 59.0)
    assert not client.has_closed()
    client.connection.tick(client.now_s + 61.0)
    assert goaway_of(client.take()) == (CALM, "answers left unread for too long")


def test_a_client_that_takes_its_answers_slowly_is_served() -> None:
    """A byte now and then is progress."""
    client = Raw(limits(stall_s=60.0))
    client.send(frames.SettingsFrame(0, {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
    client.send(client.request(1, path=KEEP))
    client.calls[0].reply(b"x" * 1000)
    for _ in range(20):
        client.now_s += 50.0
        client.connection.tick(client.now_s)
        client.send(frames.WindowUpdateFrame(1, 1))
    assert not client.has_closed()


def test_what_a_healthy_client_does_is_never_too_much() -> None:
    """Ten thousand calls in one second, each with a WINDOW_UPDATE, and one in a hundred cancelled."""
    client = Raw()
    for n in range(10_000):
        stream_id = 2 * n + 1
        client.now_s += 0.0001
        if n % 100:
            found = client.send(client.request(stream_id), frames.WindowUpdateFrame(0, 6))
        else:
            found = client.send(client.request(stream_id, path=KEEP), frames.RstStreamFrame(stream_id, 8))
        assert goaway_of(found) is None


def test_a_bucket_refills_with_time() -> None:
    guard = Guard(0.0)
    burst, per_s, _ = BUDGETS[Event.RESET]
    for _ in range(int(burst)):
        guard.spend(Event.RESET, 0.0)
    with pytest.raises(ConnectionFault, match="too many streams reset"):
        guard.spend(Event.RESET, 0.0)
    guard.spend(Event.RESET, 1.5 / per_s)
    with pytest.raises(ConnectionFault):
        guard.spend(Event.RESET, 1.5 / per_s)


def test_every_event_has_its_budget() -> None:
    assert BUDGETS.keys() == set(Event)
