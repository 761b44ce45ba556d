"""What is wrong, or probably wrong, with keys: one line for each, before anybody asks in vain."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from fairlead.dns import names
from fairlead.dns.errors import BadKeyError
from fairlead.dns.forward.routes import stub_root
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.records import Record


class Severity(IntEnum):
    """How bad it is."""

    ERROR = 2
    """The key is not served."""
    WARNING = 1
    """It is served, and hardly as it was meant."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing about one key."""

    key: str
    severity: Severity
    text: str


_RANGES = {"port": (-1, 65535), "priority": (0, 65535), "weight": (0, 65535), "ttl": (0, 2**31 - 1)}
_KNOWN = frozenset(
    [
        "host",
        "port",
        "priority",
        "weight",
        "text",
        "mail",
        "ttl",
        "targetstrip",
        "group",
        "records",
        "check",
        "zone",
        "region",
        "cidr",
        "caa",
        "ds",
        "https",
        "naptr",
        "ns",
        "sshfp",
        "svcb",
        "tlsa",
    ]
)


class Reports:
    """Takes what the model says of keys."""

    def __init__(self) -> None:
        self.problems: dict[bytes, str] = {}

    def problem(self, key: bytes, text: str, /) -> None:
        """Remember it."""
        self.problems[key] = text

    def healed(self, key: bytes, /) -> None:
        """Forget it."""
        self.problems.pop(key, None)


def lint(model: Model, reports: Reports, values: Mapping[bytes, bytes]) -> list[Finding]:
    """Return what is wrong with the keys of ``values``, which ``model`` has applied, by key.

    Args:
        model: what the keys say; has reported to ``reports``.
        reports: what it has said.
        values: key to value.
    """
    found = [Finding(_text(key), Severity.ERROR, text) for key, text in reports.problems.items()]
    for key, value in values.items():
        if key not in reports.problems and key != model.keys.config_key:
            found += (Finding(_text(key), Severity.WARNING, text) for text in _warnings(model, key, value))
    return sorted(found, key=lambda finding: (finding.key, -finding.severity, finding.text))


def _warnings(model: Model, key: bytes, value: bytes) -> Iterator[str]:
    try:
        owner = model.keys.name_of(key)
    except BadKeyError:
        return
    record = model.tree.own(owner)
    if record is None:
        return
    yield from _of_fields(value)
    yield from _of_place(model, owner)
    yield from _of_target(model, record)


def _of_fields(value: bytes) -> Iterator[str]:
    fields = json.loads(value)
    for name, field in fields.items():
        low, high = _RANGES.get(name.lower(), (None, None))
        if low is not None and high is not None and isinstance(field, int) and not low <= field <= high:
            yield f"{name} {field} is out of range and is taken as {min(max(field, low), high)}"
        if name.lower() not in _KNOWN:
            yield f"{name} is no field that is known here, and means nothing"
    text = fields.get("text")
    if isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == '"':
        yield "the text is served with its quotes"


def _of_place(model: Model, owner: Name) -> Iterator[str]:
    zone = model.zones.of(owner)
    if zone is None:
        if names.labels(owner)[-1:] != [b"arpa"]:
            backwards = names.from_labels(reversed(names.labels(owner)))
            hint = ": the labels of a key are reversed" if model.zones.of(backwards) is not None else ""
            yield f"{names.to_text(owner)} lies in none of the zones, and is never answered{hint}"
        return
    if b"any" in names.labels(owner):
        yield "the label any stands for every label in a question, and finds more than this; choose another"
    for above in names.suffixes(owner):
        if above in {owner, zone.name}:
            continue
        record = model.tree.own(above)
        if record is not None and record.is_delegation:
            yield f"{names.to_text(above)} is delegated, so this is served as glue at most"
            return


def _of_target(model: Model, record: Record) -> Iterator[str]:
    if record.target is None:
        if record.check is not None and (record.address is None or record.port + record.check.port <= 0):
            yield "the check needs an address in host, and a port"
        return
    zone = model.zones.of(record.owner)
    if zone is not None and any(
        names.is_within(record.owner, root) for root in (zone.name_servers, stub_root(zone.name))
    ):
        yield "host must be an address here: name servers and stub zones are not looked up"
    elif record.target == record.owner:
        yield "it leads to itself, and is never answered"
    elif model.zones.of(record.target) is not None and not model.tree.exists(record.target):
        yield f"it leads to {names.to_text(record.target)}, which lies in a zone of ours and does not exist"
    others = [one for one in model.tree.below(record.owner) if one.owner != record.owner]
    if any(one.address is not None or one.target is not None for one in others):
        yield "it is a CNAME, and there are records below it, which are answered beside what it leads to"
    if record.text or record.data:
        yield "it is a CNAME beside data of its own (RFC 1034, section 3.6.2)"


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit status: 2 for errors, 1 for warnings, 0 for none."""
    return max((int(finding.severity) for finding in findings), default=0)
