"""``"check"`` of a record: ``{"http": "/healthz", "interval": "2s"}`` or ``{"tcp": true}``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairlead.agent import parse_duration_s
from fairlead.dns.errors import BadRecordError

INTERVAL_S_MIN: Final = 0.5
INTERVAL_S_MAX: Final = 3600.0
_PATH_CHARS_MAX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How to find out whether a server lives.

    Attributes:
        path: what to GET; None: a TCP connection is enough.
        port: 0: the record's.
        interval_s: between two probes.
        timeout_s: for one.
        fall: failures in a row that make it ill.
        rise: successes in a row that make it well.
        is_tls: HTTPS; the certificate is not checked, since the address is what is known.
        host: the Host header; empty: the address.
    """

    path: str | None = None
    port: int = 0
    interval_s: float = 2.0
    timeout_s: float = 1.0
    fall: int = 2
    rise: int = 2
    is_tls: bool = False
    host: str = ""


_DEFAULT: Final = Check()


def parse_check(fields: Mapping[str, object]) -> Check | None:
    """Return the check that a record's fields, their names in lower case, ask for.

    Raises:
        BadRecordError: it cannot be understood.
    """
    said = fields.get("check")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise BadRecordError('check must be an object such as {"http": "/healthz", "interval": "2s"}')
    path, is_tls = _path(said)
    interval_s = _duration_s(said, "interval", default_s=_DEFAULT.interval_s)
    return Check(
        path=path,
        port=_count(said, "port", least=0, most=65535, default=0),
        interval_s=min(max(interval_s, INTERVAL_S_MIN), INTERVAL_S_MAX),
        timeout_s=min(_duration_s(said, "timeout", default_s=_DEFAULT.timeout_s), INTERVAL_S_MAX),
        fall=_count(said, "fall", least=1, most=100, default=_DEFAULT.fall),
        rise=_count(said, "rise", least=1, most=100, default=_DEFAULT.rise),
        is_tls=is_tls,
        host=_host(said),
    )


def _path(said: Mapping[str, object]) -> tuple[str | None, bool]:
    kinds = [kind for kind in ("http", "https", "tcp") if said.get(kind) not in (None, False)]
    if len(kinds) != 1:
        raise BadRecordError('check must have one of "http", "https" and "tcp"')
    if kinds[0] == "tcp":
        return None, False
    path = said[kinds[0]]
    if not isinstance(path, str) or not path.startswith("/") or len(path) > _PATH_CHARS_MAX:
        raise BadRecordError(f'check.{kinds[0]} must be a path such as "/healthz"')
    if not path.isascii() or not path.isprintable() or " " in path:
        raise BadRecordError(f"check.{kinds[0]} has characters that a path cannot have")
    return path, kinds[0] == "https"


def _host(said: Mapping[str, object]) -> str:
    host = said.get("host", "")
    if not isinstance(host, str) or not host.isascii() or not host.isprintable() or " " in host:
        raise BadRecordError("check.host must be a name")
    return host


def _duration_s(said: Mapping[str, object], name: str, *, default_s: float) -> float:
    value = said.get(name)
    if value is None:
        return default_s
    try:
        seconds = parse_duration_s(str(value)) if isinstance(value, str | int | float) else 0.0
    except ValueError as error:
        raise BadRecordError(f"check.{name}: {error}") from error
    if seconds <= 0:
        raise BadRecordError(f'check.{name} must be a time such as "2s" or "500ms"')
    return seconds


def _count(said: Mapping[str, object], name: str, *, least: int, most: int, default: int) -> int:
    value = said.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRecordError(f"check.{name} must be a whole number from {least} to {most}")
    return value
