"""What became of each record that could have answered a question."""

from collections.abc import Mapping
from typing import Final

from fairlead.dns.choose.groups import choose_group
from fairlead.dns.lookup import Lookup
from fairlead.dns.message import Type
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.records import Record

_ADDRESS_BYTES: Final[dict[int, int]] = {Type.A: 4, Type.AAAA: 16}


class Verdicts:
    """Says of each record what became of it.  Whether it answers, the look-up says; why not, is worked out from what holds.

    Args:
        records: those that are looked at.
        qtype: what was asked for.
        lookup: has run.
        ill: owners of records that a check has found ill, and why.
        model: what the keys say.
    """

    def __init__(
        self, records: list[Record], qtype: int, *, lookup: Lookup, ill: Mapping[Name, str], model: Model
    ) -> None:
        self._qtype = qtype
        self._used = lookup.used
        self._conditions = conditions = model.tree.conditions
        self._ill = ill
        self._grouped = {record.owner for record in choose_group([r for r in records if self._is_of_kind(r)])}
        able = [record for record in records if record.owner in self._grouped and self._is_able(record)]
        self._alive = {record.owner for record in conditions.alive(able)}
        default = model.zones.settings.priority_default
        first = able
        if qtype in _ADDRESS_BYTES:
            first = conditions.chosen(able, priority_of=lambda record: record.priority or default)
        self._first = {record.owner for record in first}

    def __call__(self, record: Record) -> str:
        """Return what became of ``record``."""
        owner = record.owner
        if owner not in self._used:
            return self._why_not(record)
        words = ["answers"]
        if owner in self._conditions.down:
            words.append(f"although it is ill ({self._ill.get(owner, 'unknown')}): all are")
        if owner in self._conditions.shares:
            words.append(f"starting slowly, with {self._conditions.shares[owner]:.0%} of its weight")
        location = record.hints.location
        if record.hints.networks or location.zone or location.region:
            words.append(
                f"to clients near zone {location.zone or '-'}, region {location.region or '-'} first"
            )
        return ", ".join(words)

    def _why_not(self, record: Record) -> str:
        owner = record.owner
        if not self._is_able(record):
            return "nothing of this type"
        if owner not in self._grouped:
            return "left out: another group is chosen"
        if owner in self._conditions.down and owner not in self._alive:
            return f"left out: it is ill ({self._ill.get(owner, 'unknown')})"
        if self._qtype in _ADDRESS_BYTES and owner not in self._first:
            return "left out: a tier of less priority lives"
        if record.target is not None and self._qtype != Type.SRV:
            return "left out: it leads to nothing of this type"
        if record.hints.networks or record.hints.location.zone or record.hints.location.region:
            return "left out: others are nearer to who asks"
        return "left out: another key says the same"

    def _is_of_kind(self, record: Record) -> bool:
        """Whether groups are chosen among such records, whatever the type."""
        match self._qtype:
            case Type.TXT:
                return bool(record.text) or record.target is not None
            case Type.MX:
                return record.is_mail and _has_host(record)
            case _:
                return _has_host(record)

    def _is_able(self, record: Record) -> bool:
        if record.data_of(self._qtype):
            return True
        match self._qtype:
            case Type.A | Type.AAAA:
                size = _ADDRESS_BYTES[self._qtype]
                return record.target is not None or (
                    record.address is not None and len(record.address) == size
                )
            case Type.SRV:
                return _has_host(record)
            case Type.TXT:
                return bool(record.text)
            case Type.MX:
                return record.is_mail
            case Type.CNAME | Type.PTR:
                return record.target is not None
            case _:
                return False


def _has_host(record: Record) -> bool:
    return record.address is not None or record.target is not None
