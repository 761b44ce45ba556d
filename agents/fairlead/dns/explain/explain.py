"""Why a question gets the answer that it gets: what was read, what was left out and why, and the answer itself.

The answer comes out of the same responder as every other; what is told beside it is read from the same tree.  Nothing is
asked of other servers for it.
"""

import contextlib
import difflib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Final

import dns.message
import dns.rcode
import dns.rdatatype
from fairlead.client import KeyValue
from fairlead.dns import names
from fairlead.dns.choose.conditions import Conditions
from fairlead.dns.client import LATER, Transport
from fairlead.dns.forward import Forwarding
from fairlead.dns.lookup import choose_group, ttl_s_of
from fairlead.dns.message import Type
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.records import Record
from fairlead.dns.responder import Responder
from fairlead.dns.tree import TooManyError, fixed_part
from fairlead.dns.zone import Zone

KEYS_MAX: Final = 200
"""Keys told of one by one; the rest is counted."""

_ADDRESS_BYTES: Final[dict[int, int]] = {Type.A: 4, Type.AAAA: 16}


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
        zone = self._model.zones.of(name)
        if stub is not None:
            told.steps.append(f"it lies in a stub zone: {stub} is asked, before our own keys")
        elif zone is None and not self._is_implied(name):
            told.steps.append(self._why_outside(name))
        else:
            self._tell_ours(told, name, qtype, zone)
            self._tell_answer(told, name, qtype, ip)
        return told

    # Where the question goes.

    def _is_implied(self, name: Name) -> bool:
        """Whether ``name`` has keys that answer although no zone of ours holds it."""
        is_reverse = names.is_within(name, names.from_text("arpa"))
        implied = self._model.zones.settings.dialect.reverse_zones_are_implied
        return is_reverse and implied and self._model.tree.exists(name)

    def _why_outside(self, name: Name) -> str:
        forwarding = self._forwarding
        zones = ", ".join(map(names.to_text, self._model.zones.settings.zones))
        outside = f"it lies in none of our zones ({zones})"
        if forwarding is None or forwarding.routes.general is None:
            return f"{outside}, and no --nameservers are given: REFUSED"
        if forwarding.settings.no_rec:
            return f"{outside}, and --no-rec is set: REFUSED"
        ndots = self._model.zones.settings.ndots
        if names.count_labels(name) < ndots:
            return f"{outside}, and has fewer labels than --ndots {ndots}: REFUSED"
        return f"{outside}: {forwarding.routes.general} is asked, if the cache has no answer"

    def _tell_ours(self, told: Explanation, name: Name, qtype: int, zone: Zone | None) -> None:
        settings = self._model.zones.settings
        if zone is None:
            told.steps.append(
                "its zone is not ours, but it has keys, which the skydns dialect answers without authority"
            )
            self._tell_keys(told, name, qtype)
            return
        kind = "exact" if zone.is_exact else "with the records below a name"
        told.steps.append(f"zone {names.to_text(zone.name)}, dialect {settings.dialect.name}, {kind}")
        fixed = name if zone.is_exact else fixed_part(name)
        place = self._model.tree.locate(fixed, zone=zone.name)
        if place.cut is not None:
            told.steps.append(
                f"{names.to_text(place.cut)} is delegated by its key: a referral to those servers"
            )
            self._tell_keys(told, place.cut, qtype, is_exact=True)
        elif place.source is None:
            told.steps += self._why_not_there(name, zone)
        else:
            if place.source != fixed:
                told.steps.append(f"there is no such key: the wildcard {names.to_text(place.source)} answers")
            source = place.source if place.source != fixed else name
            self._tell_keys(told, source, qtype, is_exact=zone.is_exact)

    def _why_not_there(self, name: Name, zone: Zone) -> list[str]:
        key = self._model.keys.key_of(name).decode(errors="backslashreplace")
        steps = [f"there is neither a key {key} nor one below it: NXDOMAIN"]
        parent = next((one for one in names.suffixes(name) if self._model.tree.exists(one)), names.ROOT)
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
        if self._model.tree.exists(backwards):
            steps.append(f"there are keys for {names.to_text(backwards)}: the labels of a key are reversed")
        for wrong, text in self._problems().items():
            if wrong == key or wrong.startswith(f"{key}/") or wrong.lower() == key:
                steps.append(f"{wrong} cannot be used: {text}")
        return steps

    # What was read.

    def _tell_keys(self, told: Explanation, name: Name, qtype: int, *, is_exact: bool = False) -> None:
        tree = self._model.tree
        own = tree.own(name)
        found = tree.below(name) if not is_exact else iter([own] if own is not None else [])
        records: list[Record] = []
        with contextlib.suppress(TooManyError):  # the answer is SERVFAIL by it
            records += islice(found, KEYS_MAX + 1)
        verdict_of = _Verdicts(
            records[:KEYS_MAX], qtype, conditions=tree.conditions, ill=self._ill(), model=self._model
        )
        for record in records[:KEYS_MAX]:
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
        if not records:
            told.steps.append("it exists, since there are names below it, but no key says anything for it")
        if len(records) > KEYS_MAX:
            told.steps.append(f"more than {KEYS_MAX} keys answer; the first of them are told of")

    def _tell_answer(self, told: Explanation, name: Name, qtype: int, ip: str) -> None:
        query = dns.message.make_query(
            names.to_text(name), dns.rdatatype.RdataType.make(qtype), use_edns=0, flags=0
        )
        hooks = self._responder.hooks
        seen, hooks.seen = hooks.seen, None  # who explains asks for nothing
        try:
            response = self._responder.respond(query.to_wire(), _Witness(ip))
        finally:
            hooks.seen = seen
        if not response or response == LATER:
            told.rcode = "it is answered by others"
            return
        answer = dns.message.from_wire(response)
        told.rcode = dns.rcode.to_text(answer.rcode())
        told.answer = [line for rrset in answer.answer for line in rrset.to_text().splitlines()]
        if not answer.answer and told.rcode == "NOERROR":
            told.steps.append("no record of that type: NODATA")


def _says(record: Record, model: Model) -> str:
    words = []
    if record.address is not None:
        words.append(f"address {_address(record.address)}")
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


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


class _Verdicts:
    """What became of each record, for one question."""

    def __init__(
        self,
        records: list[Record],
        qtype: int,
        *,
        conditions: Conditions,
        ill: Mapping[Name, str],
        model: Model,
    ) -> None:
        self._qtype = qtype
        self._conditions = conditions
        self._ill = ill
        self._grouped = {record.owner for record in choose_group(records)}
        able = [record for record in records if record.owner in self._grouped and self._is_able(record)]
        self._alive = {record.owner for record in conditions.alive(able)}
        default = model.zones.settings.priority_default
        chosen = able
        if qtype in _ADDRESS_BYTES:
            chosen = conditions.chosen(able, priority_of=lambda record: record.priority or default)
        self._chosen = {record.owner for record in chosen}

    def __call__(self, record: Record) -> str:
        """Return what became of ``record``."""
        owner = record.owner
        if not self._is_able(record):
            return "nothing of this type"
        if owner not in self._grouped:
            return "left out: another group is chosen"
        if owner not in self._alive:
            return f"left out: it is ill ({self._ill.get(owner, 'unknown')})"
        if owner not in self._chosen:
            return "left out: a tier of less priority lives"
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

    def _is_able(self, record: Record) -> bool:
        size = _ADDRESS_BYTES.get(self._qtype)
        if size is not None:
            return record.target is not None or (record.address is not None and len(record.address) == size)
        match self._qtype:
            case Type.SRV:
                return record.address is not None or record.target is not None
            case Type.TXT:
                return bool(record.text)
            case Type.MX:
                return record.is_mail
            case Type.CNAME | Type.PTR:
                return record.target is not None
            case _:
                return bool(record.data_of(self._qtype))
