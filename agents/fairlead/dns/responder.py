"""A packet in, a packet out: the rules of the protocol, and the path that most queries take.

The common query is answered by one dictionary look-up and one concatenation: a query like it, but for the id, has been
answered before.  Everything else is parsed, and given its answer or its error.
"""

from typing import Final

from fairlead.agent import Networks
from fairlead.dns import message
from fairlead.dns.answer import Answer
from fairlead.dns.chaos import Chaos
from fairlead.dns.client import LATER, Client, Transport
from fairlead.dns.edns import Ede, EdeCode
from fairlead.dns.errors import MessageError
from fairlead.dns.frame import Frame, Manners
from fairlead.dns.hooks import Forward, Hooks, Reply
from fairlead.dns.local_names import answer_locally
from fairlead.dns.message import AA, HEADER_BYTES, Class, Opcode, Query, Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.semantics import answer_question
from fairlead.dns.table import Entry, Table, Terms, key_of
from fairlead.dns.tallies import NO_TYPE, Tallies, kind_of
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones

_INVALID: Final = Ede(EdeCode.INVALID_QUERY_TYPE)
REFUSED_TYPES: Final[dict[int, Rcode]] = {
    0: Rcode.FORMERR,
    Type.NXNAME: Rcode.FORMERR,  # RFC 9824, section 3.5: neither answered nor forwarded
    Type.OPT: Rcode.FORMERR,  # RFC 6891, section 6.1.1: a pseudo-type is in no question
    Type.TSIG: Rcode.FORMERR,
    Type.TKEY: Rcode.NOTIMP,
    Type.MAILB: Rcode.NOTIMP,
    Type.MAILA: Rcode.NOTIMP,
}
TRANSFERS: Final = frozenset({Type.AXFR, Type.IXFR})


class Responder:
    """Answers packets.  Counters are plain numbers, read by whoever exports them.

    Attributes:
        hooks: what other parts of the server have hooked in.
        allowed: who is answered.
    """

    def __init__(
        self, *, tree: Tree, zones: Zones, table: Table, chaos: Chaos, manners: Manners, allowed: Networks
    ) -> None:
        self.hooks = Hooks()
        self.allowed = allowed
        self._tree = tree
        self._zones = zones
        self._table = table
        self._chaos = chaos
        self._manners = manners
        self._entries = table.entries
        self._ready = table.ready
        self.tallies = Tallies()
        """What was not at hand; the table counts the rest."""
        self.faults = 0
        """Queries that were answered SERVFAIL because something here failed."""
        self.forwarding = 0
        """Questions that the forwarder has not answered yet."""

    def set_terms(self, terms: Terms) -> None:
        """Let ``terms`` hold for all answers from now on; costs each name one look-up, so not for every change."""
        self._table.set_terms(terms)

    def from_table(self, packet: bytes) -> bytes | None:
        """Return the response to a UDP ``packet`` if it is at hand; None when `respond` must be asked."""
        ready = self._ready.get(packet[2:])
        if ready is None:
            return self._from_table_respelled(packet)
        ready.uses += 1
        return packet[:2] + ready.next_response()

    def from_table_whole(self, packet: bytes) -> bytes | None:
        """Return the response to ``packet`` on a stream if it is at hand; None when `respond` must be asked."""
        ready = self._ready.get(packet[2:])
        if ready is None or not ready.is_whole:
            return None
        ready.uses += 1
        return packet[:2] + ready.next_response()

    def _from_table_respelled(self, packet: bytes) -> bytes | None:
        """Try once more with the name in lower case, and answer in the spelling that was asked."""
        # The first zero byte ends the name, unless a label holds one: then the look-up misses, and parsing decides.
        end = packet.find(0, HEADER_BYTES)
        spelled = packet[HEADER_BYTES:end]
        ready = self._ready.get(packet[2:HEADER_BYTES] + spelled.lower() + packet[end:])
        if ready is None:
            return None
        ready.uses += 1
        response = ready.next_response()
        return packet[:2] + response[: HEADER_BYTES - 2] + spelled + response[end - 2 :]

    def respond(self, packet: bytes, client: Client) -> bytes | None:
        """Return the response to any ``packet``; None when it deserves none, LATER when ``client`` will be sent it."""
        if not message.is_answerable(packet):
            return None
        try:
            opcode = packet[2] >> 3 & 0xF
            if opcode != Opcode.QUERY:
                return self._respond_opcode(opcode, packet, client)
            query = message.parse_query(packet)
            frame = Frame(query, client, manners=self._manners, terms=self._table.terms)
            return self._respond_query(query, client, frame)
        except MessageError as error:
            return self._give_up(packet, error.rcode)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one answer, not those that came with it
            self.faults += 1
            if self.hooks.failed is not None:
                self.hooks.failed(error, packet)
            return self._give_up(packet, Rcode.SERVFAIL)

    def _give_up(self, packet: bytes, rcode: int) -> bytes:
        response = message.error_response(packet, rcode)
        self.tallies.add(kind_of(NO_TYPE, response))
        return response

    def _respond_opcode(self, opcode: int, packet: bytes, client: Client) -> bytes | None:
        handler = self.hooks.opcodes.get(opcode)
        if handler is None:
            raise MessageError(Rcode.NOTIMP, "another opcode than QUERY")
        return handler(packet, client)

    def _respond_query(self, query: Query, client: Client, frame: Frame) -> bytes | None:
        if query.edns is not None and query.edns.version:
            return self._refuse(query, frame, Rcode.BADVERS)
        if client.ip not in self.allowed:
            return self._refuse(query, frame, Rcode.REFUSED, Ede(EdeCode.PROHIBITED))
        if query.qclass == Class.CH:
            return self._respond_chaos(query, client, frame)
        if query.qclass != Class.IN:
            return self._refuse(query, frame, Rcode.REFUSED)
        if query.qtype in REFUSED_TYPES:
            return self._refuse(query, frame, REFUSED_TYPES[query.qtype], _INVALID)
        if query.qtype in TRANSFERS:
            return self._transfer(query, client, frame)
        before = self.hooks.before(query) if self.hooks.before is not None else None
        if before is not None:
            return self._hand_on(before, query, client, frame)
        entry = self._entry(query)
        if not isinstance(entry, Entry):
            return self._hand_on(entry, query, client, frame)
        if entry.depends_on_origin:
            entry = entry.chosen(frame.origin())
        if entry.is_truncated and client.transport is not Transport.UDP:
            # Not even TCP carries it, and there is nothing further to ask by.
            return self._refuse(query, frame, Rcode.SERVFAIL)
        if entry.is_for_all and (ready := frame.ready(entry)) is not None:
            self._table.make_ready(ready[0], entry, ready[1])
        return self._note(query, frame.give(entry), rcode=entry.rcode)

    def _entry(self, query: Query) -> Entry | Forward | None:
        """Return the entry for ``query``, from the table or made now, or who answers instead; None: nobody."""
        key = key_of(query)
        entry = self._entries.get(key)
        if entry is None:
            answer = answer_question(query.name, query.qtype, tree=self._tree, zones=self._zones)
            if answer.rcode == Rcode.REFUSED:
                local = self._local_answer(query)
                return self.hooks.forward if local is None else self._table.compile(query.name, local)
            signed = self._signed(answer, query)
            if signed.rcode == Rcode.NXDOMAIN:
                return self._table.denial(query.name, signed)
            # What is signed stays as it is: with others' answers added it would not validate.
            if signed is answer and self.hooks.complete is not None:
                complete = self.hooks.complete(query, answer)
                if complete is not None:
                    return complete
            entry = self._table.compile(query.name, signed)
            entry.rcode = answer.rcode
            if signed.depends_on:
                self._table.add(key, entry, signed.depends_on)
        return entry

    def _local_answer(self, query: Query) -> Answer | None:
        """Return the answer to a name that nobody else may be asked about.

        Reverse names of private addresses go to the forwarder, if there is one: it may know the site's.
        """
        return self.answers_locally(query.name, query.qtype, is_reverse_ours=self.hooks.forward is None)

    def answers_locally(self, name: Name, qtype: int, *, is_reverse_ours: bool) -> Answer | None:
        """Return the answer to a name in no zone of ours, if no server may ask others for it and no key is there."""
        if self._tree.exists(name):
            return None
        return answer_locally(name, qtype, is_reverse_ours=is_reverse_ours)

    def _signed(self, answer: Answer, query: Query) -> Answer:
        sign = self.hooks.sign if query.dnssec_ok else None
        return answer if sign is None else sign(answer, query)

    def _respond_chaos(self, query: Query, client: Client, frame: Frame) -> bytes:
        body = self._chaos.body(query.name, query.qtype)
        if body is None and self.hooks.chaos is not None:
            body = self.hooks.chaos(query, client)
        if body is None:
            return self._refuse(query, frame, Rcode.REFUSED)
        return self._note(query, frame.give_body(AA, body))

    def _transfer(self, query: Query, client: Client, frame: Frame) -> bytes | None:
        if client.transport not in {Transport.TCP, Transport.TLS}:
            return self._refuse(query, frame, Rcode.NOTIMP)
        if self.hooks.transfer is None:
            return self._refuse(query, frame, Rcode.REFUSED)
        client.stream(self.hooks.transfer(query, client))
        return LATER

    def _hand_on(self, forward: Forward | None, query: Query, client: Client, frame: Frame) -> bytes | None:
        if forward is None:
            return self._refuse(query, frame, Rcode.REFUSED, Ede(EdeCode.NOT_AUTHORITATIVE))
        if self.forwarding >= self._manners.limits.forwarding_max:
            return self._refuse(query, frame, Rcode.REFUSED, Ede(EdeCode.OTHER, "too many questions wait"))
        self.forwarding += 1

        def finish(response: bytes | Answer | None, edes: tuple[Ede, ...]) -> None:
            self.forwarding -= 1
            if response is None:
                client.send(self._refuse(query, frame, Rcode.SERVFAIL, *edes))
                return
            if isinstance(response, Answer):
                sent = frame.give(self._table.compile(query.name, response))
            else:
                sent = frame.give_message(response, edes)
            client.send(self._note(query, sent))

        forward(query, client, Reply(finish))
        return LATER

    def _refuse(self, query: Query, frame: Frame, rcode: Rcode, *edes: Ede) -> bytes:
        return self._note(query, frame.refuse(rcode, *edes))

    def _note(self, query: Query, response: bytes, *, rcode: int | None = None) -> bytes:
        """Count ``response``, which says ``rcode``, where that is not what its header says."""
        self.tallies.add(kind_of(query.qtype, response))
        if self.hooks.seen is not None and query.qclass == Class.IN:
            self.hooks.seen(query.name, query.qtype, response[3] & 0xF if rcode is None else rcode)
        return response
