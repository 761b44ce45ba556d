"""The zones that are ours, and the SOA record that speaks for each.

The serial is the store's revision: every replica that has applied the same changes says the same, and a secondary can tell
new from old.
"""

import struct
from dataclasses import dataclass

from fairlead.dns import names
from fairlead.dns.dialect import Dialect
from fairlead.dns.message import HEADER_BYTES, Class, Type
from fairlead.dns.names import Name

_SERIAL_MASK = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose about the answers, on the command line or in ``<prefix>/config``.

    Attributes:
        zones: the names that we have authority over.
        dialect: how the keys are read.
        ttl_default_s: the TTL of records that name none, 0 to 2^31-1.
        negative_ttl_s: how long "no" may be remembered, 0 to 2^31-1.
        hostmaster: the zone's mailbox as a name; None means ``hostmaster.<zone>``.
    """

    zones: tuple[Name, ...]
    dialect: Dialect
    ttl_default_s: int
    negative_ttl_s: int
    hostmaster: Name | None = None


class Zone:
    """One zone: its name and its SOA record."""

    def __init__(self, name: Name, settings: Settings) -> None:
        self.name = name
        self.name_servers = names.from_labels((b"ns", b"dns", *names.labels(name)))
        self.settings = settings
        self._serial = 0
        self._records: dict[tuple[int, int], bytes] = {}

    def __repr__(self) -> str:
        return f"Zone({names.to_text(self.name)!r}, serial={self._serial})"

    def set_serial(self, serial: int) -> None:
        """Let the SOA record say ``serial`` from now on."""
        self._serial = serial
        self._records.clear()

    def soa_answer(self, ttl_s_max: int) -> bytes:
        """Return the SOA record as an answer to a question for the zone's own name."""
        return self._soa(HEADER_BYTES, min(self.settings.dialect.soa_ttl_s, ttl_s_max))

    def soa_denial(self, ttl_s_max: int, owner_offset: int) -> bytes:
        """Return the SOA record for a negative answer.

        RFC 2308, section 3: its TTL is "the minimum of the MINIMUM field of the SOA record and the TTL of the SOA".

        Args:
            ttl_s_max: and at most this.
            owner_offset: where in the message the zone's name begins: in the question.
        """
        ttl_s = min(self.settings.negative_ttl_s, self.settings.dialect.soa_ttl_s, ttl_s_max)
        return self._soa(owner_offset, ttl_s)

    def _soa(self, owner_offset: int, ttl_s: int) -> bytes:
        record = self._records.get((owner_offset, ttl_s))
        if record is None:
            data = self._soa_data()
            fixed = struct.pack("!HHHIH", 0xC000 | owner_offset, Type.SOA, Class.IN, ttl_s, len(data))
            record = self._records[owner_offset, ttl_s] = fixed + data
        return record

    def _soa_data(self) -> bytes:
        settings = self.settings
        mailbox = settings.hostmaster or names.from_labels((b"hostmaster", *names.labels(self.name)))
        timers = (*settings.dialect.soa_timers_s, settings.negative_ttl_s)
        return self.name_servers + mailbox + struct.pack("!IIIII", self._serial, *timers)


class Zones:
    """Every zone, found by the longest match on whole labels."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._zones = {name: Zone(name, settings) for name in settings.zones}
        self._revision = 0
        self._epoch = 0

    def __repr__(self) -> str:
        return f"Zones({' '.join(map(names.to_text, self._zones))})"

    def of(self, name: Name) -> Zone | None:
        """Return the zone that ``name`` lies in, or None when it is not ours."""
        zones = self._zones
        for suffix in names.suffixes(name):
            if suffix in zones:
                return zones[suffix]
        return None

    def renew(self, settings: Settings) -> None:
        """Serve by ``settings`` from now on; the serials go on."""
        self.settings = settings
        self._zones = {name: Zone(name, settings) for name in settings.zones}
        self.set_revision(self._revision)

    def set_revision(self, revision: int) -> None:
        """Let every serial be ``revision``.

        A store restored from a backup starts again at a lower revision; the serial still goes up, by an offset, or
        secondaries would never look again (RFC 1982).
        """
        if revision < self._revision:
            self._epoch += self._revision - revision + 1
        self._revision = revision
        for zone in self._zones.values():
            zone.set_serial((revision + self._epoch) & _SERIAL_MASK)
