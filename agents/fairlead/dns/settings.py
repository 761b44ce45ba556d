"""``<prefix>/config``: SkyDNS's JSON settings, of which those about answers are taken up while running.

SkyDNS lets this key win over its flags; so it is here.  Fields in `MEANINGLESS` are accepted, and said to do nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fairlead.dns import names
from fairlead.dns.errors import BadNameError, BadRecordError
from fairlead.dns.message import TTL_S_MAX
from fairlead.dns.names import Name
from fairlead.dns.records import U16_MAX
from fairlead.dns.zone import ForwardSettings, Settings

MEANINGLESS: Final = {
    "dns_addr": "--listen says where to answer",
    "systemd": "--listen says where to answer",
    "dnssec": "--dnssec-keys says where the keys are",
    "scache": "the size of the signature cache is fixed",
    "rcache": "answers are compiled when keys change, and need no cache",
    "rcache_ttl": "answers are compiled when keys change, and need no cache",
    "etcd3": "the etcd v3 API is the only one that is spoken",
}
"""SkyDNS's fields that do nothing here, and why."""

_NAMESERVERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Settled:
    """What the key comes to.

    Attributes:
        settings: the settings in force.
        ignored: fields of SkyDNS's that do nothing here, each with the reason.
    """

    settings: Settings
    ignored: tuple[str, ...]


def settings_from(value: bytes, *, base: Settings) -> Settled:
    """Return ``base`` with what ``value`` says instead; an absent, empty or zero field says nothing.

    Raises:
        BadRecordError: not a JSON object, or a field of the wrong kind.
    """
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f'the value is not JSON ({error}); write {{"ttl": 300}}') from error
    if not isinstance(fields, dict):
        raise BadRecordError('the value is not a JSON object; write {"ttl": 300}')
    fields = {name.lower(): field for name, field in fields.items()}
    changed: dict[str, object] = {}
    forwarding: dict[str, object] = {}
    for name, (attribute, read) in _FIELDS.items():
        field = fields.get(name)
        if field is not None and field not in ("", []) and not (field == 0 and not isinstance(field, bool)):
            changed[attribute] = read(name, field)
    for name, (attribute, read) in _FORWARD_FIELDS.items():
        if fields.get(name) is not None:
            forwarding[attribute] = read(name, fields[name])
    settings = replace(base, **changed, forwarding=replace(ForwardSettings(), **forwarding))  # type: ignore[arg-type]
    ignored = tuple(f"{name} ({why})" for name, why in MEANINGLESS.items() if fields.get(name))
    return Settled(settings, ignored)


def _name(key: str, field: object) -> Name:
    if not isinstance(field, str):
        raise BadRecordError(f"{key} must be a string")
    try:
        # A mailbox is written with the first dot for its "@" (RFC 1035, section 8).
        return names.from_text(field.replace("@", "."))
    except BadNameError as error:
        raise BadRecordError(f"{key} is no name: {error}") from error


def _zones(key: str, field: object) -> tuple[Name, ...]:
    return (_name(key, field),)


def _number(key: str, field: object, *, most: int, unit: str) -> int:
    if not isinstance(field, int) or isinstance(field, bool) or field < 0:
        raise BadRecordError(f"{key} must be a {unit}")
    return min(field, most)


def _ttl_s(key: str, field: object) -> int:
    return _number(key, field, most=TTL_S_MAX, unit="number of seconds")


def _u16(key: str, field: object) -> int:
    return _number(key, field, most=U16_MAX, unit="whole number")


def _boolean(key: str, field: object) -> bool:
    if not isinstance(field, bool):
        raise BadRecordError(f"{key} must be true or false")
    return field


def _duration_s(key: str, field: object) -> float | None:
    """A duration of Go's: whole nanoseconds."""
    return _number(key, field, most=3600 * 10**9, unit="number of nanoseconds") / 1e9 or None


def _servers(key: str, field: object) -> tuple[str, ...] | None:
    if not isinstance(field, list) or not all(isinstance(server, str) and server for server in field):
        raise BadRecordError(f'{key} must be a list of addresses, like ["10.0.0.53:53"]')
    if len(field) > _NAMESERVERS_MAX:
        raise BadRecordError(f"{key} names {len(field)} servers, at most {_NAMESERVERS_MAX} are possible")
    return tuple(field) or None


_Field = tuple[str, Callable[[str, object], object]]

_FIELDS: Final[Mapping[str, _Field]] = {
    "domain": ("zones", _zones),
    "local": ("local", _name),
    "hostmaster": ("hostmaster", _name),
    "ttl": ("ttl_default_s", _ttl_s),
    "min_ttl": ("negative_ttl_s", _ttl_s),
    "priority": ("priority_default", _u16),
    "round_robin": ("is_rotated", _boolean),
    "ndot": ("ndots", _u16),
    "ndots": ("ndots", _u16),
}

_FORWARD_FIELDS: Final[Mapping[str, _Field]] = {
    "nameservers": ("nameservers", _servers),
    "no_rec": ("no_rec", _boolean),
    "ns_rotate": ("ns_rotate", _boolean),
    "read_timeout": ("read_timeout_s", _duration_s),
}
