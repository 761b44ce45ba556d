"""Datagrams, many at a time: in and out of one UDP socket by as few calls to the system as it allows.

Linux takes and gives many datagrams with one call (recvmmsg, sendmmsg).  Python does not wrap these, so they are called
through ctypes, on buffers that are laid out once; on other systems each datagram costs its two calls.  Either way a response
leaves from the address that its query was sent to, on sockets bound to a wildcard too.
"""

import ctypes
import mmap
import socket
import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, Protocol

QUERY_BYTES_MAX: Final = 4096
"""Longer queries are cut, and then malformed."""

Peer = tuple[Any, ...]
"""An address as the system gives and takes it: host, port, and for IPv6 two more."""

Ancillary = list[tuple[int, int, bytes]]
"""Control messages: with the destination of a query, so the source of its response."""

IP_PKTINFO: Final = 8  # Linux's number, which Python's socket does not name
_CONTROL_BYTES: Final = 64
_WORD_BYTES: Final = 8
_CMSG: Final = struct.Struct("@nii")
_INTERFACE_BYTES: Final = 4  # its number: first in struct in_pktinfo, last in struct in6_pktinfo
_IPV6_BYTES: Final = 16
_LINK_LOCAL: Final = b"\xfe"


class Datagrams(Protocol):
    """The datagrams of one socket."""

    def receive(self) -> list[bytes]:
        """Return what has come, as much as one turn takes; empty when there is nothing."""

    def sender(self, at: int) -> tuple[Peer, Ancillary]:
        """Return who sent the datagram ``at`` of the last turn, and by which address of ours."""

    def send(self, responses: Sequence[bytes | None]) -> int:
        """Send each response to the sender at its place; return how many the system did not take."""


def datagrams_of(bound: socket.socket, *, per_turn: int, asks_destination: bool) -> Datagrams:
    """Return the best way for this system.  With ``asks_destination`` the socket is bound to a wildcard."""
    if asks_destination:
        _ask_destination(bound)
    calls = _system_calls()
    if calls is None or not _are_allowed(calls, bound):
        return PlainDatagrams(bound, per_turn=per_turn, asks_destination=asks_destination)
    return BatchedDatagrams(bound, calls, per_turn=per_turn, asks_destination=asks_destination)


def _ask_destination(bound: socket.socket) -> None:
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        bound.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


class PlainDatagrams:
    """One call for each datagram."""

    def __init__(self, bound: socket.socket, *, per_turn: int, asks_destination: bool) -> None:
        self._socket = bound
        self._per_turn = range(per_turn)
        self._control_bytes = _CONTROL_BYTES if asks_destination else 0
        self._senders: list[tuple[Peer, Ancillary]] = []

    def receive(self) -> list[bytes]:
        """Return what has come."""
        packets: list[bytes] = []
        self._senders.clear()
        for _ in self._per_turn:
            try:
                packet, ancillary, _, peer = self._socket.recvmsg(QUERY_BYTES_MAX, self._control_bytes)
            except OSError:  # nothing more, or the echo of an earlier failure to send
                break
            packets.append(packet)
            self._senders.append((peer, [_by_any_way(*one) for one in ancillary]))
        return packets

    def sender(self, at: int) -> tuple[Peer, Ancillary]:
        """Return who sent the datagram ``at``."""
        return self._senders[at]

    def send(self, responses: Sequence[bytes | None]) -> int:
        """Send each response."""
        unsent = 0
        for response, (peer, ancillary) in zip(responses, self._senders, strict=True):
            if response:
                unsent += not send_one(self._socket, response, peer, ancillary)
        return unsent


def _by_any_way(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    """Return the control message that says by which address of ours, without the interface that the query came in by.

    Routes say by which one the response goes out; it is another where they are not the same both ways.  An address that
    is known on one link alone needs its interface.
    """
    if level == socket.IPPROTO_IPV6:
        is_of_link = data[:1] == _LINK_LOCAL
        return level, kind, data if is_of_link else data[:_IPV6_BYTES] + bytes(len(data) - _IPV6_BYTES)
    return level, kind, bytes(_INTERFACE_BYTES) + data[_INTERFACE_BYTES:]


def send_one(bound: socket.socket, response: bytes, peer: Peer, ancillary: Ancillary) -> bool:
    """Send ``response``; return whether the system took it."""
    try:
        bound.sendmsg([response], ancillary, 0, peer)
    except OSError:  # a full buffer, a forged address: UDP may lose it
        return False
    return True


def _system_calls() -> Any:
    """Return the C library with both calls declared; None where it lacks them, or lays messages out otherwise.

    `BatchedDatagrams` writes Linux's structures for 64 bits, as words whose lower half comes first.  Other systems have calls
    of the same names over other structures.
    """
    if sys.platform != "linux" or sys.byteorder != "little" or struct.calcsize("P") != _WORD_BYTES:
        return None
    # Neither call waits, so the interpreter need not be let go for them.
    library = ctypes.PyDLL(None)
    try:
        receive, send = library.recvmmsg, library.sendmmsg
    except AttributeError:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    receive.argtypes = [number, pointer, ctypes.c_uint, number, pointer]
    send.argtypes = [number, pointer, ctypes.c_uint, number]
    return library


def _are_allowed(calls: Any, bound: socket.socket) -> bool:
    """Whether the system lets us make both calls: a sandbox may know the older ones alone.  Nothing is received or sent."""
    fd, flags = bound.fileno(), socket.MSG_DONTWAIT
    return bool(calls.recvmmsg(fd, None, 0, flags, None) == 0 and calls.sendmmsg(fd, None, 0, flags) == 0)


# struct mmsghdr as words of 8 bytes: msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags,
# and msg_len, which the call fills in.
_WORDS: Final = 8
_NAME, _NAME_LENGTH, _IOV, _IOV_LENGTH, _CONTROL, _CONTROL_LENGTH, _FLAGS, _LENGTH = range(_WORDS)
_NAME_BYTES: Final = 32
# Not a multiple of a page: else the first lines of all slots would compete for the same lines of the cache.
_SLOT_BYTES: Final = QUERY_BYTES_MAX + 64


class BatchedDatagrams:
    """One call for all that has come, one for all responses (Linux, 64 bits)."""

    def __init__(self, bound: socket.socket, calls: Any, *, per_turn: int, asks_destination: bool) -> None:
        self._socket = bound
        self._fd = bound.fileno()
        self._receive_all, self._send_all = calls.recvmmsg, calls.sendmmsg
        self._per_turn = per_turn
        self._name_bytes = 28 if bound.family == socket.AF_INET6 else 16
        self._control_lengths = array("Q", [_CONTROL_BYTES if asks_destination else 0]) * per_turn
        self._asks_destination = asks_destination
        self._in = mmap.mmap(-1, per_turn * _SLOT_BYTES)
        self._out = bytearray(per_turn * QUERY_BYTES_MAX)
        self._names = bytearray(per_turn * _NAME_BYTES)
        self._controls = bytearray(per_turn * _CONTROL_BYTES)
        self._in_iovs, self._in_headers = self._headers(_address(self._in))
        self._out_iovs, self._out_headers = self._headers(_address(self._out))
        self._in_headers_at = self._in_headers.buffer_info()[0]
        self._out_headers_at = self._out_headers.buffer_info()[0]
        self._out_at = _address(self._out)
        self._starts = range(0, per_turn * _SLOT_BYTES, _SLOT_BYTES)
        self._count = 0

    def _headers(self, buffer_at: int) -> "tuple[array[int], array[int]]":
        """Return the iovecs and message headers of one direction; names and control messages are shared by both."""
        count = self._per_turn
        iovs = array("Q", bytes(16 * count))
        headers = array("Q", bytes(8 * _WORDS * count))
        names_at, controls_at = _address(self._names), _address(self._controls)
        for n in range(count):
            iovs[2 * n], iovs[2 * n + 1] = buffer_at + n * _SLOT_BYTES, QUERY_BYTES_MAX
            words = headers[_WORDS * n : _WORDS * (n + 1)]
            words[_NAME], words[_NAME_LENGTH] = names_at + n * _NAME_BYTES, self._name_bytes
            words[_IOV], words[_IOV_LENGTH] = iovs.buffer_info()[0] + 16 * n, 1
            words[_CONTROL] = controls_at + n * _CONTROL_BYTES if self._asks_destination else 0
            headers[_WORDS * n : _WORDS * (n + 1)] = words
        return iovs, headers

    def receive(self) -> list[bytes]:
        """Return what has come."""
        headers = self._in_headers
        if self._asks_destination:
            headers[_CONTROL_LENGTH::_WORDS] = self._control_lengths
        count = self._receive_all(self._fd, self._in_headers_at, self._per_turn, socket.MSG_DONTWAIT, None)
        if count <= 0:  # nothing, or the echo of an earlier failure to send
            self._count = 0
            return []
        self._count = count
        if self._asks_destination:
            self._forget_interfaces(count)
        data = self._in
        lengths = headers[_LENGTH : _WORDS * count : _WORDS]
        return [data[start : start + length] for start, length in zip(self._starts, lengths, strict=False)]

    def _forget_interfaces(self, count: int) -> None:
        """See `_by_any_way`; done to all at once, where responses take their control messages from."""
        controls, end = self._controls, count * _CONTROL_BYTES
        if self._name_bytes == 16:
            for at in range(_CMSG.size, _CMSG.size + _INTERFACE_BYTES):
                controls[at:end:_CONTROL_BYTES] = bytes(count)
            return
        for start in range(_CMSG.size, end, _CONTROL_BYTES):
            if controls[start : start + 1] != _LINK_LOCAL:
                at = start + _IPV6_BYTES
                controls[at : at + _INTERFACE_BYTES] = bytes(_INTERFACE_BYTES)

    def sender(self, at: int) -> tuple[Peer, Ancillary]:
        """Return who sent the datagram ``at``."""
        name = self._names[at * _NAME_BYTES : (at + 1) * _NAME_BYTES]
        port = name[2] << 8 | name[3]
        if self._name_bytes == 16:
            return (socket.inet_ntop(socket.AF_INET, name[4:8]), port), self._ancillary(at)
        scope = int.from_bytes(name[24:28], "little")
        host = socket.inet_ntop(socket.AF_INET6, name[8:24])
        return (host, port, int.from_bytes(name[4:8], "big"), scope), self._ancillary(at)

    def _ancillary(self, at: int) -> Ancillary:
        length = self._in_headers[_WORDS * at + _CONTROL_LENGTH] if self._asks_destination else 0
        if length < _CMSG.size:
            return []
        start = at * _CONTROL_BYTES
        size, level, kind = _CMSG.unpack_from(self._controls, start)
        return [(level, kind, bytes(self._controls[start + _CMSG.size : start + size]))]

    def send(self, responses: Sequence[bytes | None]) -> int:
        """Send each response: one call for each run of places that have one."""
        whole = [response or b"" for response in responses]
        joined = b"".join(whole)
        if len(joined) > len(self._out):
            return self._send_one_by_one(responses)
        self._out[: len(joined)] = joined
        count = len(whole)
        lengths = array("Q", map(len, whole))
        self._out_iovs[0 : 2 * count : 2] = array("Q", accumulate(lengths[:-1], initial=self._out_at))
        self._out_iovs[1 : 2 * count : 2] = lengths
        if self._asks_destination:
            self._out_headers[_CONTROL_LENGTH : _WORDS * count : _WORDS] = self._in_headers[
                _CONTROL_LENGTH : _WORDS * count : _WORDS
            ]
        return sum(self._send_run(start, end) for start, end in _runs(lengths))

    def _send_run(self, start: int, end: int) -> int:
        """Send the responses from ``start`` to ``end``; those that the system does not take are passed over."""
        unsent = 0
        while start < end:
            at = self._out_headers_at + 8 * _WORDS * start
            sent = self._send_all(self._fd, at, end - start, socket.MSG_DONTWAIT)
            if sent <= 0:
                unsent += 1
                sent = 1
            start += sent
        return unsent

    def _send_one_by_one(self, responses: Sequence[bytes | None]) -> int:
        return sum(
            not send_one(self._socket, response, *self.sender(at))
            for at, response in enumerate(responses)
            if response
        )


def _runs(lengths: "array[int]") -> list[tuple[int, int]]:
    """Return the longest runs of places whose length is not 0."""
    if 0 not in lengths:
        return [(0, len(lengths))]
    runs = []
    start = None
    for at, length in enumerate((*lengths, 0)):
        if length and start is None:
            start = at
        elif not length and start is not None:
            runs.append((start, at))
            start = None
    return runs


def _address(buffer: Any) -> int:
    """Return where a writable buffer lies in memory."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
