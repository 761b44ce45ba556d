"""The PROXY protocol, versions 1 and 2, both ways: who a connection really comes from.

Sans-IO.  Source: haproxy, doc/proxy-protocol.txt.
"""

import ipaddress
import socket
import struct
from dataclasses import dataclass

from fairlead.proxy.errors import ProxyError

V1_BYTES_MAX = 107
V2_BYTES_MAX = 16 + 2048
"""With its TLVs; the protocol allows 64 KiB, which nobody needs."""
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FAMILIES = {0x11: (4, "!4s4sHH"), 0x21: (16, "!16s16sHH")}


class ProxyHeaderError(ProxyError):
    """What came is no PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a header says.

    Attributes:
        size_bytes: of the header; what follows it is the connection's own.
        source, destination: address and port; None: it says nothing about them (LOCAL, UNKNOWN).
    """

    size_bytes: int
    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None


def read_header(data: bytes) -> ProxyHeader | None:
    """Return the header that ``data`` begins with, or None when there must be more of it.

    Raises:
        ProxyHeaderError: it begins with something else, or the header is malformed or too long.
    """
    if data.startswith(_SIGNATURE):
        return _read_v2(data)
    if _SIGNATURE.startswith(data) or b"PROXY ".startswith(data[:6]):
        if not data.startswith(b"PROXY "):
            return None
        return _read_v1(data)
    raise ProxyHeaderError("a connection without a PROXY header")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, V1_BYTES_MAX)
    if end < 0:
        if len(data) >= V1_BYTES_MAX:
            raise ProxyHeaderError("a PROXY line without end")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(end + 2)
    if len(words) != 6 or words[1] not in {b"TCP4", b"TCP6"}:
        raise ProxyHeaderError("a malformed PROXY line")
    version = 4 if words[1] == b"TCP4" else 6
    source, destination = (_address(word, version) for word in words[2:4])
    return ProxyHeader(end + 2, (source, _port(words[4])), (destination, _port(words[5])))


def _address(word: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(word.decode("ascii"))
    except ValueError as error:
        raise ProxyHeaderError("a PROXY line with a malformed address") from error
    if address.version != version:
        raise ProxyHeaderError("a PROXY line with an address of another family")
    return str(address)


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65535 or (word[0] == ord("0") and len(word) > 1):
        raise ProxyHeaderError("a PROXY line with a malformed port")
    return int(word)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    version_command, family, length = struct.unpack_from("!BBH", data, 12)
    size = 16 + length
    if version_command not in {0x20, 0x21} or size > V2_BYTES_MAX:
        raise ProxyHeaderError("a malformed PROXY header")
    if len(data) < size:
        return None
    if version_command == 0x20 or family not in _FAMILIES:
        return ProxyHeader(size)
    width, layout = _FAMILIES[family]
    if length < 2 * width + 4:
        raise ProxyHeaderError("a PROXY header that is too short for its addresses")
    source, destination, source_port, destination_port = struct.unpack_from(layout, data, 16)
    kind = socket.AF_INET if width == 4 else socket.AF_INET6
    return ProxyHeader(
        size,
        (socket.inet_ntop(kind, source), source_port),
        (socket.inet_ntop(kind, destination), destination_port),
    )


def write_header(version: int, source: tuple[str, int] | None, destination: tuple[str, int] | None) -> bytes:
    """Return a header of ``version`` 1 or 2; addresses of two families, or none, are left unsaid."""
    try:
        ends = [(ipaddress.ip_address(end[0]), end[1]) for end in (source, destination) if end is not None]
    except ValueError:
        ends = []
    is_known = len(ends) == 2 and ends[0][0].version == ends[1][0].version
    if version == 1:
        if not is_known:
            return b"PROXY UNKNOWN\r\n"
        (a, a_port), (b, b_port) = ends
        return f"PROXY TCP{a.version} {a} {b} {a_port} {b_port}\r\n".encode()
    if not is_known:
        return _SIGNATURE + b"\x20\x00\x00\x00"
    (a, a_port), (b, b_port) = ends
    family = 0x11 if a.version == 4 else 0x21
    body = a.packed + b.packed + struct.pack("!HH", a_port, b_port)
    return _SIGNATURE + struct.pack("!BBH", 0x21, family, len(body)) + body
