"""RRsets to bytes, and the choice of what fits (RFC 1035 section 4.1, RFC 2181 section 9).

The only pointers written are into the question, which always begins at the same offset.  A compiled body is therefore right
after any spelling of its question, and answers it in the spelling that was asked ("0x20").  Names inside record data are
never compressed: RFC 3597 forbids it for SRV, and elsewhere the gain is small.
"""

import struct
from dataclasses import dataclass
from functools import partial
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRset
from fairlead.dns.choose.turns import TURNS_MAX, weighted_turns
from fairlead.dns.message import HEADER_BYTES, RECORD, TTL_S_MAX, Class, Type
from fairlead.dns.names import Name

ROTATIONS_MAX: Final = 8
"""Orders in which one answer is kept ready."""

ROTATED_BYTES_MAX: Final = 16384
"""Bodies larger than this share of memory are kept in fewer orders."""

ALL: Final = 1 << 30
"""As a bound of records: none."""

_SUBSETS_MAX: Final = 64
"""Subsets of one large pool that are sent by turns."""

_TEXT_CHUNK_BYTES_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes after the question, in each of the orders they are sent in.

    Attributes:
        bodies: at least one.
        answers: records in the answer section.
        authorities: records in the authority section.
        additionals: records in the additional section, OPT not counted.
        is_truncated: an RRset that was required did not fit.
    """

    bodies: tuple[bytes, ...]
    answers: int
    authorities: int
    additionals: int
    is_truncated: bool


class Sections:
    """The records of one answer in wire form, ready to be laid out for any size.

    Args:
        question_name: in lower case.
        answer: what to encode.
        ttl_s_max: no record may be remembered for longer.
    """

    def __init__(self, question_name: Name, answer: Answer, *, ttl_s_max: int = TTL_S_MAX) -> None:
        pointers = pointers_into(question_name)
        encoded = partial(encode, pointers=pointers, ttl_s_max=ttl_s_max)
        self._answer = [encoded(rrset) for rrset in answer.answer]
        self._firsts = [_firsts_of(rrset) for rrset in answer.answer]
        # A name has one CNAME, whatever the keys say (RFC 2181, section 10.1); in the answer it is chosen by turns.
        self._takes = [1 if rrset.rtype == Type.CNAME else ALL for rrset in answer.answer]
        # A signature is of a whole RRset.
        self._is_signed = any(rrset.rtype == Type.RRSIG for rrset in answer.answer)
        self.records_max = 0 if self._is_signed else max(map(len, self._answer), default=0)
        # Turns are an operator's choice; without them every client is told the same.
        self._is_rotated = answer.zone is None or answer.zone.settings.is_rotated
        self._authority = [encoded(rrset) for rrset in answer.authority]
        self._glue = [encoded(rrset) for rrset in answer.glue]
        self._additional = [
            encoded(rrset)[: 1 if rrset.rtype == Type.CNAME else None] for rrset in answer.additional
        ]

    def lay_out(self, room: int, answers_max: int = ALL) -> Layout:
        """Return what fits into ``room`` bytes after the question.

        What does not fit goes in this order: additional RRsets, without a word; then glue, authority, and RRsets of the
        answer from the last, with TC (RFC 2181, section 9: "the entire RRset [...] left out, and the reply sent as is,
        with the TC bit"; RFC 9471 for glue).

        Args:
            room: in bytes.
            answers_max: of an RRset with more records, or one that does not fit, so many of them are sent by turns, fewer
                where there is no room, and no TC: a client that wants one of a pool has it.  ALL: RRsets stay whole.
        """
        kept: list[list[bytes]] = []
        takes: list[int] = []
        for records, most in zip(self._answer, self._takes, strict=True):
            largest = max(map(len, records))
            take = min(most, len(records))
            if answers_max != ALL and not self._is_signed:
                take = max(min(take, answers_max, room // largest), 1)
            size = sum(map(len, records)) if take == len(records) else take * largest
            if size > room:
                break
            room -= size
            kept.append(records)
            takes.append(take)
        is_truncated = len(kept) < len(self._answer)
        authority, room, is_truncated = _fill(self._authority, room, is_full=is_truncated)
        glue, room, is_truncated = _fill(self._glue, room, is_full=is_truncated)
        for records in self._additional if not is_truncated else ():
            size = sum(map(len, records))
            if size <= room:
                room -= size
                glue += records
        orders = _orders(kept, takes, self._firsts, is_rotated=self._is_rotated)
        tail = b"".join(authority) + b"".join(glue)
        return Layout(
            bodies=tuple(b"".join(order) + tail for order in orders),
            answers=len(orders[0]),
            authorities=len(authority),
            additionals=len(glue),
            is_truncated=is_truncated,
        )


def _fill(rrsets: list[list[bytes]], room: int, *, is_full: bool) -> tuple[list[bytes], int, bool]:
    """Return the records of the RRsets that fit, the room that is left, and whether something was left out."""
    records: list[bytes] = []
    for rrset in rrsets:
        size = sum(map(len, rrset))
        is_full = is_full or size > room
        if is_full:
            break
        room -= size
        records += rrset
    return records, room, is_full


def split_text(text: bytes) -> bytes:
    """Return ``text`` as TXT data: character strings of at most 255 bytes (RFC 1035, section 3.3)."""
    size = _TEXT_CHUNK_BYTES_MAX
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    return b"".join(bytes((len(chunk),)) + chunk for chunk in chunks or [b""])


def srv_data(priority: int, share: int, port: int, target: Name) -> bytes:
    """Return the data of an SRV record; a port of -1 is none (RFC 2782)."""
    return struct.pack("!HHH", priority, share, max(port, 0)) + target


def _firsts_of(rrset: RRset) -> list[int]:
    """Return which record comes first in each turn, as the weights say."""
    return weighted_turns(rrset.weights) if rrset.weights else list(range(len(rrset.rdatas)))


def _orders(
    rrsets: list[list[bytes]], takes: list[int], firsts: list[list[int]], *, is_rotated: bool
) -> list[list[bytes]]:
    """Return the records in some turns: each RRset turns in itself, and RRsets keep their places.

    That keeps CNAMEs before what they lead to, without which some resolvers of the C library give up.
    """
    firsts = firsts[: len(rrsets)]
    turns = max(map(len, firsts), default=1)
    are_all_sent = all(take == len(records) for records, take in zip(rrsets, takes, strict=True))
    is_weighted = any(len(set(first)) < len(first) for first in firsts)
    size = sum(max(map(len, records)) * take for records, take in zip(rrsets, takes, strict=True))
    orders_max = (ROTATIONS_MAX if is_rotated else 1) if are_all_sent else _SUBSETS_MAX
    if is_weighted and is_rotated:
        orders_max = TURNS_MAX
    count = max(1, min(turns, orders_max, ROTATED_BYTES_MAX // max(size, 1)))
    return [
        [
            record
            for records, take, first in zip(rrsets, takes, firsts, strict=True)
            for record in _turned(records, first[turn * turns // count % len(first)])[:take]
        ]
        for turn in range(count)
    ]


def _turned(records: list[bytes], by: int) -> list[bytes]:
    at = by % len(records)
    return records[at:] + records[:at]


def encode(rrset: RRset, pointers: dict[Name, bytes], ttl_s_max: int = TTL_S_MAX) -> list[bytes]:
    """Return the records of ``rrset`` in wire form, each with its owner cut short by one of ``pointers``."""
    owner = _compress(rrset.owner, pointers)
    rtype, ttl_s = rrset.rtype, min(rrset.ttl_s, ttl_s_max)
    return [owner + RECORD.pack(rtype, Class.IN, ttl_s, len(rdata)) + rdata for rdata in rrset.rdatas]


def pointers_into(question_name: Name) -> dict[Name, bytes]:
    """Return, for each name that the question's name ends in, the pointer to it."""
    end = HEADER_BYTES + len(question_name)
    return {
        suffix: struct.pack("!H", 0xC000 | end - len(suffix))
        for suffix in names.suffixes(question_name)
        if suffix != names.ROOT
    }


def _compress(name: Name, pointers: dict[Name, bytes]) -> bytes:
    for suffix in names.suffixes(name):
        if suffix in pointers:
            return name[: len(name) - len(suffix)] + pointers[suffix]
    return name
