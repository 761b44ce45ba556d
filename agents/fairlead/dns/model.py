"""What the store says, as the answers need it: keys in, records, settings and stale answers out.

A change is applied whole, between two queries: nobody sees half of a transaction.  A key that cannot be used is reported
and costs itself only: what it said before stays in force until it is written again or deleted.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from fairlead.dns.config import DnsConfig
from fairlead.dns.errors import BadKeyError, BadRecordError
from fairlead.dns.keys import KeySpace
from fairlead.dns.names import Name
from fairlead.dns.records import parse_record
from fairlead.dns.settings import settings_from
from fairlead.dns.table import Table
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones


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
        self.table = Table(entries_max=config.limits.entries_max)
        self._base = config.settings
        self._report = report
        self._bad_keys: set[bytes] = set()

    def __repr__(self) -> str:
        return f"Model({self.tree!r}, {self.zones!r}, {self.table!r})"

    def apply(self, revision: int, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        """Bring everything to ``revision``.

        Args:
            revision: the store's.
            puts: key to value; keys below the prefix.
            deletes: keys that are gone.
        """
        changed: set[Name] = set()
        for key in deletes:
            self._delete(key, changed)
        for key, value in puts.items():
            self._put(key, value, changed)
        self.zones.set_revision(revision)
        self.table.touch(changed)

    def _is_config(self, key: bytes) -> bool:
        return key == self.keys.config_key and self._base.dialect.reads_config

    def _put(self, key: bytes, value: bytes, changed: set[Name]) -> None:
        try:
            if self._is_config(key):
                self._renew(value)
            elif not (value == b"" and key.endswith(b"/")):  # the mark of a folder, to some writers
                name = self.keys.name_of(key)
                self.tree.put(parse_record(name, value))
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
        self.tree.remove(name)
        changed.add(name)

    def _renew(self, value: bytes) -> None:
        self.zones.renew(settings_from(value, base=self._base))
        self.table.clear()

    def _heal(self, key: bytes) -> None:
        if key in self._bad_keys:
            self._bad_keys.remove(key)
            self._report.healed(key)
