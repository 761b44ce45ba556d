"""Which of our names a question is about, and what kind of answer it gets.

In this order, after SkyDNS: the zone is the longest match; ``local.dns.<zone>`` stands for a name of this host; a name that a
key delegates is answered by a referral; a name that is not there by its closest encloser's wildcard, or by NXDOMAIN.
Questions with wildcards see past all that.  What records say is `lookup`'s.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
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


class Way(Enum):
    """What becomes of a question."""

    OUTSIDE = auto()
    """It lies in no zone of ours."""
    CUT = auto()
    """Other servers are named."""
    NOWHERE = auto()
    """Its name does not exist."""
    ZONE = auto()
    """The zone speaks for itself: its SOA record."""
    RECORDS = auto()
    """Records answer."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which way a question goes.

    Attributes:
        way: what becomes of it.
        zone: the zone that it lies in; of a question for DS, the parent of the name's own.
        cut: of a CUT, the name that is delegated.
        lookup: of RECORDS, ready to run.
    """

    way: Way
    zone: Zone | None = None
    cut: Name | None = None
    lookup: Lookup | None = None


def route_of(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Route:
    """Return which way a question for ``name``, in lower case, and ``qtype`` goes."""
    zone = zones.of(name)
    if zone is None:
        if not _is_pointer(name, qtype, tree=tree, zones=zones):
            return Route(Way.OUTSIDE)
        return Route(Way.RECORDS, lookup=Lookup(name, qtype, tree=tree, zones=zones, zone=None))
    if qtype == Type.DS and name == zone.name:
        # RFC 4035, section 3.1.4.1: the parent speaks of its child's keys.
        zone = zones.parent_of(zone) or zone
    lookup = Lookup(name, qtype, tree=tree, zones=zones, zone=zone)
    local = zone.stand_in(name)
    if local is not None:
        lookup.read_from(local)
    else:
        fixed = name if zone.is_exact else fixed_part(name)
        place = tree.locate(fixed, zone=zone.name)
        if place.cut is not None and not (qtype == Type.DS and name == place.cut):
            return Route(Way.CUT, zone, cut=place.cut)
        if place.source is None or (fixed != name and not tree.exists(name)):
            return Route(Way.NOWHERE, zone)
        if place.source != fixed:
            lookup.read_from(place.source, is_wildcard=True)
    if qtype == Type.SOA and name == zone.name:
        return Route(Way.ZONE, zone)
    return Route(Way.RECORDS, zone, lookup=lookup)


def answer_question(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Answer:
    """Return the answer for ``name``, in lower case, and ``qtype``; its zone is None when neither zone nor key is ours."""
    route = route_of(name, qtype, tree=tree, zones=zones)
    if route.way is Way.RECORDS:
        assert route.lookup is not None
        return _answer_by_records(route.lookup, route.zone, tree)
    if route.way is Way.CUT:
        assert route.cut is not None
        assert route.zone is not None
        return _refer(route.cut, tree=tree, zones=zones, zone=route.zone)
    if route.way is Way.ZONE:
        return Answer(zone=route.zone, soa=Soa.ANSWER)
    if route.way is Way.NOWHERE:
        return Answer(rcode=Rcode.NXDOMAIN, zone=route.zone, soa=Soa.AUTHORITY)
    return Answer(rcode=Rcode.REFUSED, zone=None)


def _answer_by_records(lookup: Lookup, zone: Zone | None, tree: Tree) -> Answer:
    try:
        lookup.run()
    except TooManyError:
        return Answer(rcode=Rcode.SERVFAIL, zone=zone, depends_on=frozenset(lookup.depends_on))
    if not lookup.hints:
        return lookup.answer()
    answers: dict[Answer, int] = {}
    numbers: dict[Seat, int] = {}
    seating = Seating(lookup, tree)
    for seat in seating.seats:
        one = lookup.again(seat)
        one.run()
        numbers[seat] = answers.setdefault(one.answer(), len(answers))

    def choose(origin: Origin) -> int:
        return numbers.get(seating.of(origin), 0)

    return replace(lookup.answer(), choose=choose, variants=tuple(answers))


class Seating:
    """The kinds of client that the records of one answer tell apart, since they say where they are.

    Args:
        lookup: has run.
    """

    def __init__(self, lookup: Lookup, tree: Tree) -> None:
        self._conditions = tree.conditions
        self.seats = tree.conditions.seats(lookup.hints)
        self._locations = {seat.location for seat in self.seats}
        self._networks = [network for seat in self.seats if (network := seat.network) is not None]

    def of(self, origin: Origin) -> Seat:
        """Return where ``origin`` sits."""
        location = self._conditions.map.locate(origin)
        known = location if location in self._locations else Location()
        return Seat(known, narrowest(origin, self._networks))


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


def _is_pointer(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> bool:
    """Whether a key answers a PTR question although its zone is not ours, as SkyDNS does."""
    if not zones.settings.dialect.reverse_zones_are_implied or qtype != Type.PTR:
        return False
    if not any(suffix in _REVERSE for suffix in names.suffixes(name)):
        return False
    own = tree.own(name)
    return own is not None and (own.target is not None or bool(own.data_of(Type.PTR)))
