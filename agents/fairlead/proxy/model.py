"""What the values of the keys say: frontends, backends and servers, read from vulcand's JSON.

Fields that this proxy does not know are left alone, so that keys written for a later version, or for vulcand,
still work.  Source: vulcand, engine/model.go.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Expression, parse_expression
from fairlead.proxy.keys import Kind, ObjectId
from fairlead.proxy.match import compile_expression

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_HOST = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """A route, and what to do with what matches it.

    Attributes:
        priority: higher is tried first; without one, 0.  Among equals vulcand's order rules.
        body_bytes_max: larger request bodies are answered 413; 0 means no limit.
        hostname: put into X-Forwarded-Server when not empty.
    """

    id: str
    backend_id: str
    route: str
    expression: Expression
    priority: int = 0
    pass_host_header: bool = False
    trust_forward_header: bool = False
    hostname: str = ""
    body_bytes_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How to talk to a group of servers.  None: the proxy's own default."""

    id: str
    dial_s: float | None = None
    read_s: float | None = None
    idle_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One address of a backend."""

    id: str
    backend_id: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host:port`` as a Host field has it (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


Object = Frontend | Backend | Server


def read_object(identity: ObjectId, value: bytes) -> Object:
    """Return the object that ``value`` describes.

    Raises:
        KeyProblem: the value is not JSON, or a field is missing or of the wrong kind.
    """
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise KeyProblem(f"the value is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise KeyProblem(f"the value must be a JSON object, not {type(fields).__name__}")
    return _READERS[identity.kind](identity, fields)


def parse_duration_s(text: str) -> float:
    """Return the seconds that a Go duration such as ``1m30s`` or ``250ms`` stands for.

    Raises:
        KeyProblem: it is not one, or not positive.
    """
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise KeyProblem(f'a duration looks like "5s" or "1m30s", not {text!r}')
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if not 0 < seconds < 1e9:
        raise KeyProblem(f"the duration {text!r} is out of range")
    return seconds


def _read_frontend(identity: ObjectId, fields: Mapping[str, Any]) -> Frontend:
    _require_http(fields)
    settings = _get(fields, "Settings", dict, {})
    limits = _get(settings, "Limits", dict, {})
    route = _require_text(fields, "Route")
    expression = parse_expression(route)
    compile_expression(
        expression
    )  # What is wrong with a pattern in it must be known here; the result is cached.
    return Frontend(
        id=identity.name,
        backend_id=_require_text(fields, "BackendId"),
        route=route,
        expression=expression,
        priority=_get(fields, "Priority", int, 0),
        pass_host_header=_get(settings, "PassHostHeader", bool, default=False),
        trust_forward_header=_get(settings, "TrustForwardHeader", bool, default=False),
        hostname=_field_text(_get(settings, "Hostname", str, "")),
        body_bytes_max=max(0, _get(limits, "MaxBodyBytes", int, 0)),
    )


def _read_backend(identity: ObjectId, fields: Mapping[str, Any]) -> Backend:
    _require_http(fields)
    settings = _get(fields, "Settings", dict, {})
    timeouts = _get(settings, "Timeouts", dict, {})
    dial = _get(timeouts, "Dial", str, "")
    read = _get(timeouts, "Read", str, "")
    idle_max = _get(_get(settings, "KeepAlive", dict, {}), "MaxIdleConnsPerHost", int, 0)
    return Backend(
        id=identity.name,
        dial_s=parse_duration_s(dial) if dial else None,
        read_s=parse_duration_s(read) if read else None,
        idle_max=idle_max if idle_max > 0 else None,
    )


def _read_server(identity: ObjectId, fields: Mapping[str, Any]) -> Server:
    url = _require_text(fields, "URL")
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise KeyProblem(f"URL {url!r}: {error}") from error
    host = parts.hostname or ""
    if parts.scheme != "http" or not _HOST.fullmatch(host) or parts.username is not None:
        raise KeyProblem(f'URL must look like "http://10.0.0.1:8080", not {url!r}')
    return Server(id=identity.name, backend_id=identity.owner, host=host, port=port)


_READERS: dict[Kind, Callable[[ObjectId, Mapping[str, Any]], Object]] = {
    Kind.FRONTEND: _read_frontend,
    Kind.BACKEND: _read_backend,
    Kind.SERVER: _read_server,
}


def _require_http(fields: Mapping[str, Any]) -> None:
    kind = _get(fields, "Type", str, "http")
    if kind != "http":
        raise KeyProblem(f'Type must be "http", not {kind!r}')


def _require_text(fields: Mapping[str, Any], name: str) -> str:
    text: str = _get(fields, name, str, "")
    if not text:
        raise KeyProblem(f"{name} is missing; give it as a string")
    return text


def _field_text(text: str) -> str:
    """Refuse what would break out of a header field."""
    if not text.isascii() or not text.isprintable():
        raise KeyProblem(f"Hostname must be printable ASCII, not {text!r}")
    return text


def _get(fields: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """Return a field that must be of ``kind`` when it is there; null counts as absent, as in Go."""
    value = fields.get(name)
    if value is None:
        return default
    # In Python a bool is an int; in JSON it is not.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise KeyProblem(f"{name} must be {_JSON_NAMES[kind]}, not {json.dumps(value)[:60]}")
    return value


_JSON_NAMES = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}
