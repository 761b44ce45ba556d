"""Our OPT record and the options in it (RFC 6891, RFC 8914)."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fairlead.dns.message import RECORD, Type

OPT_BYTES: Final = 11
"""An OPT record without options."""

_OPTION: Final = struct.Struct("!HH")


class OptionCode(IntEnum):
    """Options that this server knows (IANA, DNS EDNS0 Option Codes)."""

    NSID = 3
    CLIENT_SUBNET = 8
    COOKIE = 10
    TCP_KEEPALIVE = 11
    PADDING = 12
    EXTENDED_ERROR = 15


class EdeCode(IntEnum):
    """Reasons that an answer can give (RFC 8914, section 4)."""

    OTHER = 0
    STALE_ANSWER = 3
    PROHIBITED = 18
    STALE_NXDOMAIN_ANSWER = 19
    NOT_AUTHORITATIVE = 20
    NO_REACHABLE_AUTHORITY = 22
    INVALID_QUERY_TYPE = 30  # RFC 9824, section 9


@dataclass(frozen=True, slots=True)
class Ede:
    """An extended error: a code, and a text for people that may be empty."""

    code: int
    text: str = ""

    def to_option(self) -> bytes:
        """Return the option."""
        return option(OptionCode.EXTENDED_ERROR, struct.pack("!H", self.code) + self.text.encode())


def option(code: int, data: bytes) -> bytes:
    """Return one option in wire form."""
    return _OPTION.pack(code, len(data)) + data


def opt_record(*, udp_bytes_max: int, flags: int = 0, rcode: int = 0, options: Iterable[bytes] = ()) -> bytes:
    """Return our OPT record with ``flags``; ``rcode`` gives its upper 8 bits (RFC 6891, section 6.1.3)."""
    data = b"".join(options)
    ttl = (rcode >> 4) << 24 | flags
    return b"\0" + RECORD.pack(Type.OPT, udp_bytes_max, ttl, len(data)) + data
