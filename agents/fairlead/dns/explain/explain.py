"""Why a question gets the answer that it gets: what was read, what was left out and why, and the answer itself.

The answer comes out of the same responder as every other; what is told beside it is read from the same tree.  Nothing is
asked of other servers for it.
"""

import contextlib
import difflib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Final

import dns.message
import dns.rcode
import dns.rdatatype
from fairlead.client import KeyValue
from fairlead.dns import names
from fairlead.dns.client import Origin, Transport
from fairlead.dns.explain.verdicts import Verdicts
from fairlead.dns.forward import Forwarding
from fairlead.dns.lookup import Lookup, ttl_s_of
from fairlead.dns.message import Type
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.records import Record
from fairlead.dns.responder import REFUSED_TYPES, TRANSFERS, Responder
from fairlead.dns.semantics import Route, Seating, Way, route_of
from fairlead.dns.tree import TooManyError
from fairlead.dns.zone import Zone

KEYS_MAX: Final = 200
"""Keys told of one by one; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One key that was read.

    Attributes:
        key: the key.
        revision: of its last write; 0: unknown.
        lease: the lease that it hangs on, in hexadecimal; empty: none.
        says: what it says, in a few words.
        verdict: what became of it.
    """

    key: str
    revision: int
    lease: str
    says: str
    verdict: str


@dataclass(slots=True, kw_only=True)
class Explanation:
    """Why, in the order of the decisions.

    Attributes:
        question: name and type.
        client: who asks.
        steps: one sentence for each decision.
        keys: what was read.
        rcode: the response code.
        answer: the answer's records, one line each.
    """

    question: str
    client: str
    steps: list[str] = field(default_factory=list)
    keys: list[KeyLine] = field(default_factory=list)
    rcode: str = ""
    answer: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return it for a terminal."""
        lines = [f"{self.question}, asked by {self.client}", ""]
        lines += [f"  {step}" for step in self.steps]
        if self.keys:
            lines.append("")
        for line in self.keys:
            lease = f", lease {line.lease}" if line.lease else ""
            lines.append(f"  {line.key}  (revision {line.revision}{lease})")
            lines.append(f"      {line.says}: {line.verdict}")
        if self.rcode:
            lines += ["", f"  {self.rcode}", *(f"  {record}" for record in self.answer)]
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Witness:
    """A client that nobody hears of."""

    ip: str
    transport: Transport = Transport.TCP
    reserved_bytes: int = 0

    def send(self, response: bytes) -> None:
        """Nothing waits for it."""

    def abandon(self) -> None:
        """Nothing waits for it."""

    def stream(self, messages: Iterator[bytes]) -> None:
        """Nothing waits for it."""


class Explainer:
    """Explains the answers of one name server.

    Args:
        model: what the keys say.
        responder: answers.
        forwarding: None: nothing is forwarded.
        kv_of: the pair at a key of the store.
        problems: what is wrong now, by key.
        ill: owners of records that a check has found ill, and why.
    """

    def __init__(
        self,
        *,
        model: Model,
        responder: Responder,
        forwarding: Forwarding | None,
        kv_of: Callable[[bytes], KeyValue | None],
        problems: Callable[[], Mapping[str, str]],
        ill: Callable[[], Mapping[Name, str]],
    ) -> None:
        self._model = model
        self._responder = responder
        self._forwarding = forwarding
        self._kv_of = kv_of
        self._problems = problems
        self._ill = ill

    def explain(self, name: Name, qtype: int, *, ip: str) -> Explanation:
        """Return why ``name``, in lower case, and ``qtype`` get the answer that they get when ``ip`` asks."""
        rtype = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(qtype))
        told = Explanation(question=f"{names.to_text(name)} {rtype}", client=ip)
        stub = self._forwarding.routes.stub_of(name) if self._forwarding is not None else None
        model = self._model
        route = route_of(name, qtype, tree=model.tree, zones=model.zones)
        if ip not in self._responder.allowed:
            told.steps.append("--allow does not name who asks: REFUSED")
        elif qtype in REFUSED_TYPES:
            told.steps.append("nobody may ask for this type")
        elif qtype in TRANSFERS:
            told.steps.append(
                "a whole zone is no answer from records: see --transfer-to, and the log of the secondary"
            )
            return told
        elif stub is not None:
            told.steps.append(f"it lies in a stub zone: {stub} is asked, before our own keys")
            return told
        elif route.way is Way.OUTSIDE and self._is_forwarded(told, name, qtype):
            return told
        elif route.way is not Way.OUTSIDE:
            self._tell_route(told, name, qtype, route, ip=ip)
        self._tell_answer(told, name, qtype, ip)
        return told

    # Where the question goes.

    def _is_forwarded(self, told: Explanation, name: Name, qtype: int) -> bool:
        """Tell what becomes of a name outside our zones; return whether others are asked."""
        forwarding, zones = self._forwarding, self._model.zones
        ours = ", ".join(map(names.to_text, zones.settings.zones))
        outside = f"it lies in none of our zones ({ours})"
        general = forwarding.routes.general if forwarding is not None else None
        is_reverse_ours = forwarding is None or not forwarding.settings.offers_recursion
        if self._responder.answers_locally(name, qtype, is_reverse_ours=is_reverse_ours):
            told.steps.append("no server may ask others for it, so it is answered here (RFC 6761, RFC 6303)")
        elif forwarding is None or general is None:
            told.steps.append(f"{outside}, and no --nameservers are given: REFUSED")
        elif forwarding.settings.no_rec:
            told.steps.append(f"{outside}, and --no-rec is set: REFUSED")
        elif names.count_labels(name) < zones.settings.ndots:
            told.steps.append(f"{outside}, and has fewer labels than --ndots {zones.settings.ndots}: REFUSED")
        else:
            told.steps.append(f"{outside}: {general} is asked, if the cache has no answer")
            return True
        return False

    def _tell_route(self, told: Explanation, name: Name, qtype: int, route: Route, *, ip: str) -> None:
        zone = route.zone
        if zone is None:
            told.steps.append(
                "its zone is not ours, but it has a key, which the skydns dialect answers without authority"
            )
        else:
            kind = "exact" if zone.is_exact else "with the records below a name"
            dialect = self._model.zones.settings.dialect.name
            told.steps.append(f"zone {names.to_text(zone.name)}, dialect {dialect}, {kind}")
        if route.cut is not None:
            told.steps.append(
                f"{names.to_text(route.cut)} is delegated by its key: a referral to those servers"
            )
            own = self._model.tree.own(route.cut)
            self._tell_keys(told, [own] if own is not None else [], lambda _: "names the servers")
        elif route.lookup is not None:
            self._tell_records(told, name, qtype, route.lookup, ip=ip)
        elif route.way is Way.NOWHERE:
            assert zone is not None
            told.steps += self._why_not_there(name, zone)
        else:
            told.steps.append("the zone's SOA record is made here; its serial is the store's revision")

    def _tell_records(self, told: Explanation, name: Name, qtype: int, lookup: Lookup, *, ip: str) -> None:
        model, source = self._model, lookup.source
        if source != name:
            is_local = lookup.zone is not None and lookup.zone.stand_in(name) is not None
            what = "--local: on this host" if is_local else "there is no such key: the wildcard"
            told.steps.append(f"{what} {names.to_text(source)} answers")
        try:
            lookup.run()
        except TooManyError:
            told.steps.append("more records, or names, than one answer may need: SERVFAIL")
        else:
            if lookup.hints:
                lookup = lookup.again(Seating(lookup, model.tree).of(Origin.of_ip(ip)))
                lookup.run()
        records = list(islice(self._looked_at(qtype, lookup), KEYS_MAX + 1))
        if len(records) > KEYS_MAX:
            told.steps.append(f"more than {KEYS_MAX} keys answer; the first of them are told of")
        elif not records and qtype == Type.ANY:
            told.steps.append("ANY is answered by one record, whatever is there (RFC 8482)")
        elif not records:
            told.steps.append("it exists, since there are names below it, but no key says anything for it")
        self._tell_keys(
            told, records[:KEYS_MAX], Verdicts(records, qtype, lookup=lookup, ill=self._ill(), model=model)
        )

    def _looked_at(self, qtype: int, lookup: Lookup) -> Iterator[Record]:
        """Yield the records that could answer, and those that they lead to."""
        tree = self._model.tree
        told: set[Name] = set()
        own = tree.own(lookup.source)
        found = iter([own] if own is not None and qtype != Type.ANY else [])
        if lookup.reads_subtree:
            found = tree.below(lookup.source)
        with contextlib.suppress(TooManyError):  # the answer is SERVFAIL by it
            for record in found:
                told.add(record.owner)
                yield record
        for owner in sorted(lookup.used - told):
            record_there = tree.own(owner)
            if record_there is not None:
                yield record_there

    def _why_not_there(self, name: Name, zone: Zone) -> list[str]:
        key = self._model.keys.key_of(name).decode(errors="backslashreplace")
        steps = [f"there is neither a key {key} nor one below it: NXDOMAIN"]
        parent = next((one for one in names.suffixes(name) if self._model.tree.has(one)), names.ROOT)
        if names.is_within(parent, zone.name) and parent != names.ROOT:
            steps.append(f"the closest name that exists is {names.to_text(parent)}")
            missing = names.labels(name)[-names.count_labels(parent) - 1].decode(errors="replace")
            there = [label.decode(errors="replace") for label in self._model.tree.labels_below(parent)]
            similar = difflib.get_close_matches(missing, there, n=3)
            if similar:
                steps.append(
                    "did you mean " + ", or ".join(f"{one}.{names.to_text(parent)}" for one in similar) + "?"
                )
        backwards = names.from_labels(reversed(names.labels(name)))
        if self._model.tree.has(backwards):
            steps.append(f"there are keys for {names.to_text(backwards)}: the labels of a key are reversed")
        for wrong, text in self._problems().items():
            if wrong == key or wrong.startswith(f"{key}/") or wrong.lower() == key:
                steps.append(f"{wrong} cannot be used: {text}")
        return steps

    # What was read.

    def _tell_keys(
        self, told: Explanation, records: Iterable[Record], verdict_of: Callable[[Record], str]
    ) -> None:
        for record in records:
            key = self._model.keys.key_of(record.owner)
            kv = self._kv_of(key)
            told.keys.append(
                KeyLine(
                    key=key.decode(errors="backslashreplace"),
                    revision=kv.mod_revision if kv is not None else 0,
                    lease=f"{record.lease_id:x}" if record.lease_id else "",
                    says=_says(record, self._model),
                    verdict=verdict_of(record),
                )
            )

    def _tell_answer(self, told: Explanation, name: Name, qtype: int, ip: str) -> None:
        query = dns.message.make_query(
            names.to_text(name), dns.rdatatype.RdataType.make(qtype), use_edns=0, flags=0
        )
        hooks = self._responder.hooks
        # Who explains asks for nothing, and asks nobody.
        self._responder.hooks = replace(hooks, seen=None, before=None, complete=None, forward=None)
        try:
            response = self._responder.respond(query.to_wire(), _Witness(ip))
        finally:
            self._responder.hooks = hooks
        assert response
        answer = dns.message.from_wire(response)
        told.rcode = dns.rcode.to_text(answer.rcode())
        told.answer = [line for rrset in answer.answer for line in rrset.to_text().splitlines()]
        if hooks.complete is not None and any(
            int(rrset.rdtype) == Type.CNAME and self._model.zones.of(rdata.target.to_wire().lower()) is None
            for rrset in answer.answer
            for rdata in rrset
        ):
            told.steps.append("it leads out of our zones; what is there, --nameservers are asked")
        is_referral = any(int(rrset.rdtype) == Type.NS for rrset in answer.authority)
        if not answer.answer and not is_referral and told.rcode == "NOERROR":
            told.steps.append("no record of that type: NODATA")


def _says(record: Record, model: Model) -> str:
    words = []
    if record.address is not None:
        words.append(f"address {ipaddress.ip_address(record.address)}")
    if record.target is not None:
        words.append(f"name {names.to_text(record.target)}")
    if record.port:
        words.append(f"port {record.port}")
    if record.text:
        words.append("text")
    words += sorted({dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype)) for rtype, _ in record.data})
    if record.priority:
        words.append(f"priority {record.priority}")
    if record.weight != 100:
        words.append(f"weight {record.weight}")
    if record.group:
        words.append(f"group {record.group}")
    if record.is_mail:
        words.append("mail")
    words.append(f"ttl {ttl_s_of(record, model.zones.settings)}")
    return ", ".join(words)
