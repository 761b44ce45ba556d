"""One key's JSON value to one record: SkyDNS's fields, checked and clamped.

Values are written by other people's programs.  A field of the wrong kind costs its record, with a text that names it; a
number out of range is brought into range, as an operator who wrote ``weight: 70000`` would expect.  Unknown fields are
ignored, since many writers add their own.
"""

import ipaddress
import json
from dataclasses import dataclass

from fairlead.dns import names, presentation
from fairlead.dns.choose.nearness import NOWHERE, Hints, parse_hints
from fairlead.dns.errors import BadNameError, BadRecordError
from fairlead.dns.health.check import Check, parse_check
from fairlead.dns.message import TTL_S_MAX, Type
from fairlead.dns.names import Name

WEIGHT_DEFAULT = 100
PORT_HIDDEN = -1
U16_MAX = 2**16 - 1
TEXT_BYTES_MAX = 64000  # with a length byte per 255 bytes, what still fits into one message

TYPED_FIELDS = ("caa", "ds", "https", "naptr", "ns", "sshfp", "svcb", "tlsa")
"""Fields that hold data of the type they are named after, as zone files write it: a string or a list of them."""

_OF_DATA = frozenset({"records", *TYPED_FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one key says.

    Attributes:
        owner: the name that the key stands for.
        depth: the number of labels of ``owner``.
        address: 4 or 16 bytes when ``host`` is an address, else None.
        target: when ``host`` is a name, else None.
        port: 0 to 65535, or -1: "not in SRV answers" to CoreDNS.
        priority: 1 to 65535; 0 when the value names none.
        weight: 1 to 65535.
        text: UTF-8, of any length; empty when there is none.
        is_mail: whether the record is a mail exchanger too.
        ttl_s: 0 when the value names none.
        target_strip: left labels to take off a target made from ``owner``.
        group: empty when there is none.
        data: type and data of the records that belong to exactly this name, from ``records`` and `TYPED_FIELDS`.
        hints: where the record is, and whom it is near to.
        check: how to find out whether what it names lives; None: it is taken for granted.
        lease_id: the lease that the key hangs on, or 0.
        lease_ttl_s: what that lease was granted for; 0 while that is unknown, or when there is none.
    """

    owner: Name
    depth: int
    address: bytes | None = None
    target: Name | None = None
    port: int = 0
    priority: int = 0
    weight: int = WEIGHT_DEFAULT
    text: bytes = b""
    is_mail: bool = False
    ttl_s: int = 0
    target_strip: int = 0
    group: str = ""
    data: tuple[tuple[int, bytes], ...] = ()
    hints: Hints = NOWHERE
    check: Check | None = None
    lease_id: int = 0
    lease_ttl_s: int = 0

    @property
    def is_delegation(self) -> bool:
        """Whether the record names other servers for its name; at a zone's apex they are the zone's own."""
        return any(rtype == Type.NS for rtype, _ in self.data)

    def data_of(self, rtype: int) -> list[bytes]:
        """Return the data of type ``rtype`` that belongs to exactly this name."""
        return [data for kind, data in self.data if kind == rtype]


def parse_record(owner: Name, value: bytes, *, lease_id: int = 0, lease_ttl_s: int = 0) -> Record:
    """Return the record that ``value``, SkyDNS's JSON object, gives ``owner``.

    Raises:
        BadRecordError: not a JSON object, or a field of the wrong kind.
    """
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f'the value is not JSON ({error}); write {{"host": "10.0.0.1"}}') from error
    if not isinstance(fields, dict):
        raise BadRecordError('the value is not a JSON object; write {"host": "10.0.0.1"}')
    fields = {name.lower(): field for name, field in fields.items()}
    address, target = _host(_text(fields, "host"))
    data = _data(fields)
    if owner.startswith(b"\1*") and any(rtype == Type.NS for rtype, _ in data):
        raise BadRecordError("a wildcard cannot be delegated (RFC 4592, section 4.2); remove ns")
    return Record(
        owner=owner,
        depth=len(names.labels(owner)),
        address=address,
        target=target,
        port=_number(fields, "port", least=PORT_HIDDEN, most=U16_MAX),
        # Absent and 0 cannot be told apart in SkyDNS's own encoding: both are the default.
        priority=_number(fields, "priority", least=0, most=U16_MAX),
        weight=_number(fields, "weight", least=0, most=U16_MAX) or WEIGHT_DEFAULT,
        text=_text(fields, "text").encode(),
        is_mail=_boolean(fields, "mail"),
        ttl_s=_number(fields, "ttl", least=0, most=TTL_S_MAX),
        target_strip=_number(fields, "targetstrip", least=0, most=names.NAME_BYTES_MAX),
        group=_text(fields, "group"),
        data=data,
        hints=parse_hints(fields),
        check=parse_check(fields),
        lease_id=lease_id,
        lease_ttl_s=lease_ttl_s,
    )


def _host(host: str) -> tuple[bytes | None, Name | None]:
    if not host:
        return None, None
    # No name ends in a number (RFC 3696, section 2), and none holds a colon.
    if ":" not in host and not host.rstrip(".").rpartition(".")[2].isdecimal():
        try:
            return None, names.from_text(host)
        except BadNameError as error:
            raise BadRecordError(f"host is neither an address nor a name: {error}") from error
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise BadRecordError("host is neither an address nor a name") from error
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise BadRecordError("host has a zone (%...), which DNS cannot carry; remove it")
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    return address.packed, None


def _data(fields: dict[str, object]) -> tuple[tuple[int, bytes], ...]:
    if _OF_DATA.isdisjoint(fields):
        return ()
    found = [presentation.parse_line(line, field="records") for line in _lines(fields, "records")]
    for field in TYPED_FIELDS:
        found += [presentation.parse_data(field, text, field=field) for text in _lines(fields, field)]
    return tuple(dict.fromkeys(found))


def _lines(fields: dict[str, object], name: str) -> list[str]:
    field = fields.get(name)
    if field is None:
        return []
    lines = [field] if isinstance(field, str) else field
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise BadRecordError(f"{name} must be a string, or a list of strings")
    if len(lines) > presentation.LINES_MAX:
        raise BadRecordError(
            f"{name} has {len(lines)} entries, at most {presentation.LINES_MAX} are possible"
        )
    return lines


def _text(fields: dict[str, object], name: str) -> str:
    field = fields.get(name)
    if field is None:
        return ""
    if not isinstance(field, str):
        raise BadRecordError(f"{name} must be a string")
    try:
        length = len(field.encode())
    except UnicodeEncodeError as error:
        raise BadRecordError(f"{name} must be valid Unicode") from error
    if length > TEXT_BYTES_MAX:
        raise BadRecordError(f"{name} has {length} bytes, and DNS can carry {TEXT_BYTES_MAX}")
    return field


def _number(fields: dict[str, object], name: str, *, least: int, most: int) -> int:
    field = fields.get(name)
    if field is None:
        return 0
    # bool is an int to Python, and not to anybody who writes JSON.
    if not isinstance(field, int) or isinstance(field, bool):
        raise BadRecordError(f"{name} must be a whole number")
    return min(max(field, least), most)


def _boolean(fields: dict[str, object], name: str) -> bool:
    field = fields.get(name)
    if field is None:
        return False
    if not isinstance(field, bool):
        raise BadRecordError(f"{name} must be true or false")
    return field
