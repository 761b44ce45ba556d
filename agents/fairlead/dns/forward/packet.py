"""Questions to upstreams, and their answers taken apart (RFC 1035 section 4, RFC 5452, RFC 6891).

An answer is kept as the bytes after its question.  The pointers in them stay right, because our own answer has a question of
the same length; only the TTLs are patched.  The OPT record is between two servers only, and is cut off.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fairlead.dns.errors import MessageError
from fairlead.dns.forward.errors import BadResponseError, WrongCaseError
from fairlead.dns.message import (
    CD,
    DO,
    HEADER,
    HEADER_BYTES,
    QR,
    RD,
    RECORD,
    TC,
    Class,
    Rcode,
    Type,
    name_at,
    skip_name,
)
from fairlead.dns.names import Name

LOOP_OPTION: Final = 65011
"""An EDNS option that says who forwarded this already; SkyDNS's number for stub zones, from the range for local use."""

_TTL_AT: Final = 4  # in what follows a record's owner
_SOA_TIMERS_BYTES: Final = 20
_SECTIONS: Final = range(3)
_ANSWER, _AUTHORITY, _ADDITIONAL = _SECTIONS
_ADDRESS_BYTES: Final[dict[int, int]] = {Type.A: 4, Type.AAAA: 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        name: in lower case.
        qtype: any type that may be asked for.
        dnssec_ok: whether signatures are wanted (DO).
        checking_disabled: whether the upstream shall not validate (CD).
    """

    name: Name
    qtype: int
    dnssec_ok: bool = False
    checking_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An upstream's answer.

    Attributes:
        rcode: with the upper bits of OPT.
        is_truncated: TC: there is more over TCP.
        is_authentic: AD: the upstream has validated it.
        body: what follows the question, without OPT.
        counts: records in the answer, authority and additional sections.
        ttls: for each record, where in ``body`` its TTL is, and what it says.
        ttl_s: how long the answer may be kept; 0: not at all.
    """

    rcode: int
    is_truncated: bool
    is_authentic: bool
    body: bytes
    counts: tuple[int, int, int]
    ttls: tuple[tuple[int, int], ...]
    ttl_s: int

    def aged(self, age_s: int, *, ttl_s_max: int) -> bytes:
        """Return the body after ``age_s`` seconds, no TTL above ``ttl_s_max``."""
        body = bytearray(self.body)
        for at, ttl_s in self.ttls:
            body[at : at + 4] = max(0, min(ttl_s - age_s, ttl_s_max)).to_bytes(4, "big")
        return bytes(body)


def scramble(name: Name, bits: int) -> Name:
    """Return ``name`` with the case of its letters taken from ``bits``: a forger must guess them too ("0x20")."""
    out = bytearray(name)
    for at, byte in enumerate(out):
        # A length byte is below 64, and so is never a letter.
        if 0x61 <= byte <= 0x7A:
            if bits & 1:
                out[at] = byte ^ 0x20
            bits >>= 1
    return bytes(out)


def question_bytes(question: Question, *, case_bits: int = 0) -> bytes:
    """Return the question section, its letters spelled by ``case_bits``."""
    return scramble(question.name, case_bits) + struct.pack("!HH", question.qtype, Class.IN)


def query_packet(question: Question, asked: bytes, *, ident: int, udp_bytes_max: int, token: bytes) -> bytes:
    """Return the query for an upstream.

    Args:
        question: what is asked.
        asked: its bytes, by `question_bytes`.
        ident: 16 random bits.
        udp_bytes_max: what the upstream may send in one datagram; 0 leaves OPT out, for servers that know no EDNS.
        token: who we are, for `LOOP_OPTION`; empty: not said.
    """
    flags = RD | (CD if question.checking_disabled else 0)
    head = HEADER.pack(ident, flags, 1, 0, 0, int(udp_bytes_max > 0))
    if not udp_bytes_max:
        return head + asked
    option = struct.pack("!HH", LOOP_OPTION, len(token)) + token if token else b""
    do = DO if question.dnssec_ok else 0
    return head + asked + b"\0" + RECORD.pack(Type.OPT, udp_bytes_max, do, len(option)) + option


def parse_response(packet: bytes, *, asked: bytes, ident: int) -> Response:
    """Return what ``packet`` says, if it is an answer to the question ``asked`` under ``ident``.

    Raises:
        WrongCaseError: it is, but for the case of its letters.
        BadResponseError: it is not, or it is malformed.
    """
    if len(packet) < HEADER_BYTES:
        raise BadResponseError("shorter than a header")
    found, flags, questions, *counts = HEADER.unpack_from(packet)
    if found != ident or not flags & QR or flags & 0x7800 or questions != 1:
        raise BadResponseError("not an answer to our query")
    echoed = packet[HEADER_BYTES : HEADER_BYTES + len(asked)]
    if echoed != asked:
        if echoed[:-4].lower() + echoed[-4:] == asked[:-4].lower() + asked[-4:]:
            raise WrongCaseError("an answer to our question in another spelling")
        raise BadResponseError("an answer to another question")
    try:
        return _taken_apart(packet, flags=flags, counts=tuple(counts), start=HEADER_BYTES + len(asked))
    except MessageError as error:
        raise BadResponseError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Raw:
    section: int
    start: int
    fixed: int
    rtype: int
    rclass: int
    ttl_s: int
    data: int
    end: int


def _walk(packet: bytes, start: int, counts: tuple[int, ...]) -> Iterator[_Raw]:
    at = start
    for section, count in zip(_SECTIONS, counts, strict=True):
        for _ in range(count):
            begin, at = at, skip_name(packet, at)
            if at + RECORD.size > len(packet):
                raise BadResponseError("a record is cut short")
            rtype, rclass, ttl_s, length = RECORD.unpack_from(packet, at)
            data = at + RECORD.size
            if data + length > len(packet):
                raise BadResponseError("a record's data is cut short")
            # RFC 2181, section 8: a TTL with the highest bit set is 0.
            yield _Raw(section, begin, at, rtype, rclass, 0 if ttl_s >> 31 else ttl_s, data, data + length)
            at = data + length


def _taken_apart(packet: bytes, *, flags: int, counts: tuple[int, ...], start: int) -> Response:
    rcode, end = flags & 0xF, start
    kept = [0, 0, 0]
    ttls: list[tuple[int, int]] = []
    answer_ttls: list[int] = []
    negative_ttl_s: int | None = None
    for raw in _walk(packet, start, counts):
        if raw.rtype == Type.OPT:
            if raw.section == _ADDITIONAL:
                rcode |= packet[raw.fixed + _TTL_AT] << 4
                break  # what comes behind it is for us alone (TSIG), and pointers into it would be wrong
            raise BadResponseError("OPT outside the additional section")
        kept[raw.section] += 1
        ttls.append((raw.fixed + _TTL_AT - start, raw.ttl_s))
        end = raw.end
        if raw.section == _ANSWER:
            answer_ttls.append(raw.ttl_s)
        elif raw.section == _AUTHORITY and raw.rtype == Type.SOA and raw.end - raw.data >= _SOA_TIMERS_BYTES:
            minimum_s = int.from_bytes(packet[raw.end - 4 : raw.end], "big")
            negative_ttl_s = min(raw.ttl_s, minimum_s)
    return Response(
        rcode=rcode,
        is_truncated=bool(flags & TC),
        is_authentic=bool(flags & 0x0020),
        body=packet[start:end],
        counts=(kept[0], kept[1], kept[2]),
        ttls=tuple(ttls),
        ttl_s=_ttl_s(rcode, answer_ttls, negative_ttl_s=negative_ttl_s),
    )


def _ttl_s(rcode: int, answer_ttls: list[int], *, negative_ttl_s: int | None) -> int:
    """How long an answer may be kept: by its records, and a "no" by the SOA that comes along (RFC 2308, section 5)."""
    if rcode == Rcode.NXDOMAIN or (rcode == Rcode.NOERROR and not answer_ttls):
        return min([*answer_ttls, negative_ttl_s or 0])
    if rcode == Rcode.NOERROR:
        # CNAMEs that end in no data bring the SOA along.
        return min(answer_ttls if negative_ttl_s is None else [*answer_ttls, negative_ttl_s])
    return 0


def chain(response: Response, question: Question) -> list[tuple[Name, int, int, bytes]]:
    """Return the CNAMEs from the question's name on, and the records of its type that they lead to, in order.

    Each is owner, type, TTL in seconds, data.  Records of other names, which nobody asked for, are not among them.

    Raises:
        BadResponseError: the answer is malformed.
    """
    try:
        return _chain(response, question)
    except MessageError as error:
        raise BadResponseError(str(error)) from error


def _chain(response: Response, question: Question) -> list[tuple[Name, int, int, bytes]]:
    # The offsets of pointers count from the header on.
    asked = question_bytes(question)
    packet = bytes(HEADER_BYTES) + asked + response.body
    aliases: dict[Name, tuple[int, Name]] = {}
    data: dict[Name, list[tuple[int, bytes]]] = {}
    for raw in _walk(packet, HEADER_BYTES + len(asked), (response.counts[0], 0, 0)):
        owner, _ = name_at(packet, raw.start)
        if raw.rtype == Type.CNAME:
            aliases[owner] = (raw.ttl_s, name_at(packet, raw.data)[0])
        elif raw.rtype == question.qtype and raw.end - raw.data == _ADDRESS_BYTES.get(
            raw.rtype, raw.end - raw.data
        ):
            data.setdefault(owner, []).append((raw.ttl_s, packet[raw.data : raw.end]))
    found: list[tuple[Name, int, int, bytes]] = []
    name = question.name
    while name in aliases:
        ttl_s, target = aliases.pop(name)
        found.append((name, int(Type.CNAME), ttl_s, target))
        name = target
    found += [(name, question.qtype, ttl_s, rdata) for ttl_s, rdata in data.get(name, ())]
    return found
