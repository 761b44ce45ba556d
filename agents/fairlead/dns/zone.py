"""The zones that are ours, and the SOA record that speaks for each.

The serial is the store's revision: every replica that has applied the same changes says the same, and a secondary can tell
new from old.
"""

import copy
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fairlead.dns import names
from fairlead.dns.dialect import Dialect
from fairlead.dns.message import HEADER_BYTES, Class, Type
from fairlead.dns.names import Name

_SERIAL_MASK = 2**32 - 1
_NO_KEY_DATA: Final[Mapping[int, tuple[bytes, ...]]] = {}
KEY_TTL_S: Final = 3600
"""How long what zones say of their keys may be remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardSettings:
    """What ``<prefix>/config`` says about names outside our zones; None where it says nothing, and the flags decide.

    Attributes:
        nameservers: whom to ask, each as ``address`` or ``address:port``.
        no_rec: whether to ask nobody.
        ns_rotate: whether the name servers take turns.
        read_timeout_s: how long to wait for one of them.
    """

    nameservers: tuple[str, ...] | None = None
    no_rec: bool | None = None
    ns_rotate: bool | None = None
    read_timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose about the answers, on the command line or in ``<prefix>/config``.

    Attributes:
        zones: the names that we have authority over.
        dialect: how the keys are read.
        ttl_default_s: the TTL of records that name none, 0 to 2^31-1.
        negative_ttl_s: how long "no" may be remembered, 0 to 2^31-1.
        hostmaster: the zone's mailbox as a name; None means ``hostmaster.<zone>``.
        priority_default: the priority of records that name none, 1 to 65535.
        local: the name that ``local.dns.<zone>`` stands for on this host; None: it stands for itself.
        exact_zones: of ``zones``, those that are read as plain DNS: a name is answered from its own key alone, and
            a question has no wildcards.
        is_rotated: whether the records of an answer take turns.
        ndots: a CNAME out of our zones with fewer labels than this leads nobody anywhere.
        forwarding: about names outside.
    """

    zones: tuple[Name, ...]
    dialect: Dialect
    ttl_default_s: int
    negative_ttl_s: int
    hostmaster: Name | None = None
    priority_default: int = 10
    local: Name | None = None
    exact_zones: frozenset[Name] = frozenset()
    is_rotated: bool = True
    ndots: int = 2
    forwarding: ForwardSettings = field(default_factory=ForwardSettings)


class Zone:
    """One zone: its name and its SOA record."""

    def __init__(self, name: Name, settings: Settings) -> None:
        self.name = name
        self.name_servers = names.from_labels((b"ns", b"dns", *names.labels(name)))
        self.local_name = names.from_labels((b"local", b"dns", *names.labels(name)))
        self.settings = settings
        self._serial = 0
        self._records: dict[tuple[int, int], bytes] = {}
        self.is_exact = name in settings.exact_zones

    def stand_in(self, name: Name) -> Name | None:
        """Return whose records answer for ``name`` on this host, where they are not its own (``local.dns.<zone>``)."""
        return self.settings.local if name == self.local_name else None

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
        return self._soa(owner_offset, min(self.denial_ttl_s, ttl_s_max))

    @property
    def denial_ttl_s(self) -> int:
        """How long "no" may be remembered."""
        return min(self.settings.negative_ttl_s, self.settings.dialect.soa_ttl_s)

    def _soa(self, owner_offset: int, ttl_s: int) -> bytes:
        record = self._records.get((owner_offset, ttl_s))
        if record is None:
            data = self.soa_data()
            fixed = struct.pack("!HHHIH", 0xC000 | owner_offset, Type.SOA, Class.IN, ttl_s, len(data))
            record = self._records[owner_offset, ttl_s] = fixed + data
        return record

    def soa_data(self) -> bytes:
        """Return the data of the SOA record."""
        settings = self.settings
        mailbox = settings.hostmaster or names.from_labels((b"hostmaster", *names.labels(self.name)))
        timers = (*settings.dialect.soa_timers_s, settings.negative_ttl_s)
        return self.name_servers + mailbox + struct.pack("!IIIII", self._serial, *timers)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a serial is made of: the store's revision, and what was added since the store had to begin again lower."""

    revision: int = 0
    added: int = 0

    @property
    def serial(self) -> int:
        """The serial."""
        return (self.revision + self.added) & _SERIAL_MASK

    def at(self, revision: int) -> "Epoch":
        """Return the epoch at ``revision``; a lower one than before still makes a serial that goes up (RFC 1982)."""
        added = self.added + max(0, self.revision - revision + 1) if revision < self.revision else self.added
        return Epoch(revision, added)


class Zones:
    """Every zone, found by the longest match on whole labels."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._zones = {name: Zone(name, settings) for name in settings.zones}
        self._key_data: Mapping[Name, Mapping[int, tuple[bytes, ...]]] = {}
        self.epoch = Epoch()
        self.is_of_copy = False
        """Whether revisions come from a copy on disk, which may be older than what was served before."""

    def __repr__(self) -> str:
        return f"Zones({' '.join(map(names.to_text, self._zones))})"

    def snapshot(self) -> "Zones":
        """Return the zones as they are now, whatever settings come next; only their serials go on."""
        return copy.copy(self)

    def of(self, name: Name) -> Zone | None:
        """Return the zone that ``name`` lies in, or None when it is not ours."""
        zones = self._zones
        for suffix in names.suffixes(name):
            if suffix in zones:
                return zones[suffix]
        return None

    def parent_of(self, zone: Zone) -> Zone | None:
        """Return the zone of ours that ``zone`` lies in, if any."""
        return None if zone.name == names.ROOT else self.of(zone.name[1 + zone.name[0] :])

    def set_key_data(self, key_data: Mapping[Name, Mapping[int, tuple[bytes, ...]]]) -> None:
        """Let zones with keys say so, by type: DNSKEY, CDS and CDNSKEY at their apex, DS in their parent."""
        self._key_data = key_data

    def key_data(self, name: Name) -> Mapping[int, tuple[bytes, ...]]:
        """Return what `set_key_data` was given for ``name``."""
        return self._key_data.get(name, _NO_KEY_DATA)

    def renew(self, settings: Settings) -> None:
        """Serve by ``settings`` from now on; the serials go on."""
        self.settings = settings
        self._zones = {name: Zone(name, settings) for name in settings.zones}
        self._set_serials()

    def restore(self, epoch: Epoch) -> None:
        """Go on from ``epoch``, which was in force before a restart."""
        self.epoch = epoch
        self._set_serials()

    def set_revision(self, revision: int) -> None:
        """Let every serial be ``revision``.

        A store restored from a backup starts again at a lower revision; the serial still goes up, by an offset, or
        secondaries would never look again (RFC 1982).
        """
        if self.is_of_copy and revision < self.epoch.revision:
            return
        self.epoch = self.epoch.at(revision)
        self._set_serials()

    def serials(self) -> dict[Name, int]:
        """Return the serial of every zone."""
        return dict.fromkeys(self._zones, self.epoch.serial)

    def _set_serials(self) -> None:
        for zone in self._zones.values():
            zone.set_serial(self.epoch.serial)
