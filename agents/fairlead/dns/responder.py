"""A packet in, a packet out: the rules of the protocol, and the path that most queries take.

The common query is answered by three dictionary look-ups and one concatenation: its header and its OPT record are of a few
kinds, and its question is in the table.  Everything else is parsed, and given its answer or its error.
"""

from typing import Final

from fairlead.dns import message
from fairlead.dns.chaos import Chaos
from fairlead.dns.client import LATER, Client, Transport
from fairlead.dns.edns import Ede
from fairlead.dns.errors import MessageError
from fairlead.dns.frame import Frame
from fairlead.dns.hooks import Hooks, Reply
from fairlead.dns.limits import Limits
from fairlead.dns.message import AA, CD, HEADER_BYTES, QR, RD, Class, Opcode, Query, Rcode, Type
from fairlead.dns.semantics import answer_question
from fairlead.dns.table import DO_SUFFIX, Entry, Table, Terms, key_of, variant
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones

_REFUSED_TYPES: Final[dict[int, Rcode]] = {
    0: Rcode.FORMERR,
    Type.OPT: Rcode.FORMERR,  # RFC 6891, section 6.1.1: a pseudo-type is in no question
    Type.TSIG: Rcode.FORMERR,
    Type.TKEY: Rcode.NOTIMP,
    Type.MAILB: Rcode.NOTIMP,
    Type.MAILA: Rcode.NOTIMP,
}
_TRANSFERS: Final = frozenset({Type.AXFR, Type.IXFR})

_AD: Final = 0x0020
_OPTS_MAX: Final = 1024

_Tails = dict[bytes, tuple[int, bytes, bytes]]
"""What follows a question, to: the bytes that a response may have without OPT, the OPT record it ends in, and the end of
the key of its entry."""


class Responder:
    """Answers packets.  Counters are plain numbers, read by whoever exports them.

    Attributes:
        hooks: what other parts of the server have hooked in.
    """

    def __init__(self, *, tree: Tree, zones: Zones, table: Table, chaos: Chaos, limits: Limits) -> None:
        self.hooks = Hooks()
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
        self.forwarding = 0
        """Questions that the forwarder has not answered yet."""

    def set_terms(self, terms: Terms) -> None:
        """Let ``terms`` hold for all answers from now on; costs each name one look-up, so not for every change."""
        self._table.set_terms(terms)
        self._opts.clear()

    def from_table(self, packet: bytes) -> bytes | None:
        """Return the response to a UDP ``packet`` if it is at hand; None when `respond` must be asked."""
        # The first zero byte ends the name, unless a label holds one: then the look-up misses, and parsing decides.
        end = packet.find(0, HEADER_BYTES) + 5
        header = self._headers.get(packet[2:HEADER_BYTES])
        if header is not None:
            tail = header[1].get(packet[end:])
            if tail is not None:
                question = packet[HEADER_BYTES:end]
                entry = self._entries.get(question + tail[2])
                if entry is None:
                    entry = self._entries.get(question[:-4].lower() + question[-4:] + tail[2])
                if entry is not None and entry.size <= tail[0]:
                    self.answered_from_table += 1
                    return packet[:2] + entry.heads[header[0]] + question + entry.next_body() + tail[1]
        return None

    def respond(self, packet: bytes, client: Client) -> bytes | None:
        """Return the response to any ``packet``; None when it deserves none, LATER when ``client`` will be sent it."""
        if not message.is_answerable(packet):
            return None
        try:
            opcode = packet[2] >> 3 & 0xF
            if opcode != Opcode.QUERY:
                return self._respond_opcode(opcode, packet, client)
            query = message.parse_query(packet)
            frame = Frame(query, client, limits=self._limits, edes=self._table.terms.edes)
            return self._respond_query(query, client, frame)
        except MessageError as error:
            self._count(error.rcode)
            return message.error_response(packet, error.rcode)

    def _respond_opcode(self, opcode: int, packet: bytes, client: Client) -> bytes | None:
        handler = self.hooks.opcodes.get(opcode)
        if handler is None:
            raise MessageError(Rcode.NOTIMP, "another opcode than QUERY")
        return handler(packet, client)

    def _respond_query(self, query: Query, client: Client, frame: Frame) -> bytes | None:
        if query.edns is not None and query.edns.version:
            return self._refuse(query, frame, Rcode.BADVERS)
        if query.qclass == Class.CH:
            return self._respond_chaos(query, frame)
        if query.qclass != Class.IN:
            return self._refuse(query, frame, Rcode.REFUSED)
        if query.qtype in _REFUSED_TYPES:
            return self._refuse(query, frame, _REFUSED_TYPES[query.qtype])
        if query.qtype in _TRANSFERS:
            return self._transfer(query, client, frame)
        entry = self._entry(query)
        if entry is None:
            return self._forward(query, client, frame)
        if entry.depends_on_origin:
            entry = entry.chosen(frame.origin())
        if entry.is_truncated and client.transport is not Transport.UDP:
            # Not even TCP carries it, and there is nothing further to ask by.
            return self._refuse(query, frame, Rcode.SERVFAIL)
        self._remember_opt(query, frame)
        response = frame.give(entry)
        self.truncated += bool(response[2] & 0x02)
        self._note(query, response[3] & 0xF)
        return response

    def _entry(self, query: Query) -> Entry | None:
        """Return the entry for ``query``, from the table or made now; None when the name is not ours."""
        key = key_of(query)
        entry = self._entries.get(key)
        if entry is None:
            answer = answer_question(query.name, query.qtype, tree=self._tree, zones=self._zones)
            if answer.rcode == Rcode.REFUSED:
                return None
            if answer.rcode == Rcode.NXDOMAIN:
                return self._table.denial(query.name, answer)
            entry = self._table.compile(query.name, answer)
            self._table.add(key, entry, answer.depends_on)
        return entry

    def _respond_chaos(self, query: Query, frame: Frame) -> bytes:
        body = self._chaos.body(query.name, query.qtype)
        if body is None:
            return self._refuse(query, frame, Rcode.REFUSED)
        self._count(Rcode.NOERROR)
        return frame.give_body(AA, body)

    def _transfer(self, query: Query, client: Client, frame: Frame) -> bytes | None:
        if self.hooks.transfer is None or client.transport not in {Transport.TCP, Transport.TLS}:
            return self._refuse(query, frame, Rcode.REFUSED)
        client.stream(self.hooks.transfer(query, client))
        self._note(query, Rcode.NOERROR)
        return LATER

    def _forward(self, query: Query, client: Client, frame: Frame) -> bytes | None:
        if self.hooks.forward is None or self.forwarding >= self._limits.forwarding_max:
            return self._refuse(query, frame, Rcode.REFUSED)
        self.forwarding += 1

        def finish(response: bytes | None, edes: tuple[Ede, ...]) -> None:
            self.forwarding -= 1
            if response is None:
                client.send(self._refuse(query, frame, Rcode.SERVFAIL, *edes))
            else:
                self._note(query, response[3] & 0xF)
                client.send(frame.give_message(response, edes))

        self.hooks.forward(query, client, Reply(finish))
        return LATER

    def _refuse(self, query: Query, frame: Frame, rcode: Rcode, *edes: Ede) -> bytes:
        self._note(query, rcode)
        return frame.refuse(rcode, *edes)

    def _remember_opt(self, query: Query, frame: Frame) -> None:
        """Keep what a plain OPT record means; one with options, a cookie say, is different each time."""
        tail = frame.plain_tail()
        if tail is not None and len(self._opts) < _OPTS_MAX:
            suffix = DO_SUFFIX if query.dnssec_ok else b""
            self._opts[query.packet[HEADER_BYTES + len(query.question) :]] = (*tail, suffix)

    def _note(self, query: Query, rcode: int) -> None:
        self._count(rcode)
        if self.hooks.seen is not None:
            self.hooks.seen(query.name, query.qtype, rcode)

    def _count(self, rcode: int) -> None:
        self.rcodes[rcode] = self.rcodes.get(rcode, 0) + 1


def _common_headers(opts: _Tails) -> dict[bytes, tuple[int, _Tails]]:
    """Return, for the headers of plain queries without their ids, the variant of the answer and the tails allowed."""
    plain: _Tails = {b"": (message.UDP_BYTES_MIN, b"", b"")}
    headers = {}
    for flags in {rd | cd | ad for rd in (0, RD) for cd in (0, CD) for ad in (0, _AD)}:
        for has_opt, tails in ((False, plain), (True, opts)):
            words = (flags, 1, 0, 0, int(has_opt))
            header = b"".join(word.to_bytes(2, "big") for word in words)
            headers[header] = (variant(flags, has_opt=has_opt), tails)
    assert all(not header[0] << 8 & QR for header in headers)
    return headers
