"""SkyDNS's rules: what the records of a name say to a type of question.

A name is answered from its own record and all records below it, in an exact zone from its own alone.  A record whose host is
an address gives A or AAAA; one whose host is a name gives a CNAME that is followed inside our zones.  Data of other types
belongs to exactly its name.  Where SkyDNS and CoreDNS differ, the dialect's table decides.
"""

import struct
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRsets, Soa, soa_rrset
from fairlead.dns.choose.groups import choose_group
from fairlead.dns.choose.nearness import NOWHERE, Hints
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.records import Record
from fairlead.dns.tree import Kind, Place, TooManyError, Tree, fixed_part
from fairlead.dns.wire import split_text, srv_data
from fairlead.dns.zone import KEY_TTL_S, Settings, Zone, Zones

if TYPE_CHECKING:
    from fairlead.dns.choose.conditions import Seat

RECORDS_MAX: Final = 4096
"""Records read for one answer; as A records alone they fill 64 KiB, which is all that DNS can carry."""

_ADDRESS_BYTES: Final[dict[int, int]] = {Type.A: 4, Type.AAAA: 16}
_HINFO_ANY: Final = b"\x07RFC8482\x00"  # RFC 8482, section 4.2

_Found = tuple[Name, int, int, bytes, int, tuple[Name, ...]]
"""Owner, type, TTL in seconds, data, weight, and the owners of the records that it comes from, in the order of the way to it."""


class Lookup:
    """One question while it is being answered."""

    def __init__(self, name: Name, qtype: int, *, tree: Tree, zones: Zones, zone: Zone | None) -> None:
        self.depends_on = {fixed_part(name)}
        self.hints: set[Hints] = set()
        """What the records said of where they are: an answer with any depends on who asks."""
        self.seat: Seat | None = None
        self.used: set[Name] = set()
        """The owners of the records that the answer is made of."""
        self._name = name
        self.source = name
        """Whose records answer."""
        self._is_kept = True
        self._qtype = qtype
        self._tree = tree
        self._zones = zones
        self.zone = zone
        self._dialect = zones.settings.dialect
        self._answer = RRsets()
        self._additional = RRsets()
        self._followed: dict[tuple[Name, int], bool] = {}
        self._dead_end: tuple[Place, Name, Zone] | None = None
        self._records_left = RECORDS_MAX

    @property
    def reads_subtree(self) -> bool:
        """Whether records below the name may answer too."""
        is_pointers = self._qtype == Type.PTR and self._dialect.ptr_reads_subtree
        return not self._is_exact() and (self._qtype in _OF_SUBTREES or is_pointers)

    def again(self, seat: "Seat") -> "Lookup":
        """Return a fresh look-up of the same question, as asked from ``seat``."""
        other = Lookup(self._name, self._qtype, tree=self._tree, zones=self._zones, zone=self.zone)
        if self.source != self._name:
            other.read_from(self.source, is_wildcard=not self._is_kept)
        other.seat = seat
        return other

    def read_from(self, source: Name, *, is_wildcard: bool = False) -> None:
        """Answer with the records of ``source`` as if they were the name's (RFC 4592, section 3.3.1)."""
        self.source = source
        self._is_kept = not is_wildcard
        self.depends_on.add(source)

    def run(self) -> None:
        """Collect the records."""
        collect = _COLLECT.get(self._qtype)
        if collect is not None:
            collect(self)
        elif self._is_exact() and not self._is_at_cut():
            self.collect_data()
        if self._qtype not in _WITHOUT_OWN_DATA:
            self._collect_own_data()

    def answer(self) -> Answer:
        """Return what was collected; no record at all is NODATA (RFC 2308, section 2.2)."""
        depends_on = frozenset(self.depends_on if self._is_kept else ())
        if not self._answer:
            return Answer(zone=self.zone, soa=Soa.AUTHORITY, depends_on=depends_on)
        answer = self._answer.sealed(ttl_s_max=self._answer.ttl_s_min())
        if self._dead_end is not None:
            # RFC 2308, section 2.1, and RFC 6604: what is said is said of the last name.
            place, name, zone = self._dead_end
            rcode = Rcode.NXDOMAIN if place.source is None else Rcode.NOERROR
            soa = soa_rrset(zone, ttl_s=zone.denial_ttl_s)
            return Answer(zone=self.zone, rcode=rcode, answer=answer, authority=(soa,), denied=name)
        return Answer(
            zone=self.zone,
            answer=answer,
            additional=self._additional.sealed(),
            depends_on=depends_on,
        )

    # Each of these collects for one type of question.

    def collect_data(self) -> None:
        """A, AAAA and TXT: the data itself, through CNAMEs where need be."""
        for found in self._data(self._name, self._qtype, source=self.source):
            self._add(self._answer, found)

    def _collect_own_data(self) -> None:
        own = self._tree.own(self.source)
        if own is not None:
            for data in own.data_of(self._qtype):
                self._say(own, self._qtype, data)
        for data in self._zones.key_data(self._name).get(self._qtype, ()):
            # A zone without a parent here has no DS to show.
            if self._qtype != Type.DS or (self.zone is not None and self.zone.name != self._name):
                self._answer.add(self._name, self._qtype, KEY_TTL_S, data)

    def collect_services(self) -> None:
        """SRV: a weight is the record's share, in percent, of the weights of its priority."""
        hidden = self._dialect.srv_port_hidden
        records = self._tree.conditions.alive([r for r in choose_group(self._services()) if r.port != hidden])
        sums: dict[int, int] = {}
        for record in records:
            priority = self._priority(record)
            sums[priority] = sums.get(priority, 0) + record.weight
        for record in records:
            priority = self._priority(record)
            share = max(100 * record.weight // sums[priority], self._dialect.srv_weight_min)
            target = record.target or names.strip(record.owner, record.target_strip)
            data = srv_data(priority, share, record.port, target)
            self._say(record, Type.SRV, data)
            self._add_target(record, target)

    def collect_mail(self) -> None:
        """MX: the records that say ``mail``."""
        records = self._records(
            self.source, lambda record: record.is_mail and _has_host(record), kind="mails"
        )
        records = choose_group(records) if self._dialect.mx_is_grouped else records
        for record in self._tree.conditions.alive(records):
            target = record.target or names.strip(record.owner, record.target_strip)
            data = struct.pack("!H", self._priority(record)) + target
            self._say(record, Type.MX, data)
            self._add_target(record, target)

    def collect_cname(self) -> None:
        """CNAME: the name's own record only, since a subtree has no one canonical name."""
        record = self._tree.own(self.source)
        if record is not None and record.target is not None and record.target != self._name:
            self._say(record, Type.CNAME, record.target)

    def collect_pointers(self) -> None:
        """PTR: names only."""
        own = self._tree.own(self.source)
        records: Iterable[Record] = [own] if own is not None else []
        if self._dialect.ptr_reads_subtree:
            records = self._hosts(self.source)
        for record in records:
            if record.target is not None:
                self._say(record, Type.PTR, record.target)

    def collect_name_servers(self) -> None:
        """NS: at the apex, the addresses below ``ns.dns.<zone>`` under the names of their keys."""
        if self.zone is None or self._name != self.zone.name:
            return
        for record in self._records(self.zone.name_servers, _has_host, is_subtree=True):
            if record.address is None:
                continue  # The target of NS must not be an alias (RFC 2181, section 10.3): SkyDNS takes addresses only.
            strip = record.target_strip if self._dialect.ns_target_is_stripped else 0
            target = names.strip(record.owner, strip)
            self._say(record, Type.NS, target)
            self._add_target(record, target)

    def collect_any(self) -> None:
        """ANY: one synthesized HINFO, so that nobody can be flooded with what we know (RFC 8482)."""
        self._answer.add(self._name, Type.HINFO, self._zones.settings.ttl_default_s, _HINFO_ANY)

    def _say(self, record: Record, rtype: int, data: bytes) -> None:
        """Put ``data``, which ``record`` gives the name, into the answer."""
        self.used.add(record.owner)
        self._answer.add(self._name, rtype, self._ttl_s(record), data)

    def _add(self, rrsets: RRsets, found: _Found) -> None:
        self.used.update(found[-1])
        rrsets.add(*found[:-1])

    # How records are read.

    def _records(
        self,
        name: Name,
        wanted: Callable[[Record], bool],
        *,
        kind: Kind = "hosts",
        is_subtree: bool = False,
    ) -> list[Record]:
        zone = self._zones.of(name)
        if zone is not None and zone.is_exact and not is_subtree:
            own = self._tree.own(name)
            return [own] if own is not None and wanted(own) else []
        self.depends_on.add(fixed_part(name))
        if self._tree.count(name, kind) > 2 * RECORDS_MAX:
            raise TooManyError  # without a look at each; half of them may be beyond cuts
        records = list(islice(filter(wanted, self._tree.below(name, kind)), self._records_left + 1))
        self._records_left -= len(records)
        if self._records_left < 0:
            raise TooManyError
        return records

    def _hosts(self, name: Name) -> list[Record]:
        apex = self._apex(name)
        return self._records(apex, _has_host, is_subtree=apex != name)

    def _texts(self, name: Name) -> list[Record]:
        wanted = _has_text_or_name if self._is_followed(Type.TXT) else _has_text
        return self._records(name, wanted, kind="texts")

    def _services(self) -> list[Record]:
        """Return the records for SRV; to SkyDNS those that say the same are one, whatever their keys."""
        records = self._hosts(self.source)
        if not self._dialect.services_collapse:
            return records
        distinct: dict[tuple[object, ...], Record] = {}
        for record in records:
            said = (record.address, record.target, record.port, record.priority, record.weight, record.text)
            distinct.setdefault(said, record)
        return list(distinct.values())

    def _apex(self, name: Name) -> Name:
        """CoreDNS keeps a zone's own addresses below ``apex.dns.<zone>``, beside the whole zone."""
        label = self._dialect.apex_label
        zone = self._zones.of(name) if label is not None else None
        if zone is None or label is None or name != zone.name:
            return name
        apex = names.from_labels((label, b"dns", *names.labels(name)))
        self.depends_on.add(apex)
        return apex if self._tree.exists(apex) else name

    def _data(self, owner: Name, rtype: int, *, source: Name, depth: int = 0) -> list[_Found]:
        """Return the records of ``rtype`` that ``source`` gives to ``owner``, with the CNAMEs on the way."""
        records = self._hosts(source) if rtype != Type.TXT else self._texts(source)
        found: list[_Found] = []
        own = self._tree.own(source)
        if own is not None:
            found += [(owner, rtype, self._ttl_s(own), data, 0, (source,)) for data in own.data_of(rtype)]
        links: list[_Found] = []
        for record in self._chosen(choose_group(records), rtype):
            data = _data_of(record, rtype)
            if data is not None:
                weight = self._tree.conditions.weight_of(record)
                found.append((owner, rtype, self._ttl_s(record), data, weight, (record.owner,)))
            elif record.target is not None and self._is_followed(rtype):
                links += self._through(record, owner, rtype, depth=depth)
        if not found:
            return links
        # Beside data of its own a name has no CNAME (RFC 1034, section 3.6.2): what the others lead to is its own too.
        return found + [(owner, rtype, *rest) for _, kind, *rest in links if kind == rtype]  # type: ignore[misc]

    def _chosen(self, records: list[Record], rtype: int) -> list[Record]:
        """Of addresses, return the records that are alive, of the first tier, and near to who asks."""
        if rtype not in {Type.A, Type.AAAA}:
            return records
        able = [r for r in records if r.target is not None or _data_of(r, rtype) is not None]
        self.hints.update(record.hints for record in able if record.hints is not NOWHERE)
        return self._tree.conditions.chosen(able, priority_of=self._priority, seat=self.seat)

    def _is_followed(self, rtype: int) -> bool:
        """Whether records that are names stand for what those names have of ``rtype``."""
        if rtype in {Type.A, Type.AAAA} or (rtype == Type.TXT and self._dialect.txt_follows_cname):
            return True
        return self._is_exact()

    def _is_exact(self) -> bool:
        return self.zone is not None and self.zone.is_exact

    def _is_at_cut(self) -> bool:
        """Whether others say what the name is, and we say of it no more than DS."""
        own = self._tree.own(self.source)
        return self._zones.of(self._name) is not self.zone or (own is not None and own.is_delegation)

    def _through(self, record: Record, owner: Name, rtype: int, *, depth: int) -> list[_Found]:
        """Return the CNAME to the target and what it leads to; nothing when it leads nowhere or in a circle.

        A target is read once for one answer, however many records lead to it: a tangle of CNAMEs written by
        somebody else costs no more than its records.
        """
        target = record.target
        assert target is not None
        weight = self._tree.conditions.weight_of(record)
        link = (owner, int(Type.CNAME), self._ttl_s(record), target, weight, (record.owner,))
        zone = self._zones.of(target)
        if zone is None:
            leads_on = names.count_labels(target) >= self._zones.settings.ndots and rtype != Type.TXT
            return [link] if leads_on or self._is_exact() else []
        step = (target, rtype)
        if step in self._followed:
            return [link] if self._followed[step] else []
        if target in (owner, self._name) or depth >= self._dialect.chain_max:
            return []
        self._followed[step] = False
        place = self._locate(target, zone)
        rest: list[_Found] = []
        if place.source is not None and place.cut is None:
            for *found, by in self._data(target, rtype, source=place.source, depth=depth + 1):
                rest.append((*found, (record.owner, *by)))  # type: ignore[arg-type]
        # Beyond a delegation others know the rest; in an exact zone a CNAME stands, whatever it leads to.
        is_kept = bool(rest) or place.cut is not None or self._is_exact()
        if not rest and place.cut is None and self._is_exact():
            self._dead_end = (place, target, zone)
        self._followed[step] = is_kept
        return [link, *rest] if is_kept else []

    def _locate(self, target: Name, zone: Zone) -> Place:
        place = self._tree.locate(target, zone=zone.name)
        self.depends_on.update(place.decided_by)
        return place

    def _add_target(self, record: Record, target: Name) -> None:
        """Put the addresses of ``target`` into the additional section, where we know them."""
        if record.address is not None:
            rtype = Type.A if len(record.address) == 4 else Type.AAAA
            self._additional.add(target, rtype, self._ttl_s(record), record.address)
        elif (zone := self._zones.of(target)) is not None:
            place = self._locate(target, zone)
            if place.source is not None and place.cut is None:
                for target_type in self._dialect.target_types:
                    self._add_addresses(target, target_type, source=place.source)

    def _add_addresses(self, target: Name, rtype: int, *, source: Name) -> None:
        step = (target, rtype)
        if step in self._followed:
            return
        self._followed[step] = False
        records = self._data(target, rtype, source=source)
        self._followed[step] = bool(records)
        for found in records:
            self._add(self._additional, found)

    def _ttl_s(self, record: Record) -> int:
        return ttl_s_of(record, self._zones.settings)

    def _priority(self, record: Record) -> int:
        return record.priority or self._zones.settings.priority_default


def ttl_s_of(record: Record, settings: Settings) -> int:
    """Return how long ``record`` may be remembered: what it says, and no longer than its lease was granted for."""
    if not record.lease_ttl_s:
        return record.ttl_s or settings.ttl_default_s
    least, most = settings.dialect.lease_ttl_s
    lease_ttl_s = min(max(record.lease_ttl_s, least), most)
    return min(record.ttl_s or lease_ttl_s, lease_ttl_s)


_WITHOUT_OWN_DATA: Final = frozenset({Type.ANY, Type.CNAME, Type.A, Type.AAAA, Type.TXT})
"""Types that have none of their own, or whose collector takes it up."""

_OF_SUBTREES: Final = frozenset({Type.A, Type.AAAA, Type.TXT, Type.SRV, Type.MX})

_COLLECT: Final[dict[int, Callable[[Lookup], None]]] = {
    Type.A: Lookup.collect_data,
    Type.AAAA: Lookup.collect_data,
    Type.TXT: Lookup.collect_data,
    Type.SRV: Lookup.collect_services,
    Type.MX: Lookup.collect_mail,
    Type.CNAME: Lookup.collect_cname,
    Type.PTR: Lookup.collect_pointers,
    Type.NS: Lookup.collect_name_servers,
    Type.ANY: Lookup.collect_any,
}


def _has_host(record: Record) -> bool:
    return record.address is not None or record.target is not None


def _has_text(record: Record) -> bool:
    return bool(record.text)


def _has_text_or_name(record: Record) -> bool:
    return bool(record.text) or record.target is not None


def _data_of(record: Record, rtype: int) -> bytes | None:
    if rtype == Type.TXT:
        return split_text(record.text) if record.text else None
    if record.address is not None and len(record.address) == _ADDRESS_BYTES.get(rtype):
        return record.address
    return None
