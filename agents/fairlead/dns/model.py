"""What the store says, as the answers need it: keys in, records, settings and stale answers out.

A change is applied whole, between two queries: nobody sees half of a transaction.  A key that cannot be used is reported
and costs itself only: what it said before stays in force until it is written again or deleted.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from fairlead.dns.config import DnsConfig
from fairlead.dns.errors import BadKeyError, BadRecordError
from fairlead.dns.keys import KeySpace
from fairlead.dns.leases import Leases
from fairlead.dns.message import Type
from fairlead.dns.names import Name
from fairlead.dns.records import Record, parse_record
from fairlead.dns.settings import settings_from
from fairlead.dns.table import Table
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones

_LOG = logging.getLogger(__name__)
_NO_LEASES: Final[Mapping[bytes, int]] = {}


class Report(Protocol):
    """Who hears of keys that cannot be used."""

    def problem(self, key: bytes, text: str, /) -> None:
        """``key`` is wrong; ``text`` says how, and what to do."""

    def healed(self, key: bytes, /) -> None:
        """``key`` is right again, or gone."""


class Model:
    """Tree, zones and table as of one revision of the store."""

    def __init__(self, config: DnsConfig, *, report: Report) -> None:
        self.keys = KeySpace(config.path_prefix)
        self.tree = Tree()
        self.zones = Zones(config.settings)
        self.tree.set_apexes(self.zones.settings.zones)
        self.table = Table(entries_max=config.limits.entries_max)
        self.leases = Leases()
        self._base = config.settings
        self._report = report
        self._bad_keys: set[bytes] = set()

    def __repr__(self) -> str:
        return f"Model({self.tree!r}, {self.zones!r}, {self.table!r})"

    def apply(
        self,
        revision: int,
        puts: Mapping[bytes, bytes],
        deletes: Iterable[bytes] = (),
        *,
        leases: Mapping[bytes, int] = _NO_LEASES,
    ) -> None:
        """Bring everything to ``revision``.

        Args:
            revision: the store's.
            puts: key to value; keys below the prefix.
            deletes: keys that are gone.
            leases: key to the lease that it hangs on, of ``puts`` that hang on one.
        """
        changed: set[Name] = set()
        for key in deletes:
            self._delete(key, changed)
        for key, value in puts.items():
            self._put(key, value, changed, lease_id=leases.get(key, 0))
        self.zones.set_revision(revision)
        self.table.touch(changed)

    def learn_lease(self, lease_id: int, granted_s: int) -> None:
        """Take up what a lease was granted for, in seconds; 0 or less: it is gone."""
        changed = []
        for name in self.leases.learn(lease_id, granted_s):
            record = self.tree.own(name)
            if record is not None and record.lease_id == lease_id:
                self.tree.put(replace(record, lease_ttl_s=granted_s))
                changed.append(name)
        self.table.touch(changed)

    def _is_config(self, key: bytes) -> bool:
        return key == self.keys.config_key and self._base.dialect.reads_config

    def _put(self, key: bytes, value: bytes, changed: set[Name], *, lease_id: int) -> None:
        try:
            if self._is_config(key):
                self._renew(value)
            elif not (value == b"" and key.endswith(b"/")):  # the mark of a folder, to some writers
                name = self.keys.name_of(key)
                granted_s = self.leases.granted_s(lease_id)
                record = parse_record(name, value, lease_id=lease_id, lease_ttl_s=granted_s)
                self._replace(name, record)
                changed.add(name)
        except (BadKeyError, BadRecordError) as error:
            self._bad_keys.add(key)
            self._report.problem(key, str(error))
        else:
            self._heal(key)

    def _delete(self, key: bytes, changed: set[Name]) -> None:
        self._heal(key)
        if self._is_config(key):
            self._renew(b"{}")
            return
        try:
            name = self.keys.name_of(key)
        except BadKeyError:
            return
        self._replace(name, None)
        changed.add(name)

    def _replace(self, name: Name, record: Record | None) -> None:
        old = self.tree.own(name)
        if record is None:
            self.tree.remove(name)
        else:
            self.tree.put(record)
        new_lease = record.lease_id if record is not None else 0
        if new_lease:
            self.leases.hang(name, new_lease)
        if old is not None and old.lease_id not in (0, new_lease):
            self.leases.release(name, old.lease_id)
        if _cut_of(old) != _cut_of(record):
            # All names below it are answered by others now, or by us again; nothing says which those are.
            self.table.clear()

    def _renew(self, value: bytes) -> None:
        settled = settings_from(value, base=self._base)
        for ignored in settled.ignored:
            _LOG.info("%s: without effect here: %s", self.keys.config_key.decode(), ignored)
        self.zones.renew(settled.settings)
        self.tree.set_apexes(settled.settings.zones)
        self.table.clear()

    def _heal(self, key: bytes) -> None:
        if key in self._bad_keys:
            self._bad_keys.remove(key)
            self._report.healed(key)


def _cut_of(record: Record | None) -> list[bytes]:
    """Return the servers that ``record`` delegates its name to."""
    return record.data_of(Type.NS) if record is not None else []
