"""What one service says of itself in three places: DNS, the proxy, and a plain key for templates.  Pure.

/skydns/local/skydns/web/v2/10-0-0-7-8080      {"host": "10.0.0.7", "port": 8080, "weight": 5, "ttl": 10}
/vulcand/backends/web/servers/10-0-0-7-8080    {"URL": "http://10.0.0.7:8080", "Weight": 5}
/services/web/10-0-0-7-8080                    {"address": "10.0.0.7:8080", ..., "owner": "host-1 pid 4711"}
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.agent import Address
from fairlead.register.errors import BadNameError

# RFC 1035, section 2.3.1, with the underscore that service names have in use, and in lower case as SkyDNS's keys.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NAME_CHARS_MAX = 253
WEIGHT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Below which keys the three records lie; an empty one is left out."""

    dns: str = "skydns"
    domain: str = "skydns.local"
    proxy: str = "/vulcand"
    services: str = "/services"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One instance of a service.

    Attributes:
        name: of the service, with dots for labels: ``web``, ``api.shop``.
        instance: of this one among its like; a DNS label.
        scheme: by which the proxy talks to it.
        weight: its share; 0 is the default of DNS and proxy.
        tags: the first is a label of its DNS name too: ``v2.web`` is answered from those with the tag v2.
        ttl_s: of the lease, and of the DNS answers.
    """

    name: str
    instance: str
    address: Address
    scheme: str = "http"
    weight: int = 0
    tags: tuple[str, ...] = ()
    ttl_s: int = 10


def make_service(
    name: str,
    address: Address,
    *,
    instance: str = "",
    scheme: str = "http",
    weight: int = 0,
    tags: tuple[str, ...] = (),
    ttl_s: int = 10,
) -> Service:
    """Return the service; its instance is named after the address when it has no name.

    Raises:
        BadNameError: a name cannot be one in DNS, or the address is none that others could reach.
    """
    _check_labels("name", name, name.split("."))
    for tag in tags:
        _check_labels("tag", tag, [tag])
    if len(name) > _NAME_CHARS_MAX:
        raise BadNameError(f"name {name[:20]!r}...: longer than {_NAME_CHARS_MAX} characters")
    if not 0 <= weight <= WEIGHT_MAX:
        raise BadNameError(f"a weight of {weight} cannot be; give 1 to {WEIGHT_MAX}")
    instance = instance or re.sub(r"[^a-z0-9]+", "-", str(address).lower()).strip("-")
    if not _LABEL.fullmatch(instance):
        raise BadNameError(f"id {instance!r} is no DNS label; give one with --id")
    if _is_unspecified(address.host):
        raise BadNameError(f"{address} is no address that others can reach; give the one of this host")
    return Service(
        name=name, instance=instance, address=address, scheme=scheme, weight=weight, tags=tags, ttl_s=ttl_s
    )


def make_places(*, dns: str, domain: str, proxy: str, services: str) -> Places:
    """Return the places; ``domain`` may end with a dot.

    Raises:
        BadNameError: the domain cannot be one, or there is no place for the plain record.
    """
    if dns:
        _check_labels("domain", domain, domain.removesuffix(".").split("."))
    if not services.strip("/"):
        raise BadNameError("--services-key is empty: instances are told apart by the keys below it")
    return Places(dns=dns, domain=domain, proxy=proxy, services=services)


def service_key(service: Service, places: Places) -> str:
    """Return the key of the plain record, by which one instance is told from another."""
    return f"{places.services.rstrip('/')}/{service.name}/{service.instance}"


def records(service: Service, places: Places, *, owner: str) -> dict[str, bytes]:
    """Return all records by key."""
    made = {
        service_key(service, places): {
            "name": service.name,
            "address": str(service.address),
            "host": service.address.host,
            "port": service.address.port,
            "weight": service.weight,
            "tags": list(service.tags),
            "owner": owner,
        }
    }
    if places.dns:
        labels = [*reversed(places.domain.strip(".").split(".")), *reversed(service.name.split("."))]
        path = "/".join([*labels, *service.tags[:1], service.instance])
        made[f"/{places.dns.strip('/')}/{path}"] = _without_nothing(
            {
                "host": service.address.host,
                "port": service.address.port,
                "weight": service.weight,
                "ttl": service.ttl_s,
            }
        )
    if places.proxy:
        key = f"{places.proxy.rstrip('/')}/backends/{service.name}/servers/{service.instance}"
        made[key] = _without_nothing(
            {"URL": f"{service.scheme}://{service.address}", "Weight": service.weight}
        )
    return {key: json.dumps(value).encode() for key, value in made.items()}


def owner_of(value: bytes) -> str:
    """Return who wrote a plain record; somebody, when it does not say."""
    try:
        record = json.loads(value)
    except ValueError:
        record = None
    owner = record.get("owner") if isinstance(record, dict) else None
    return owner if isinstance(owner, str) and owner else "somebody"


def _check_labels(what: str, word: str, labels: list[str]) -> None:
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise BadNameError(
                f"{what} {word!r}: {label!r} is no DNS label; use 1 to 63 of a-z, 0-9, - and _, no - at either end"
            )


def _without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != 0}


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
