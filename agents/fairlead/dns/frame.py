"""What surrounds an answer: the header's copied bits, the question, and the OPT record that a client's own calls for."""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle, repeat
from typing import Final

from fairlead.dns.client import Client, Origin, Transport
from fairlead.dns.cookies import Cookies
from fairlead.dns.edns import OPT_BYTES, Ede, OptionCode, opt_record, option
from fairlead.dns.errors import MessageError
from fairlead.dns.limits import Limits
from fairlead.dns.message import CO, DO, HEADER_BYTES, RA, TCP_BYTES_MAX, UDP_BYTES_MIN, Query, Rcode
from fairlead.dns.table import Entry, Ready, Terms, heads_of, variant
from fairlead.dns.tallies import kind_of
from fairlead.dns.wire import ALL

_TC: Final = 0x02  # of the third byte
_STREAMS: Final = frozenset({Transport.TCP, Transport.TLS})
_ENCRYPTED: Final = frozenset({Transport.TLS, Transport.HTTPS})

PADDED_BYTES: Final = 468
"""Responses over TLS are padded to a multiple of this (RFC 8467, section 4.1)."""

_OPTION_HEAD_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How all answers are framed.

    Attributes:
        limits: the bounds named ``udp_...``, and ``tcp_idle_s``, which clients are told.
        identity: what NSID tells (RFC 5001); empty tells nothing.
        cookies: None gives none.
        clock: the time in seconds since 1970, for cookies.
    """

    limits: Limits
    identity: bytes = b""
    cookies: Cookies | None = None
    clock: Callable[[], float] = lambda: 0.0


class Frame:
    """The surroundings of the answer to one query.

    Args:
        query: what is answered.
        client: who asked.
        manners: how answers are framed.
        terms: what holds for all answers at present.

    Raises:
        MessageError: FORMERR, an option of the query is malformed.
    """

    def __init__(self, query: Query, client: Client, *, manners: Manners, terms: Terms) -> None:
        self._query = query
        self._edns = query.edns
        self._manners = manners
        self._transport = client.transport
        self._is_udp = client.transport is Transport.UDP
        self._edes = terms.edes
        self._ra = RA if terms.recursion_available else 0
        # Of the flags of OPT, those that our own answers repeat (RFC 3225, section 3; RFC 9824, section 5.1).
        self._opt_flags = DO | CO
        self._answers_max_udp = terms.answers_max
        self._answers_max = terms.answers_max if self._is_udp else ALL
        self._ip = client.ip
        self._reserved_bytes = client.reserved_bytes
        self._told: Origin | None = None
        self._scope = 0
        self._options = self._answers_to_options(query.edns.options) if query.edns is not None else []

    def origin(self) -> Origin:
        """Return where the question comes from; having looked, the response says so (RFC 7871, section 7.2.1)."""
        if self._told is not None:
            self._scope = self._told.prefix
            return self._told
        return Origin.of_ip(self._ip)

    def give(self, entry: Entry) -> bytes:
        """Return the response that ``entry`` makes, or as much of it as the client takes."""
        options = self._all_options(entry.edes)
        opt = self._opt(options)
        entry = entry.fitted(self._room() - len(opt), self._answers_max)
        head = entry.heads[variant(self._query.flags, has_opt=bool(opt))]
        return self._join(head, entry.next_body(), opt, options)

    def give_body(self, flags: int, body: bytes) -> bytes:
        """Return a response of one record, ``body``, with ``flags``."""
        options = self._all_options()
        opt = self._opt(options)
        return self._join(
            heads_of(flags | self._ra, 1, 0, 0)[variant(self._query.flags, has_opt=bool(opt))],
            body,
            opt,
            options,
        )

    def refuse(self, rcode: int, *edes: Ede) -> bytes:
        """Return a response of the question alone; the upper bits of ``rcode`` are in OPT."""
        options = self._all_options(edes)
        opt = self._opt(options, rcode=rcode)
        head = heads_of(rcode & 0xF | self._ra, 0, 0, 0)[variant(self._query.flags, has_opt=bool(opt))]
        return self._join(head, b"", opt, options, rcode=rcode)

    def give_message(self, message: bytes, edes: tuple[Ede, ...]) -> bytes:
        """Return a whole ``message`` of somebody else's, without OPT, as the response to our query."""
        self._opt_flags = DO  # CO is between two servers, and those others were not told of it
        options = self._all_options(edes)
        opt = self._opt(options)
        end = HEADER_BYTES + len(self._query.question)
        body = message[end:]
        head = bytearray(message[2:HEADER_BYTES])
        if end + len(body) + len(opt) > self._room():
            head[0] |= _TC
            head[4:] = bytes(6)
            body = b""
        if opt:
            head[8:] = (int.from_bytes(head[8:], "big") + 1).to_bytes(2, "big")
        return self._join(bytes(head), body, opt, options)

    def ready(self, entry: Entry) -> tuple[bytes, Ready] | None:
        """Return the response that ``entry`` makes to all queries like this one, and what is alike in them.

        None when there are few like it: it has options or other records, or it came over TCP and UDP would get less.
        """
        query, edns = self._query, self._edns
        end = HEADER_BYTES + len(query.question)
        if edns is not None and (edns.version or edns.options):
            return None
        if len(query.packet) != end + (OPT_BYTES if edns is not None else 0):
            return None
        opt = self._opt(self._all_options())
        whole = entry
        entry = entry.fitted(self._udp_room() - len(opt), self._answers_max_udp)
        if entry is not whole and not self._is_udp:
            return None
        start = entry.heads[variant(query.flags, has_opt=bool(opt))] + query.name + query.question[-4:]
        kind = kind_of(query.qtype, b"\0\0" + start + (entry.bodies or (entry.next_body(),))[0] + opt)
        if not entry.bodies:
            next_response: Callable[[], bytes] = partial(_around, start, entry.next_body, opt)
        elif len(entry.bodies) == 1:
            next_response = repeat(start + entry.bodies[0] + opt).__next__
        else:
            # The first order is on its way already.
            orders = (*entry.bodies[1:], entry.bodies[0])
            next_response = cycle([start + body + opt for body in orders]).__next__
        key = query.packet[2:HEADER_BYTES] + query.name + query.packet[HEADER_BYTES + len(query.name) :]
        return key, Ready(next_response, kind, is_whole=entry is whole)

    def _room(self) -> int:
        return (self._udp_room() if self._is_udp else TCP_BYTES_MAX) - self._reserved_bytes

    def _udp_room(self) -> int:
        if self._edns is None:
            return UDP_BYTES_MIN
        return min(max(self._edns.udp_bytes_max, UDP_BYTES_MIN), self._manners.limits.udp_bytes_max)

    def _answers_to_options(self, asked: Mapping[int, bytes]) -> list[bytes]:
        """Return the options that answer those of the query; unknown ones are ignored (RFC 6891, section 6.1.2)."""
        manners = self._manners
        options = []
        if OptionCode.NSID in asked and manners.identity:
            options.append(option(OptionCode.NSID, manners.identity))
        if OptionCode.COOKIE in asked and manners.cookies is not None:
            cookie = manners.cookies.answer(asked[OptionCode.COOKIE], self._ip, manners.clock())
            options.append(option(OptionCode.COOKIE, cookie))
        if OptionCode.TCP_KEEPALIVE in asked and self._transport in _STREAMS:
            tenths = min(int(manners.limits.tcp_idle_s * 10), 0xFFFF)  # RFC 7828, section 3.1
            options.append(option(OptionCode.TCP_KEEPALIVE, struct.pack("!H", tenths)))
        if OptionCode.CLIENT_SUBNET in asked:
            try:
                self._told = Origin.of_subnet(asked[OptionCode.CLIENT_SUBNET])
            except ValueError as error:
                raise MessageError(Rcode.FORMERR, str(error)) from error
        return options

    def _all_options(self, edes: Iterable[Ede] = ()) -> list[bytes]:
        if self._edns is None:
            return []
        options = [*self._options, *(ede.to_option() for ede in (*self._edes, *edes))]
        if (subnet := self._edns.options.get(OptionCode.CLIENT_SUBNET)) is not None:
            scope = bytes((self._scope,))
            options.append(option(OptionCode.CLIENT_SUBNET, subnet[:3] + scope + subnet[4:]))
        return options

    def _opt(self, options: Iterable[bytes], *, rcode: int = 0) -> bytes:
        """Return the OPT record; nothing for a client that sent none."""
        edns = self._edns
        if edns is None:
            return b""
        return opt_record(
            udp_bytes_max=self._manners.limits.udp_bytes_max,
            flags=edns.flags & self._opt_flags,
            rcode=rcode,
            options=options,
        )

    def _join(self, head: bytes, body: bytes, opt: bytes, options: list[bytes], *, rcode: int = 0) -> bytes:
        response = b"".join((self._query.packet[:2], head, self._query.question, body, opt))
        asked = self._edns.options if self._edns is not None else {}
        if OptionCode.PADDING not in asked or self._transport not in _ENCRYPTED:
            return response
        size = len(response) + _OPTION_HEAD_BYTES
        padding = min(-size % PADDED_BYTES, self._room() - size)
        if padding < 0:
            return response
        padded = self._opt([*options, option(OptionCode.PADDING, bytes(padding))], rcode=rcode)
        return response[: len(response) - len(opt)] + padded


def _around(start: bytes, next_body: Callable[[], bytes], opt: bytes) -> bytes:
    return start + next_body() + opt
