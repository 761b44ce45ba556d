"""Many datagrams at a time, by each of the two ways, seen from sockets of other people."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from fairlead.dns import datagrams
from fairlead.dns.datagrams import (
    QUERY_BYTES_MAX,
    BatchedDatagrams,
    Datagrams,
    PlainDatagrams,
    datagrams_of,
)
from fairlead.dns.sockets import bound_socket

Make = Callable[..., tuple[Datagrams, int]]
BATCHED = pytest.param("batched", marks=pytest.mark.skipif(
    datagrams._system_calls() is None, reason="no recvmmsg and sendmmsg in this system's C library"
))  # fmt: skip


@pytest.fixture(params=["plain", BATCHED])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Bind to a host and return its datagrams and port."""
    is_plain = request.param == "plain"
    if is_plain:
        monkeypatch.setattr(datagrams, "_system_calls", lambda: None)
    with ExitStack() as stack:

        def bind(host: str = "127.0.0.1", *, per_turn: int = 8, asks: bool = False) -> tuple[Datagrams, int]:
            try:
                bound = stack.enter_context(bound_socket(socket.SOCK_DGRAM, host, 0))
            except OSError:
                pytest.skip(f"no {host} here")
            made = datagrams_of(bound, per_turn=per_turn, asks_destination=asks)
            assert isinstance(made, PlainDatagrams if is_plain else BatchedDatagrams)
            return made, bound.getsockname()[1]

        yield bind


def client(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.connect((host, port))
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_each_response_goes_to_who_sent_the_packet_at_its_place(make: Make, host: str) -> None:
    served, port = make(host)
    assert served.receive() == []
    clients = [client(host, port) for _ in range(5)]
    for number, one in enumerate(clients):
        one.send(b"packet %d" % number * (number + 1))
    packets = served.receive()
    assert packets == [b"packet %d" % number * (number + 1) for number in range(5)]
    assert [served.sender(at)[0][:2] for at in range(5)] == [one.getsockname()[:2] for one in clients]
    assert served.send([packet.upper() for packet in packets]) == 0
    for number, one in enumerate(clients):
        assert one.recv(4096) == b"PACKET %d" % number * (number + 1)
        one.close()


def test_a_turn_takes_so_many_and_leaves_the_rest(make: Make) -> None:
    served, port = make(per_turn=4)
    with client("127.0.0.1", port) as one:
        for number in range(10):
            one.send(b"%d" % number)
        turns = [served.receive() for _ in range(4)]
    assert [len(turn) for turn in turns] == [4, 4, 2, 0]
    assert b"".join(packet for turn in turns for packet in turn) == b"0123456789"


@pytest.mark.parametrize("answered", ["xxxxx", ".xxxx", "xxxx.", "x.x.x", "..x..", "....."])
def test_places_without_a_response_are_passed_over(make: Make, answered: str) -> None:
    served, port = make()
    with client("127.0.0.1", port) as one:
        for number in range(5):
            one.send(b"%d" % number)
        packets = served.receive()
        responses: list[bytes | None] = [
            packet if mark == "x" else (None if number % 2 else b"")
            for number, (packet, mark) in enumerate(zip(packets, answered, strict=True))
        ]
        assert served.send(responses) == 0
        one.setblocking(False)
        got = []
        while True:
            try:
                got.append(one.recv(16))
            except BlockingIOError:
                break
    assert got == [response for response in responses if response]


def test_what_the_system_does_not_take_costs_itself_alone(make: Make) -> None:
    served, port = make()
    with client("127.0.0.1", port) as one:
        for number in range(3):
            one.send(b"%d" % number)
        packets = served.receive()
        assert served.send([packets[0], b"x" * 70_000, packets[2]]) == 1
        assert [one.recv(16), one.recv(16)] == [b"0", b"2"]


def test_empty_and_overlong_datagrams_do_no_harm(make: Make) -> None:
    served, port = make()
    with client("127.0.0.1", port) as one:
        one.send(b"")
        one.send(b"x" * (QUERY_BYTES_MAX + 100))
        one.send(b"last")
    assert served.receive() == [b"", b"x" * QUERY_BYTES_MAX, b"last"]


@pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
def test_on_a_wildcard_a_response_leaves_from_the_address_that_was_asked(
    make: Make, wildcard: str, asked: str
) -> None:
    """A connected client takes nothing from elsewhere; 127.0.0.2 would be answered by 127.0.0.1 otherwise."""
    served, port = make(wildcard, asks=True)
    for _ in range(3):
        with client(asked, port) as one, client(asked, port) as other:
            one.send(b"one")
            other.send(b"other")
            assert served.receive() == [b"one", b"other"]
            assert served.send([b"to one", None]) == 0
            assert one.recv(16) == b"to one"
            peer, ancillary = served.sender(1)
            assert ancillary, "what a later response needs"
            assert datagrams.send_one(served._socket, b"to other", peer, ancillary)  # type: ignore[attr-defined]
            assert other.recv(16) == b"to other"


@pytest.mark.parametrize(("wildcard", "asked", "interface"), [("0.0.0.0", "127.0.0.1", 0), ("::", "::1", 16)])
def test_which_way_a_response_goes_is_left_to_the_routes(
    make: Make, wildcard: str, asked: str, interface: int
) -> None:
    """A query may come in by another interface than the way back to its sender: only the address is ours to say."""
    served, port = make(wildcard, asks=True)
    with client(asked, port) as one:
        one.send(b"one")
        assert served.receive() == [b"one"]
        ((_, _, data),) = served.sender(0)[1]
        assert data[interface : interface + 4] == bytes(4)
        assert socket.inet_pton(one.family, asked) in data
        assert served.send([b"to one"]) == 0
        assert one.recv(16) == b"to one"


def test_an_address_of_one_link_keeps_its_interface() -> None:
    level, kind = socket.IPPROTO_IPV6, socket.IPV6_PKTINFO
    of_link = socket.inet_pton(socket.AF_INET6, "fe80::1") + b"\7\0\0\0"
    assert datagrams._by_any_way(level, kind, of_link) == (level, kind, of_link)


@pytest.mark.parametrize(
    ("what", "value"),
    [("sys.platform", "freebsd14"), ("sys.byteorder", "big"), ("struct.calcsize", lambda _: 4)],
)
def test_where_structures_are_laid_out_otherwise_each_datagram_has_its_own_call(
    monkeypatch: pytest.MonkeyPatch, what: str, value: object
) -> None:
    """FreeBSD has calls of these names over other structures; on a big-endian machine the words are filled from the other end."""
    monkeypatch.setattr(f"fairlead.dns.datagrams.{what}", value)
    with bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0) as bound:
        assert isinstance(datagrams_of(bound, per_turn=8, asks_destination=False), PlainDatagrams)


@pytest.mark.parametrize("missing", ["recvmmsg", "sendmmsg"])
def test_where_a_sandbox_refuses_a_call_each_datagram_has_its_own(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Else nothing would ever come, and the loop would spin over it."""
    calls = SimpleNamespace(recvmmsg=lambda *_: 0, sendmmsg=lambda *_: 0)
    setattr(calls, missing, lambda *_: -1)
    monkeypatch.setattr(datagrams, "_system_calls", lambda: calls)
    with bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0) as bound:
        assert isinstance(datagrams_of(bound, per_turn=8, asks_destination=False), PlainDatagrams)
