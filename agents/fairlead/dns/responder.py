"""A packet in, a packet out: the rules of the protocol, and the path that most queries take.

The common query is answered by three dictionary look-ups and one concatenation: its header and its OPT record are of a few
kinds, and its question is in the table.  Everything else is parsed, and given its answer or its error.
"""

from typing import Final

from fairlead.dns import message
from fairlead.dns.chaos import Chaos
from fairlead.dns.errors import MessageError
from fairlead.dns.limits import Limits
from fairlead.dns.message import AA, CD, HEADER_BYTES, QR, RD, Class, Query, Rcode, Type
from fairlead.dns.semantics import answer_question
from fairlead.dns.table import Entry, Table, heads_of, variant
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones

_REFUSED_TYPES: Final[dict[int, Rcode]] = {
    0: Rcode.FORMERR,
    Type.OPT: Rcode.FORMERR,  # RFC 6891, section 6.1.1: a pseudo-type is in no question
    Type.TSIG: Rcode.FORMERR,
    Type.TKEY: Rcode.NOTIMP,
    Type.IXFR: Rcode.REFUSED,  # zone transfers are not served
    Type.AXFR: Rcode.REFUSED,
    Type.MAILB: Rcode.NOTIMP,
    Type.MAILA: Rcode.NOTIMP,
}

_AD: Final = 0x0020
_OPTS_MAX: Final = 1024

_Tails = dict[bytes, tuple[int, bytes]]
"""What follows a question, to: the bytes that a response may have without OPT, and the OPT record it ends in."""


class Responder:
    """Answers packets.  Counters are plain numbers, read by whoever exports them."""

    def __init__(self, *, tree: Tree, zones: Zones, table: Table, chaos: Chaos, limits: Limits) -> None:
        self._tree = tree
        self._zones = zones
        self._table = table
        self._chaos = chaos
        self._limits = limits
        self._entries = table.entries
        self._opts: _Tails = {}
        self._headers = _common_headers(self._opts)
        self.answered_from_table = 0
        self.rcodes: dict[int, int] = {}
        self.truncated = 0

    def respond(self, packet: bytes) -> bytes | None:
        """Return the response to a UDP ``packet``; None when it deserves none."""
        # The first zero byte ends the name, unless a label holds one: then the look-up misses, and parsing decides.
        end = packet.find(0, HEADER_BYTES) + 5
        header = self._headers.get(packet[2:HEADER_BYTES])
        if header is not None:
            tail = header[1].get(packet[end:])
            if tail is not None:
                question = packet[HEADER_BYTES:end]
                entry = self._entries.get(question)
                if entry is None:
                    entry = self._entries.get(question[:-4].lower() + question[-4:])
                if entry is not None and entry.size <= tail[0]:
                    self.answered_from_table += 1
                    return packet[:2] + entry.heads[header[0]] + question + entry.next_body() + tail[1]
        return self._respond(packet, is_stream=False)

    def respond_stream(self, packet: bytes) -> bytes | None:
        """Return the response to a ``packet`` that came over TCP; None when it deserves none."""
        return self._respond(packet, is_stream=True)

    def _respond(self, packet: bytes, *, is_stream: bool) -> bytes | None:
        if not message.is_answerable(packet):
            return None
        try:
            query = message.parse_query(packet)
        except MessageError as error:
            self._count(error.rcode)
            return message.error_response(packet, error.rcode)
        opt = b""
        room = message.UDP_BYTES_MIN
        if query.edns is not None:
            ours = self._limits.udp_bytes_max
            opt = message.opt_record(udp_bytes_max=ours, dnssec_ok=query.edns.dnssec_ok)
            if query.edns.version:
                opt = message.opt_record(udp_bytes_max=ours, rcode=Rcode.BADVERS)
                return self._refuse(packet, query, Rcode.BADVERS, opt)
            room = min(max(query.edns.udp_bytes_max, room), ours) - len(opt)
            self._remember_opt(packet[HEADER_BYTES + len(query.question) :], room, opt)
        if is_stream:
            room = message.TCP_BYTES_MAX - len(opt)
        return self._respond_query(packet, query, room=room, opt=opt, is_stream=is_stream)

    def _respond_query(self, packet: bytes, query: Query, *, room: int, opt: bytes, is_stream: bool) -> bytes:
        if query.qclass == Class.CH:
            return self._respond_chaos(packet, query, opt)
        if query.qclass != Class.IN:
            return self._refuse(packet, query, Rcode.REFUSED, opt)
        if query.qtype in _REFUSED_TYPES:
            return self._refuse(packet, query, _REFUSED_TYPES[query.qtype], opt)
        entry = self._entry(query)
        if entry is None:
            return self._refuse(packet, query, Rcode.REFUSED, opt)
        if is_stream and entry.is_truncated:
            # Not even TCP carries it, and there is nothing further to ask by.
            return self._refuse(packet, query, Rcode.SERVFAIL, opt)
        entry = entry.fitted(room)
        self.truncated += entry.is_truncated
        head = entry.heads[variant(query.flags, has_opt=bool(opt))]
        self._count(head[1] & 0xF)
        return packet[:2] + head + query.question + entry.next_body() + opt

    def _entry(self, query: Query) -> Entry | None:
        """Return the entry for ``query``, from the table or made now; None when the name is not ours."""
        key = query.name + query.question[-4:]
        entry = self._entries.get(key)
        if entry is None:
            answer = answer_question(query.name, query.qtype, tree=self._tree, zones=self._zones)
            if answer.rcode == Rcode.REFUSED:
                return None
            if answer.rcode == Rcode.NXDOMAIN:
                return self._table.denial(query.name, answer)
            entry = Entry.of_answer(query.name, answer)
            self._table.add(key, entry, answer.depends_on)
        return entry

    def _respond_chaos(self, packet: bytes, query: Query, opt: bytes) -> bytes:
        body = self._chaos.body(query.name, query.qtype)
        if body is None:
            return self._refuse(packet, query, Rcode.REFUSED, opt)
        self._count(Rcode.NOERROR)
        head = heads_of(AA, 1, 0, 0)[variant(query.flags, has_opt=bool(opt))]
        return packet[:2] + head + query.question + body + opt

    def _refuse(self, packet: bytes, query: Query, rcode: Rcode, opt: bytes) -> bytes:
        """Return a response of the question alone; the upper bits of ``rcode``, if any, are in ``opt``."""
        self._count(rcode)
        head = heads_of(rcode & 0xF, 0, 0, 0)[variant(query.flags, has_opt=bool(opt))]
        return packet[:2] + head + query.question + opt

    def _remember_opt(self, tail: bytes, room: int, opt: bytes) -> None:
        """Keep what a plain OPT record means; one with options, a cookie say, is different each time."""
        if len(tail) == len(opt) and len(self._opts) < _OPTS_MAX:
            self._opts[tail] = (room, opt)

    def _count(self, rcode: int) -> None:
        self.rcodes[rcode] = self.rcodes.get(rcode, 0) + 1


def _common_headers(opts: _Tails) -> dict[bytes, tuple[int, _Tails]]:
    """Return, for the headers of plain queries without their ids, the variant of the answer and the tails allowed."""
    plain: _Tails = {b"": (message.UDP_BYTES_MIN, b"")}
    headers = {}
    for flags in {rd | cd | ad for rd in (0, RD) for cd in (0, CD) for ad in (0, _AD)}:
        for has_opt, tails in ((False, plain), (True, opts)):
            words = (flags, 1, 0, 0, int(has_opt))
            header = b"".join(word.to_bytes(2, "big") for word in words)
            headers[header] = (variant(flags, has_opt=has_opt), tails)
    assert all(not header[0] << 8 & QR for header in headers)
    return headers
