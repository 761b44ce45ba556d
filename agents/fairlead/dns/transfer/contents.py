"""A whole zone as records: every name with what we would answer to a question for it.

A zone file can say less than keys can.  Where a name is an alias and something else besides, the secondary is given the addresses
instead of the alias; where an alias leads outside and the name has other data, the alias is left out.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import RRset, Soa
from fairlead.dns.lookup import ttl_s_of
from fairlead.dns.message import Type
from fairlead.dns.names import Name
from fairlead.dns.present import present_types
from fairlead.dns.records import Record
from fairlead.dns.semantics import answer_question
from fairlead.dns.tree import Node, Tree
from fairlead.dns.wire import srv_data
from fairlead.dns.zone import Zone, Zones

_ARPA: Final = names.from_text("arpa")
_OF_HOSTS: Final = frozenset({int(Type.A), int(Type.AAAA), int(Type.SRV), int(Type.TXT), int(Type.MX)})


def zone_rrsets(zone: Zone, *, tree: Tree, zones: Zones) -> Iterator[RRset]:
    """Yield every RRset of ``zone`` but its SOA, a name's all together, parents first, each made when it is wanted.

    Args:
        zone: one of ``zones``.
        tree: a snapshot, since what it shows must not change meanwhile.  Of health and nearness it knows nothing: they
            change without a serial, and a secondary's clients are not ours.
        zones: a snapshot too.
    """
    told: set[tuple[Name, int]] = set()
    for name, node in tree.walk_zone(zone.name):
        if not node.is_cut or name == zone.name:
            yield from _name_rrsets(name, node, zone, tree=tree, zones=zones)
            continue
        for rrset in _cut_rrsets(name, zone, tree=tree, zones=zones):
            # Glue of several delegations may be the same.
            if rrset.owner == name or (rrset.owner, rrset.rtype) not in told:
                yield rrset
            told.add((rrset.owner, rrset.rtype))


def _cut_rrsets(name: Name, zone: Zone, *, tree: Tree, zones: Zones) -> Iterator[RRset]:
    """Yield the delegation at ``name``: to others by a referral, or to another zone of ours."""
    if zones.of(name) is zone:
        referral = answer_question(name, Type.A, tree=tree, zones=zones)
        yield from referral.authority
        glue = referral.glue
    else:
        servers = answer_question(name, Type.NS, tree=tree, zones=zones)
        yield from servers.answer
        yield from answer_question(name, Type.DS, tree=tree, zones=zones).answer
        glue = servers.additional
    yield from (rrset for rrset in glue if _is_beyond_cut(rrset.owner, zone, tree=tree, zones=zones))


def _is_beyond_cut(name: Name, zone: Zone, *, tree: Tree, zones: Zones) -> bool:
    """Whether ``name`` lies below ``zone`` and is not its own: then its addresses have no other place to be told."""
    if not names.is_within(name, zone.name):
        return False
    return zones.of(name) is not zone or tree.locate(name, zone=zone.name).cut is not None


def _name_rrsets(name: Name, node: Node, zone: Zone, *, tree: Tree, zones: Zones) -> Iterator[RRset]:
    if (
        not node.children
        and node.record is not None
        and name != zone.name
        and not names.is_within(name, _ARPA)
    ):
        plain = _plain_rrsets(node.record, zone)
        if plain is not None:
            yield from plain
            return
    types = present_types(name, tree=tree, zones=zones, zone=zone) - {Type.SOA}
    own_types = {rtype for rtype, _ in node.record.data} if node.record is not None else set()
    # Below arpa a record that is a name is a pointer, and elsewhere it is none.
    if not names.is_within(zone.name, _ARPA):
        types -= {Type.PTR}
    elif not names.is_within(name, zone.name_servers):
        types -= _OF_HOSTS
    types |= own_types
    if _is_alias_alone(name, node, zone, types, tree=tree):
        yield from (
            r
            for r in _answers(name, Type.A, tree=tree, zones=zones)
            if r.rtype == Type.CNAME and r.owner == name
        )
        return
    for rtype in sorted(types):
        answers = _answers(name, rtype, tree=tree, zones=zones)
        data = dict.fromkeys(data for rrset in answers if rrset.rtype == rtype for data in rrset.rdatas)
        if data:
            yield RRset(name, rtype, min(rrset.ttl_s for rrset in answers), tuple(data))


def _plain_rrsets(record: Record, zone: Zone) -> tuple[RRset, ...] | None:
    """Return what an address and nothing else gives its name, which most names are, without asking; else None."""
    if record.address is None or record.is_mail or record.text or record.data:
        return None
    settings = zone.settings
    ttl_s = ttl_s_of(record, settings)
    address = RRset(record.owner, Type.A if len(record.address) == 4 else Type.AAAA, ttl_s, (record.address,))
    if record.port == settings.dialect.srv_port_hidden:
        return (address,)
    target = names.strip(record.owner, record.target_strip)
    priority = record.priority or settings.priority_default
    return (address, RRset(record.owner, Type.SRV, ttl_s, (srv_data(priority, 100, record.port, target),)))


def _answers(name: Name, rtype: int, *, tree: Tree, zones: Zones) -> tuple[RRset, ...]:
    answer = answer_question(name, rtype, tree=tree, zones=zones)
    if answer.soa is not Soa.NOWHERE:
        return ()
    return tuple(
        replace(rrset, rdatas=rrset.rdatas[:1], weights=()) if rrset.rtype == Type.CNAME else rrset
        for rrset in answer.answer
    )


def _is_alias_alone(name: Name, node: Node, zone: Zone, types: set[int], *, tree: Tree) -> bool:
    """Whether the one thing that ``name`` says is another name."""
    if name == zone.name or Type.PTR in types:
        return False
    records = [node.record] if zone.is_exact else list(islice(tree.below(name), 2))
    if len(records) != 1 or records[0] is None:
        return False
    record = records[0]
    says_more = record.port > 0 or record.is_mail or record.text or record.data
    return record.target is not None and not says_more
