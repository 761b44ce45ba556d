"""What surrounds an answer: the header's copied bits, the question, and the OPT record that a client's own calls for."""

from collections.abc import Iterable
from typing import Final

from fairlead.dns.client import Client, Origin, Transport
from fairlead.dns.edns import OPT_BYTES, Ede, OptionCode, opt_record
from fairlead.dns.errors import MessageError
from fairlead.dns.limits import Limits
from fairlead.dns.message import HEADER_BYTES, TCP_BYTES_MAX, UDP_BYTES_MIN, Query, Rcode
from fairlead.dns.table import Entry, heads_of, variant

_TC: Final = 0x02  # of the third byte


class Frame:
    """The surroundings of the answer to one query.

    Args:
        query: what is answered.
        client: who asked.
        limits: the bounds named ``udp_...``.
        edes: extended errors that every answer carries at present.
    """

    def __init__(self, query: Query, client: Client, *, limits: Limits, edes: tuple[Ede, ...]) -> None:
        self._query = query
        self._edns = query.edns
        self._limits = limits
        self._is_udp = client.transport is Transport.UDP
        self._edes = edes
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
        entry = entry.fitted(self._room() - len(opt))
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

    def plain_tail(self) -> tuple[int, bytes] | None:
        """Return what the query's OPT record means, if it is one that many clients send over UDP: room, our OPT."""
        edns = self._edns
        if (
            not self._is_udp
            or edns is None
            or edns.version
            or edns.options
            or len(self._query.packet) != self._tail_end()
        ):
            return None
        opt = self._opt()
        return self._room() - len(opt), opt

    def _tail_end(self) -> int:
        return HEADER_BYTES + len(self._query.question) + OPT_BYTES
