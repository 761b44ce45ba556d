"""Which types of record a name has, from one look at its records: what a denial says, and what a transfer looks for."""

from itertools import islice
from typing import Final

from fairlead.dns.message import Type
from fairlead.dns.names import Name
from fairlead.dns.records import Record
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zone, Zones

_LOOKED_AT_MAX: Final = 64
_ANY_RECORD: Final = frozenset(
    {int(one) for one in (Type.A, Type.AAAA, Type.MX, Type.PTR, Type.SRV, Type.TXT)}
)
_ANY_HOST: Final = frozenset({int(Type.A), int(Type.AAAA), int(Type.SRV), int(Type.TXT)})


def present_types(name: Name, *, tree: Tree, zones: Zones, zone: Zone) -> set[int]:
    """Return every type that a question for ``name``, which exists in ``zone``, may find; never CNAME.

    It may name some that are not there, a target without addresses say: who takes that for a fact still has to ask.  To
    leave one out that is there would be a lie that others remember (RFC 8198).
    """
    place = tree.locate(name, zone=zone.name)
    source = zone.stand_in(name) or place.source or name
    own = tree.own(source)
    if place.cut is not None or zones.of(name) is not zone:
        # Of a delegated name the parent has what delegates it, and nothing else.
        has_ds = Type.DS in zones.key_data(name) or (own is not None and bool(own.data_of(Type.DS)))
        return {Type.NS, Type.DS} if has_ds else {Type.NS}
    types: set[int] = set()
    if name == zone.name:
        types |= {Type.SOA, Type.NS, Type.A, Type.AAAA} | set(zones.key_data(name)) - {Type.DS}
    if own is not None:
        types |= {rtype for rtype, _ in own.data}
        types |= {Type.PTR} if own.target is not None else set()
    if zone.is_exact:
        records = [own] if own is not None else []
    else:
        records = list(islice(tree.below(source), _LOOKED_AT_MAX + 1))
    if len(records) > _LOOKED_AT_MAX:
        types |= _ANY_RECORD  # rather too many than a look at each
    for record in records:
        types |= _types_of(record)
    return types


def _types_of(record: Record) -> set[int]:
    types: set[int] = set()
    if record.address is not None:
        types |= {Type.A if len(record.address) == 4 else Type.AAAA, Type.SRV}
    if record.target is not None:
        types |= _ANY_HOST | {Type.PTR}
    if record.text:
        types.add(Type.TXT)
    if record.is_mail:
        types.add(Type.MX)
    return types
