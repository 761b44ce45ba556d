"""Answers to AXFR and IXFR: a zone in messages, from its SOA record to its SOA record (RFC 5936, RFC 1995).

IXFR is answered by the whole zone, or by the SOA record alone when the client has it already (RFC 1995, section 4).
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

import dns.exception
import dns.message
import dns.rdatatype
from fairlead.dns import wire
from fairlead.dns.answer import RRset, soa_rrset
from fairlead.dns.client import Client
from fairlead.dns.errors import MessageError
from fairlead.dns.message import AA, HEADER_BYTES, QR, RD, TCP_BYTES_MAX, Query, Rcode, Type
from fairlead.dns.transfer.contents import zone_rrsets
from fairlead.dns.transfer.limits import TransferLimits
from fairlead.dns.transfer.settings import TransferSettings
from fairlead.dns.transfer.signed import SignedClient
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zone, Zones

_HALF: Final = 2**31
_SERIAL_AT: Final = 20
"""From the end of SOA data: where its five numbers begin."""


class Transfers:
    """Gives zones to whom `settings` allow.

    Attributes:
        served: transfers begun.
        refused: transfers refused.
    """

    def __init__(
        self,
        settings: TransferSettings,
        limits: TransferLimits,
        *,
        tree: Tree,
        zones: Zones,
        is_signed_here: Callable[[Zone], bool],
    ) -> None:
        self.served = 0
        self.refused = 0
        self._settings = settings
        self._limits = limits
        self._tree = tree
        self._zones = zones
        self._is_signed_here = is_signed_here
        self._streams = 0

    def __repr__(self) -> str:
        return f"Transfers({self._streams} running, {self.served} served, {self.refused} refused)"

    def answer(self, query: Query, client: Client) -> Iterator[bytes]:
        """Return the messages that answer ``query``, of type AXFR or IXFR, as of now.

        Raises:
            MessageError: REFUSED, NOTAUTH (no zone of ours begins there), FORMERR, or SERVFAIL when too many run.
        """
        try:
            zone = self._admit(query, client)
            known = _known_serial(query) if query.qtype == Type.IXFR else None
        except MessageError:
            self.refused += 1
            raise
        self.served += 1
        soa = soa_rrset(zone)
        if known is not None and not is_newer(serial_of(soa), known):
            return iter(self._messages(query, client, [soa]))
        rrsets = zone_rrsets(zone, tree=self._tree.snapshot(), zones=self._zones.snapshot())
        return self._counted(self._messages(query, client, chain([soa], rrsets, [soa])))

    def _admit(self, query: Query, client: Client) -> Zone:
        if not self._settings.allows(client.ip, is_signed=isinstance(client, SignedClient)):
            raise MessageError(Rcode.REFUSED, "not allowed")
        zone = self._zones.of(query.name)
        if zone is None or zone.name != query.name:
            raise MessageError(Rcode.NOTAUTH, "no zone of ours begins there")
        if self._is_signed_here(zone):
            # A secondary would serve it without signatures, which are made here, and fail whoever validates.
            raise MessageError(Rcode.REFUSED, "the zone is signed when it is asked")
        if self._streams >= self._limits.streams_max:
            raise MessageError(Rcode.SERVFAIL, "too many transfers at once")
        return zone

    def _counted(self, messages: Iterator[bytes]) -> Iterator[bytes]:
        self._streams += 1
        try:
            yield from messages
        finally:
            self._streams -= 1

    def _messages(self, query: Query, client: Client, rrsets: Iterable[RRset]) -> Iterator[bytes]:
        """Yield messages, each with the question, to whose name owners point."""
        pointers = wire.pointers_into(query.name)
        fixed = HEADER_BYTES + len(query.question)
        records: list[bytes] = []
        size = fixed
        for rrset in rrsets:
            for record in wire.encode(rrset, pointers):
                if records and size + len(record) > self._limits.message_bytes_max:
                    yield _message(query, records)
                    records, size = [], fixed
                if fixed + len(record) <= TCP_BYTES_MAX - client.reserved_bytes:
                    records.append(record)
                    size += len(record)
        yield _message(query, records)


def serial_of(soa: RRset) -> int:
    """Return the serial that a SOA record says."""
    serial: int = struct.unpack_from("!I", soa.rdatas[0], len(soa.rdatas[0]) - _SERIAL_AT)[0]
    return serial


def is_newer(serial: int, known: int) -> bool:
    """Whether ``serial`` comes after ``known`` (RFC 1982, section 3.2)."""
    return 0 < (serial - known) % 2**32 < _HALF


def _message(query: Query, records: list[bytes]) -> bytes:
    flags = QR | AA | (query.flags & RD)
    head = struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    return query.packet[:2] + head + query.question + b"".join(records)


def _known_serial(query: Query) -> int:
    """Return the serial that the client of an IXFR has, from its authority section (RFC 1995, section 3)."""
    try:
        parsed = dns.message.from_wire(query.packet, ignore_trailing=True)
        serials = [
            rdata.serial for rrset in parsed.authority for rdata in rrset if rrset.rdtype == dns.rdatatype.SOA
        ]
    except (dns.exception.DNSException, ValueError) as error:
        raise MessageError(Rcode.FORMERR, "not readable") from error
    if len(serials) != 1:
        raise MessageError(Rcode.FORMERR, "an IXFR names the serial that the client has")
    serial: int = serials[0]
    return serial
