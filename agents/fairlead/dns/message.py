"""Queries from bytes, and the fixed parts of responses to bytes (RFC 1035 section 4, RFC 6891).

Whatever bytes come in, the outcome is a `Query`, a `MessageError` that names the response code, or "no answer at all".
"""

import contextlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from fairlead.dns.errors import MessageError
from fairlead.dns.names import LABEL_BYTES_MAX, NAME_BYTES_MAX, ROOT, Name

HEADER_BYTES: Final = 12
UDP_BYTES_MIN: Final = 512
TCP_BYTES_MAX: Final = 65535
TTL_S_MAX: Final = 2**31 - 1  # RFC 2181, section 8

# The second word of the header (RFC 1035, section 4.1.1; RFC 4035, section 3).
QR: Final = 0x8000
OPCODE: Final = 0x7800
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
CD: Final = 0x0010

# The flags of OPT, the lower half of its TTL (RFC 6891, section 6.1.4).
DO: Final = 0x8000  # "DNSSEC OK" (RFC 3225)
CO: Final = 0x4000  # "compact answers OK" (RFC 9824, section 5.1)

HEADER: Final = struct.Struct("!HHHHHH")
"""Id, flags, and how many records each of the four sections has (RFC 1035, section 4.1.1)."""

RECORD: Final = struct.Struct("!HHIH")
"""What stands between a record's owner and its data: type, class, TTL, length of the data (section 4.1.3)."""

_OPTION = struct.Struct("!HH")  # code, length of data
_POINTER = 0xC0


class Rcode(IntEnum):
    """Response codes (RFC 1035 section 4.1.1, RFC 6891 section 9, RFC 7873 section 8)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    NOTAUTH = 9
    BADVERS = 16
    BADCOOKIE = 23


class TsigError(IntEnum):
    """What a TSIG record can say of the one that it answers (RFC 8945, section 3)."""

    BADSIG = 16
    BADKEY = 17
    BADTIME = 18
    BADTRUNC = 22


class Type(IntEnum):
    """Record and question types that this server knows by name."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    HINFO = 13
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    OPT = 41
    DS = 43
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    CDS = 59
    CDNSKEY = 60
    SVCB = 64
    HTTPS = 65
    NXNAME = 128
    TKEY = 249
    TSIG = 250
    IXFR = 251
    AXFR = 252
    MAILB = 253
    MAILA = 254
    ANY = 255
    CAA = 257


class Opcode(IntEnum):
    """Kinds of query (RFC 1035 section 4.1.1, RFC 1996, RFC 2136)."""

    QUERY = 0
    NOTIFY = 4
    UPDATE = 5


class Class(IntEnum):
    """Classes that this server knows by name."""

    IN = 1
    CH = 3
    ANY = 255


@dataclass(frozen=True, slots=True)
class Edns:
    """What a query's OPT record says (RFC 6891, section 6.1).

    Attributes:
        udp_bytes_max: the client's limit, not yet clamped.
        version: 0 is the only one there is.
        flags: DO, CO, and bits that nobody has given a meaning yet.
        options: code to data; of an option that comes twice, the last.  Of another version than 0 they are not read.
    """

    udp_bytes_max: int
    version: int
    flags: int
    options: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """A well-formed query with one question.

    Attributes:
        packet: the query as it came.
        flags: the second word of the header.
        question: the question as sent: name, type and class, to be echoed byte for byte.
        name: the question's name in lower case.
        qtype: any 16-bit number.
        qclass: any 16-bit number.
        edns: None when the query has no OPT record.
    """

    packet: bytes
    flags: int
    question: bytes
    name: Name
    qtype: int
    qclass: int
    edns: Edns | None

    @property
    def dnssec_ok(self) -> bool:
        """Whether the client wants signatures (RFC 3225)."""
        return self.edns is not None and bool(self.edns.flags & DO)

    @property
    def compact_ok(self) -> bool:
        """Whether the client takes NXDOMAIN with a compact denial (RFC 9824)."""
        return self.edns is not None and bool(self.edns.flags & CO)

    @property
    def recursion_desired(self) -> bool:
        """The RD bit."""
        return bool(self.flags & RD)


def is_answerable(packet: bytes) -> bool:
    """Whether ``packet`` may be answered: a response never is, or two servers would talk for ever."""
    return len(packet) >= HEADER_BYTES and not packet[2] & 0x80


def parse_query(packet: bytes) -> Query:
    """Return the query in ``packet``, of which `is_answerable` holds, whatever its opcode.

    Records of other kinds than OPT and bytes after the last record are tolerated.

    Raises:
        MessageError: FORMERR.
    """
    _, flags, questions, answers, authorities, additionals = HEADER.unpack_from(packet)
    if questions != 1:
        # RFC 9619, section 4: "QDCOUNT [...] MUST NOT be greater than 1"; 0 asks nothing.
        raise MessageError(Rcode.FORMERR, "not one question")
    end = _question_name_end(packet)
    if end + 4 > len(packet):
        raise MessageError(Rcode.FORMERR, "the question is cut short")
    edns = None
    if answers or authorities or additionals:
        edns = _find_edns(packet, end + 4, skipped=answers + authorities, additionals=additionals)
    return Query(
        packet=packet,
        flags=flags,
        question=packet[HEADER_BYTES : end + 4],
        name=packet[HEADER_BYTES:end].lower(),
        qtype=packet[end] << 8 | packet[end + 1],
        qclass=packet[end + 2] << 8 | packet[end + 3],
        edns=edns,
    )


def error_response(packet: bytes, rcode: int) -> bytes:
    """Return a response without records to ``packet``, of which nothing is known: id, opcode, RD and CD are copied.

    So is the question, if there is a sound one.
    """
    flags = int.from_bytes(packet[2:4], "big") & (OPCODE | RD | CD) | QR | rcode
    question = b""
    if packet[4:6] == b"\0\1":
        with contextlib.suppress(MessageError):
            end = _question_name_end(packet) + 4
            question = packet[HEADER_BYTES:end] if end <= len(packet) else b""
    counts = bytes((0, bool(question))) + bytes(6)
    return packet[:2] + flags.to_bytes(2, "big") + counts + question


def cacheable_for_s(response: bytes) -> int:
    """Return for how long ``response``, one of ours, may be kept: its least TTL; 0 for one without records."""
    _, _, _, answers, authorities, _ = HEADER.unpack_from(response)
    if not answers and not authorities:
        return 0
    at = _question_name_end(response) + 4
    ttls: list[int] = []
    for _ in range(answers + authorities):
        at = skip_name(response, at)
        _, _, ttl_s, length = RECORD.unpack_from(response, at)
        ttls.append(ttl_s)
        at += RECORD.size + length
    return min(ttls)


def may_be_signed(packet: bytes) -> bool:
    """Whether it is worth `find_tsig`: type TSIG and class ANY stand somewhere."""
    return b"\x00\xfa\x00\xff" in packet


def find_tsig(packet: bytes) -> int | None:
    """Return where the TSIG record begins, which must be the last of ``packet`` (RFC 8945, section 5.1); None without one.

    Raises:
        MessageError: FORMERR.
    """
    if len(packet) < HEADER_BYTES:
        return None
    _, _, questions, *counts = HEADER.unpack_from(packet)
    at = HEADER_BYTES
    for _ in range(questions):
        at = skip_name(packet, at) + 4
    start, rtype = at, 0
    for _ in range(sum(counts)):
        if rtype == Type.TSIG:
            raise MessageError(Rcode.FORMERR, "a signature that is not the last record")
        start = at
        at = skip_name(packet, at)
        if at + RECORD.size > len(packet):
            raise MessageError(Rcode.FORMERR, "a record is cut short")
        rtype, _, _, length = RECORD.unpack_from(packet, at)
        at += RECORD.size + length
    if rtype != Type.TSIG or not counts[2]:
        return None
    if at != len(packet):
        raise MessageError(Rcode.FORMERR, "a signature that is cut short, or not the end")
    return start


def name_at(packet: bytes, start: int) -> tuple[Name, int]:
    """Return the name at ``start`` in lower case, its pointers followed, and the offset after it.

    Raises:
        MessageError: FORMERR, there is no name: each pointer must point before the last, or it would be a circle.
    """
    parts: list[bytes] = []
    at, limit, size, end = start, start, 0, 0
    try:
        while length := packet[at]:
            if length >= _POINTER:
                end = end or at + 2
                at = (length & 0x3F) << 8 | packet[at + 1]
                if not HEADER_BYTES <= at < limit:
                    raise MessageError(Rcode.FORMERR, "a pointer does not point backwards")
                limit = at
                continue
            label = packet[at : at + 1 + length]
            size += len(label)
            if length > LABEL_BYTES_MAX or size >= NAME_BYTES_MAX or len(label) <= length:
                raise MessageError(Rcode.FORMERR, "no such name")
            parts.append(label.lower())
            at += 1 + length
    except IndexError:
        raise MessageError(Rcode.FORMERR, "a name is cut short") from None
    return b"".join(parts) + ROOT, end or at + 1


def _question_name_end(packet: bytes) -> int:
    """Return the offset after the question's name.

    A pointer cannot stand here: there is nothing before it to point to.
    """
    at = HEADER_BYTES
    try:
        while length := packet[at]:
            if length > LABEL_BYTES_MAX:
                raise MessageError(Rcode.FORMERR, "no such label in a question")
            at += length + 1
    except IndexError:
        raise MessageError(Rcode.FORMERR, "the name is cut short") from None
    if at + 1 - HEADER_BYTES > NAME_BYTES_MAX:
        raise MessageError(Rcode.FORMERR, "the name is too long")
    return at + 1


def skip_name(packet: bytes, start: int) -> int:
    """Return the offset after the name at ``start``, whose pointer, if any, must point backwards.

    Raises:
        MessageError: FORMERR.
    """
    at = start
    try:
        while length := packet[at]:
            if length >= _POINTER:
                if (length << 8 | packet[at + 1]) & 0x3FFF >= start:
                    raise MessageError(Rcode.FORMERR, "a pointer does not point backwards")
                return at + 2
            if length > LABEL_BYTES_MAX or at + 1 + length - start >= NAME_BYTES_MAX:
                raise MessageError(Rcode.FORMERR, "no such label")
            at += length + 1
    except IndexError:
        raise MessageError(Rcode.FORMERR, "a name is cut short") from None
    return at + 1


def _find_edns(packet: bytes, at: int, *, skipped: int, additionals: int) -> Edns | None:
    edns = None
    for number in range(skipped + additionals):
        owner = at
        at = skip_name(packet, at)
        if at + RECORD.size > len(packet):
            raise MessageError(Rcode.FORMERR, "a record is cut short")
        rtype, rclass, ttl, length = RECORD.unpack_from(packet, at)
        at += RECORD.size + length
        if at > len(packet):
            raise MessageError(Rcode.FORMERR, "a record's data is cut short")
        if rtype != Type.OPT or number < skipped:
            continue
        # RFC 6891, section 6.1.1: "If a query message with more than one OPT RR is received, a FORMERR
        # (RCODE=1) MUST be returned"; 6.1.2: the owner "MUST be 0 (root domain)".
        if edns is not None or packet[owner]:
            raise MessageError(Rcode.FORMERR, "a second OPT record, or one with an owner")
        version = ttl >> 16 & 0xFF
        options = _options(packet[at - length : at]) if length and not version else {}
        edns = Edns(udp_bytes_max=rclass, version=version, flags=ttl & 0xFFFF, options=options)
    return edns


def _options(data: bytes) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + _OPTION.size > len(data):
            raise MessageError(Rcode.FORMERR, "an option is cut short")
        code, length = _OPTION.unpack_from(data, at)
        at += _OPTION.size + length
        if at > len(data):
            raise MessageError(Rcode.FORMERR, "an option's data is cut short")
        options[code] = data[at - length : at]
    return options
