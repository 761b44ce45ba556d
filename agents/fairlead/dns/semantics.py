"""Which of our names a question is about, and what kind of answer it gets.

In this order, after SkyDNS: the zone is the longest match; ``local.dns.<zone>`` stands for a name of this host; a name that a
key delegates is answered by a referral; a name that is not there by its closest encloser's wildcard, or by NXDOMAIN.
Questions with wildcards see past all that.  What records say is `lookup`'s.
"""

from dataclasses import replace
from itertools import islice
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRsets, Soa
from fairlead.dns.choose.conditions import Seat
from fairlead.dns.choose.nearness import Location, narrowest
from fairlead.dns.client import Origin
from fairlead.dns.lookup import Lookup, ttl_s_of
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.tree import TooManyError, Tree, fixed_part
from fairlead.dns.zone import Settings, Zone, Zones

GLUE_MAX: Final = 64
"""Records read for the addresses of one server that a name is delegated to."""

_REVERSE: Final = (names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))


def answer_question(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Answer:
    """Return the answer for ``name``, in lower case, and ``qtype``; its zone is None when neither zone nor key is ours."""
    zone = zones.of(name)
    if zone is None:
        return _answer_reverse(name, qtype, tree=tree, zones=zones)
    if qtype == Type.DS and name == zone.name:
        # RFC 4035, section 3.1.4.1: the parent speaks of its child's keys.
        zone = zones.parent_of(zone) or zone
    lookup = Lookup(name, qtype, tree=tree, zones=zones, zone=zone)
    if name == zone.local_name and zones.settings.local is not None:
        lookup.read_from(zones.settings.local)
    else:
        fixed = name if zone.is_exact else fixed_part(name)
        place = tree.locate(fixed, zone=zone.name)
        if place.cut is not None and not (qtype == Type.DS and name == place.cut):
            return _refer(place.cut, tree=tree, zones=zones, zone=zone)
        if place.source is None or (fixed != name and not tree.exists(name)):
            return Answer(rcode=Rcode.NXDOMAIN, zone=zone, soa=Soa.AUTHORITY)
        if place.source != fixed:
            lookup.read_from(place.source, is_wildcard=True)
    if qtype == Type.SOA and name == zone.name:
        return Answer(zone=zone, soa=Soa.ANSWER)
    try:
        lookup.run()
    except TooManyError:
        return Answer(rcode=Rcode.SERVFAIL, zone=zone, depends_on=frozenset(lookup.depends_on))
    return _by_seat(lookup, tree) if lookup.hints else lookup.answer()


def _by_seat(lookup: Lookup, tree: Tree) -> Answer:
    """Return the answer whose records say where they are: one for each kind of client that they tell apart."""
    conditions = tree.conditions
    seats = conditions.seats(lookup.hints)
    locations = {seat.location for seat in seats}
    networks = [network for seat in seats if (network := seat.network) is not None]
    answers: dict[Answer, int] = {}
    numbers: dict[Seat, int] = {}
    for seat in seats:
        one = lookup.again(seat)
        one.run()
        numbers[seat] = answers.setdefault(one.answer(), len(answers))

    def choose(origin: Origin) -> int:
        location = conditions.map.locate(origin)
        seat = Seat(location if location in locations else Location(), narrowest(origin, networks))
        return numbers.get(seat, 0)

    return replace(lookup.answer(), choose=choose, variants=tuple(answers))


def _refer(cut: Name, *, tree: Tree, zones: Zones, zone: Zone) -> Answer:
    """Return the referral to the servers of ``cut``, with the addresses of those that only our keys know (glue)."""
    record = tree.own(cut)
    assert record is not None
    ttl_s = ttl_s_of(record, zones.settings)
    servers, glue = RRsets(), RRsets()
    depends_on = {cut}
    for target in record.data_of(Type.NS):
        servers.add(cut, Type.NS, ttl_s, target)
        if zones.of(target) is None:
            continue
        depends_on.add(target)
        for address, glue_ttl_s in _addresses(target, tree=tree, settings=zones.settings):
            glue.add(target, Type.A if len(address) == 4 else Type.AAAA, glue_ttl_s, address)
    for data in record.data_of(Type.DS):
        servers.add(cut, Type.DS, ttl_s, data)
    return Answer(
        zone=zone,
        authority=servers.sealed(),
        glue=glue.sealed(),
        is_referral=True,
        depends_on=frozenset(depends_on),
    )


def _addresses(target: Name, *, tree: Tree, settings: Settings) -> list[tuple[bytes, int]]:
    """Return the addresses at and below ``target`` with their TTLs, on whichever side of a cut they are."""
    found = []
    for record in islice(tree.beyond_cuts(target), GLUE_MAX):
        ttl_s = ttl_s_of(record, settings)
        addresses = [record.address] if record.address is not None else []
        if record.owner == target:
            addresses += record.data_of(Type.A) + record.data_of(Type.AAAA)
        found += [(address, ttl_s) for address in addresses]
    return found


def _answer_reverse(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Answer:
    """Answer a PTR question from its key although its zone is not ours, as SkyDNS does."""
    nothing = Answer(rcode=Rcode.REFUSED, zone=None)
    if not zones.settings.dialect.reverse_zones_are_implied or qtype != Type.PTR:
        return nothing
    if not any(suffix in _REVERSE for suffix in names.suffixes(name)):
        return nothing
    lookup = Lookup(name, qtype, tree=tree, zones=zones, zone=None)
    lookup.run()
    answer = lookup.answer()
    return answer if answer.answer else nothing
