"""What surrounds an answer: the header's copied bits, the question, and the OPT record that a client's own calls for."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle, repeat
from typing import Final

from fairlead.dns.client import Client, Origin, Transport
from fairlead.dns.edns import OPT_BYTES, Ede, OptionCode, opt_record
from fairlead.dns.errors import MessageError
from fairlead.dns.limits import Limits
from fairlead.dns.message import HEADER_BYTES, TCP_BYTES_MAX, UDP_BYTES_MIN, Query, Rcode
from fairlead.dns.table import Entry, Ready, Terms, heads_of, variant
from fairlead.dns.tallies import kind_of
from fairlead.dns.wire import ALL

_TC: Final = 0x02  # of the third byte


class Frame:
    """The surroundings of the answer to one query.

    Args:
        query: what is answered.
        client: who asked.
        limits: the bounds named ``udp_...``.
        terms: what holds for all answers at present.
    """

    def __init__(self, query: Query, client: Client, *, limits: Limits, terms: Terms) -> None:
        self._query = query
        self._edns = query.edns
        self._limits = limits
        self._is_udp = client.transport is Transport.UDP
        self._edes = terms.edes
        self._answers_max = terms.answers_max if self._is_udp else ALL
        self._ip = client.ip
        self._used_origin: Origin | None = None

    def origin(self) -> Origin:
        """Return where the question comes from; having looked, the response says so (RFC 7871, section 7.2.1).

        Raises:
            MessageError: FORMERR, the client subnet is malformed.
        """
        told = None
        if self._edns is not None and OptionCode.CLIENT_SUBNET in self._edns.options:
            try:
                told = Origin.of_subnet(self._edns.options[OptionCode.CLIENT_SUBNET])
            except ValueError as error:
                raise MessageError(Rcode.FORMERR, str(error)) from error
        self._used_origin = told
        return told or Origin.of_ip(self._ip)

    def give(self, entry: Entry) -> bytes:
        """Return the response that ``entry`` makes, or as much of it as the client takes."""
        opt = self._opt(edes=entry.edes)
        entry = entry.fitted(self._room() - len(opt), self._answers_max)
        head = entry.heads[variant(self._query.flags, has_opt=bool(opt))]
        return b"".join((self._query.packet[:2], head, self._query.question, entry.next_body(), opt))

    def give_body(self, flags: int, body: bytes) -> bytes:
        """Return a response of one record, ``body``, with ``flags``."""
        opt = self._opt()
        head = heads_of(flags, 1, 0, 0)[variant(self._query.flags, has_opt=bool(opt))]
        return b"".join((self._query.packet[:2], head, self._query.question, body, opt))

    def refuse(self, rcode: int, *edes: Ede, flags: int = 0) -> bytes:
        """Return a response of the question alone; the upper bits of ``rcode`` are in OPT."""
        opt = self._opt(rcode=rcode, edes=edes)
        head = heads_of(flags | rcode & 0xF, 0, 0, 0)[variant(self._query.flags, has_opt=bool(opt))]
        return b"".join((self._query.packet[:2], head, self._query.question, opt))

    def give_message(self, message: bytes, edes: tuple[Ede, ...]) -> bytes:
        """Return a whole ``message`` of somebody else's, without OPT, as the response to our query."""
        question = self._query.question
        opt = self._opt(edes=edes)
        end = HEADER_BYTES + len(question)
        body = message[end:]
        head = bytearray(message[2:HEADER_BYTES])
        if end + len(body) + len(opt) > self._room():
            head[0] |= _TC
            head[4:] = bytes(6)
            body = b""
        if opt:
            head[8:] = (int.from_bytes(head[8:], "big") + 1).to_bytes(2, "big")
        return b"".join((self._query.packet[:2], head, question, body, opt))

    def _room(self) -> int:
        if not self._is_udp:
            return TCP_BYTES_MAX
        if self._edns is None:
            return UDP_BYTES_MIN
        return min(max(self._edns.udp_bytes_max, UDP_BYTES_MIN), self._limits.udp_bytes_max)

    def _opt(self, *, rcode: int = 0, edes: Iterable[Ede] = ()) -> bytes:
        """Return the OPT record; nothing for a client that sent none."""
        edns = self._edns
        if edns is None:
            return b""
        options = [ede.to_option() for ede in (*self._edes, *edes)]
        return opt_record(
            udp_bytes_max=self._limits.udp_bytes_max,
            dnssec_ok=edns.dnssec_ok,
            rcode=rcode,
            options=options,
        )

    def ready(self, entry: Entry) -> tuple[bytes, Ready] | None:
        """Return the response that ``entry`` makes to all queries like this one, and what is alike in them.

        None when there are few like it: it came over TCP, or it has options or other records.
        """
        query, edns = self._query, self._edns
        end = HEADER_BYTES + len(query.question)
        if not self._is_udp or (edns is not None and (edns.version or edns.options)):
            return None
        if len(query.packet) != end + (OPT_BYTES if edns is not None else 0):
            return None
        opt = self._opt()
        entry = entry.fitted(self._room() - len(opt), self._answers_max)
        start = entry.heads[variant(query.flags, has_opt=bool(opt))] + query.name + query.question[-4:]
        kind = kind_of(query.qtype, b"\0\0" + start + (entry.bodies or (entry.next_body(),))[0] + opt)
        if not entry.bodies:
            next_response: Callable[[], bytes] = partial(_join, start, entry.next_body, opt)
        elif len(entry.bodies) == 1:
            next_response = repeat(start + entry.bodies[0] + opt).__next__
        else:
            # The first order is on its way already.
            orders = (*entry.bodies[1:], entry.bodies[0])
            next_response = cycle([start + body + opt for body in orders]).__next__
        key = query.packet[2:HEADER_BYTES] + query.name + query.packet[HEADER_BYTES + len(query.name) :]
        return key, Ready(next_response, kind)


def _join(start: bytes, next_body: Callable[[], bytes], opt: bytes) -> bytes:
    return start + next_body() + opt
