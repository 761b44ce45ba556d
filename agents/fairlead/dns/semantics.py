"""SkyDNS's rules: which records of the tree answer a name and a type.

A name is answered from its own record and all records below it.  A record whose host is an address gives A or AAAA; one
whose host is a name gives a CNAME that is followed inside our zones.  Where SkyDNS and CoreDNS differ, the dialect's table
decides; deliberately absent, until they are built: forwarding, delegation, wildcards stored in keys.
"""

import struct
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRsets, Soa
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.records import Record
from fairlead.dns.tree import Tree, fixed_part
from fairlead.dns.wire import split_text
from fairlead.dns.zone import Zone, Zones

CHAIN_MAX: Final = 8
"""CNAMEs followed one after another; SkyDNS's number."""

RECORDS_MAX: Final = 4096
"""Records read for one answer; as A records alone they fill 64 KiB, which is all that DNS can carry."""

EXTERNAL_LABELS_MIN: Final = 2
"""A CNAME that leaves our zones for a name of one label (``server1``) leads nobody anywhere; SkyDNS's ``ndots``."""

_HINFO_ANY: Final = b"\x07RFC8482\x00"  # RFC 8482, section 4.2
_REVERSE: Final = (names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))

_Found = tuple[Name, int, int, bytes]  # owner, type, TTL in seconds, data


class _TooManyRecordsError(Exception):
    """An answer needs more than RECORDS_MAX records."""


def answer_question(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Answer:
    """Return the answer for ``name``, in lower case, and ``qtype``; its zone is None when neither zone nor key is ours."""
    zone = zones.of(name)
    if zone is None:
        return _answer_reverse(name, qtype, tree=tree, zones=zones)
    if name != zone.name and not tree.exists(name):
        return Answer(rcode=Rcode.NXDOMAIN, zone=zone, soa=Soa.AUTHORITY)
    if qtype == Type.SOA and name == zone.name:
        return Answer(zone=zone, soa=Soa.ANSWER)
    lookup = _Lookup(name, qtype, tree=tree, zones=zones, zone=zone)
    try:
        lookup.run()
    except _TooManyRecordsError:
        return Answer(rcode=Rcode.SERVFAIL, zone=zone, depends_on=frozenset(lookup.depends_on))
    return lookup.answer()


def _answer_reverse(name: Name, qtype: int, *, tree: Tree, zones: Zones) -> Answer:
    """Answer a PTR question from its key although its zone is not ours, as SkyDNS does."""
    nothing = Answer(rcode=Rcode.REFUSED, zone=None)
    if not zones.settings.dialect.reverse_zones_are_implied or qtype != Type.PTR:
        return nothing
    if not any(suffix in _REVERSE for suffix in names.suffixes(name)):
        return nothing
    lookup = _Lookup(name, qtype, tree=tree, zones=zones, zone=None)
    lookup.run()
    answer = lookup.answer()
    return answer if answer.answer else nothing


class _Lookup:
    """One question while it is being answered."""

    def __init__(self, name: Name, qtype: int, *, tree: Tree, zones: Zones, zone: Zone | None) -> None:
        self.depends_on = {fixed_part(name)}
        self._name = name
        self._qtype = qtype
        self._tree = tree
        self._zones = zones
        self._zone = zone
        self._dialect = zones.settings.dialect
        self._answer = RRsets()
        self._additional = RRsets()
        self._followed: dict[tuple[Name, int], bool] = {}
        self._records_left = RECORDS_MAX

    def run(self) -> None:
        """Collect the records."""
        collect = _COLLECT.get(self._qtype)
        if collect is not None:
            collect(self)

    def answer(self) -> Answer:
        """Return what was collected; no record at all is NODATA (RFC 2308, section 2.2)."""
        depends_on = frozenset(self.depends_on)
        if not self._answer:
            return Answer(zone=self._zone, soa=Soa.AUTHORITY, depends_on=depends_on)
        return Answer(
            zone=self._zone,
            answer=self._answer.sealed(ttl_s_max=self._answer.ttl_s_min()),
            additional=self._additional.sealed(),
            depends_on=depends_on,
        )

    # Each of these collects for one type of question.

    def collect_data(self) -> None:
        """A, AAAA and TXT: the data itself, through CNAMEs where need be."""
        for found in self._data(self._name, self._qtype, depth=0):
            self._answer.add(*found)

    def collect_services(self) -> None:
        """SRV: a weight is the record's share, in percent, of the weights of its priority."""
        hidden = self._dialect.srv_port_hidden
        records = [r for r in choose_group(self._hosts(self._name)) if r.port != hidden]
        sums: dict[int, int] = {}
        for record in records:
            sums[record.priority] = sums.get(record.priority, 0) + record.weight
        for record in records:
            share = max(100 * record.weight // sums[record.priority], self._dialect.srv_weight_min)
            target = record.target or names.strip(record.owner, record.target_strip)
            data = struct.pack("!HHH", record.priority, share, max(record.port, 0)) + target
            self._answer.add(self._name, Type.SRV, self._ttl_s(record), data)
            self._add_target(record, target)

    def collect_mail(self) -> None:
        """MX: the records that say ``mail``."""
        records = self._records(self._name, lambda record: record.is_mail and _has_host(record))
        for record in choose_group(records) if self._dialect.mx_is_grouped else records:
            target = record.target or names.strip(record.owner, record.target_strip)
            data = struct.pack("!H", record.priority) + target
            self._answer.add(self._name, Type.MX, self._ttl_s(record), data)
            self._add_target(record, target)

    def collect_cname(self) -> None:
        """CNAME: the name's own record only, since a subtree has no one canonical name."""
        record = self._tree.own(self._name)
        if record is not None and record.target is not None and record.target != self._name:
            self._answer.add(self._name, Type.CNAME, self._ttl_s(record), record.target)

    def collect_pointers(self) -> None:
        """PTR: names only."""
        own = self._tree.own(self._name)
        records: Iterable[Record] = [own] if own is not None else []
        if self._dialect.ptr_reads_subtree:
            records = self._hosts(self._name)
        for record in records:
            if record.target is not None:
                self._answer.add(self._name, Type.PTR, self._ttl_s(record), record.target)

    def collect_name_servers(self) -> None:
        """NS: at the apex, the addresses below ``ns.dns.<zone>`` under the names of their keys."""
        if self._zone is None or self._name != self._zone.name:
            return
        for record in self._hosts(self._zone.name_servers):
            if record.address is None:
                continue  # The target of NS must not be an alias (RFC 2181, section 10.3): SkyDNS takes addresses only.
            strip = record.target_strip if self._dialect.ns_target_is_stripped else 0
            target = names.strip(record.owner, strip)
            self._answer.add(self._name, Type.NS, self._ttl_s(record), target)
            self._add_target(record, target)

    def collect_any(self) -> None:
        """ANY: one synthesized HINFO, so that nobody can be flooded with what we know (RFC 8482)."""
        self._answer.add(self._name, Type.HINFO, self._zones.settings.ttl_default_s, _HINFO_ANY)

    # How records are read.

    def _records(self, name: Name, wanted: Callable[[Record], bool]) -> list[Record]:
        self.depends_on.add(fixed_part(name))
        records = list(islice(filter(wanted, self._tree.below(name)), self._records_left + 1))
        self._records_left -= len(records)
        if self._records_left < 0:
            raise _TooManyRecordsError
        return records

    def _hosts(self, name: Name) -> list[Record]:
        return self._records(self._apex(name), _has_host)

    def _apex(self, name: Name) -> Name:
        """CoreDNS keeps a zone's own addresses below ``apex.dns.<zone>``, beside the whole zone."""
        label = self._dialect.apex_label
        zone = self._zones.of(name) if label is not None else None
        if zone is None or label is None or name != zone.name:
            return name
        apex = names.from_labels((label, b"dns", *names.labels(name)))
        self.depends_on.add(apex)
        return apex if self._tree.exists(apex) else name

    def _data(self, owner: Name, rtype: int, *, depth: int) -> list[_Found]:
        """Return the records of ``rtype`` that ``owner`` leads to, with the CNAMEs on the way."""
        records = self._hosts(owner) if rtype != Type.TXT else self._records(owner, _has_host_or_text)
        found: list[_Found] = []
        for record in choose_group(records):
            data = _data_of(record, rtype)
            if data is not None:
                found.append((owner, rtype, self._ttl_s(record), data))
            elif record.target is not None and (rtype != Type.TXT or self._dialect.txt_follows_cname):
                found += self._through(record.target, owner, rtype, ttl_s=self._ttl_s(record), depth=depth)
        return found

    def _through(self, target: Name, owner: Name, rtype: int, *, ttl_s: int, depth: int) -> list[_Found]:
        """Return the CNAME to ``target`` and what it leads to; nothing when it leads nowhere or in a circle.

        A target is read once for one answer, however many records lead to it: a tangle of CNAMEs written by
        somebody else costs no more than its records.
        """
        link = (owner, int(Type.CNAME), ttl_s, target)
        if self._zones.of(target) is None:
            return [link] if len(names.labels(target)) >= EXTERNAL_LABELS_MIN else []
        step = (target, rtype)
        if step in self._followed:
            return [link] if self._followed[step] else []
        if target in (owner, self._name) or depth >= CHAIN_MAX:
            return []
        self._followed[step] = False
        rest = self._data(target, rtype, depth=depth + 1)
        self._followed[step] = bool(rest)
        return [link, *rest] if rest else []

    def _add_target(self, record: Record, target: Name) -> None:
        """Put the addresses of ``target`` into the additional section, where we know them."""
        if record.address is not None:
            rtype = Type.A if len(record.address) == 4 else Type.AAAA
            self._additional.add(target, rtype, self._ttl_s(record), record.address)
        elif self._zones.of(target) is not None:
            for target_type in self._dialect.target_types:
                self._add_addresses(target, target_type)

    def _add_addresses(self, target: Name, rtype: int) -> None:
        step = (target, rtype)
        if step in self._followed:
            return
        self._followed[step] = False
        records = self._data(target, rtype, depth=0)
        self._followed[step] = bool(records)
        for found in records:
            self._additional.add(*found)

    def _ttl_s(self, record: Record) -> int:
        return record.ttl_s or self._zones.settings.ttl_default_s


_COLLECT: Final[dict[int, Callable[[_Lookup], None]]] = {
    Type.A: _Lookup.collect_data,
    Type.AAAA: _Lookup.collect_data,
    Type.TXT: _Lookup.collect_data,
    Type.SRV: _Lookup.collect_services,
    Type.MX: _Lookup.collect_mail,
    Type.CNAME: _Lookup.collect_cname,
    Type.PTR: _Lookup.collect_pointers,
    Type.NS: _Lookup.collect_name_servers,
    Type.ANY: _Lookup.collect_any,
}


def choose_group(records: list[Record]) -> list[Record]:
    """Return the records of the group that the shortest key names, and all that name none.

    When two of the shortest keys name different groups, nothing is left out (SkyDNS's ``msg.Group``).
    """
    if not records:
        return records
    depth, group = records[0].depth, records[0].group
    for record in records:
        if record.depth < depth:
            if not record.group:
                break
            depth, group = record.depth, record.group
    if not group or any(r.depth == depth and r.group not in ("", group) for r in records):
        return records
    return [record for record in records if record.group in ("", group)]


def _has_host(record: Record) -> bool:
    return record.address is not None or record.target is not None


def _has_host_or_text(record: Record) -> bool:
    return bool(record.text) or _has_host(record)


def _data_of(record: Record, rtype: int) -> bytes | None:
    if rtype == Type.TXT:
        return split_text(record.text) if record.text else None
    if record.address is not None and len(record.address) == (4 if rtype == Type.A else 16):
        return record.address
    return None
