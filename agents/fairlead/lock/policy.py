"""The file that says how a host reboots: YAML in, frozen dataclasses out; what is unknown in it is refused by name.

group: web
need: [{file: /run/reboot-required}, {cmd: [needs-restarting, -r]}, {key: /ops/reboot/web}]
window: {days: [sat, sun], start: "02:00", length: 3h, zone: Europe/Berlin}
blockers: [{cmd: [no-backup-runs]}, {http: "http://127.0.0.1/may-go"}, {key: /ops/freeze},
           {prometheus: "http://127.0.0.1:9090", query: 'ALERTS{alertstate="firing"}'}]
drain: {cmd: [drain-me], timeout: 10m}
undrain: {cmd: [undrain-me]}
notify: [{cmd: [tell-them]}, {http: "https://chat.example/hook"}]
reboot: {cmd: [systemctl, reboot], timeout: 5m}
health: [{tcp: "127.0.0.1:80"}]
hold: 30m
poll: 10s
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from fairlead.agent import ConfigError, parse_duration_s
from fairlead.checks import Check, HttpCheck, read_check
from fairlead.lock.errors import PolicyError
from fairlead.lock.keys import DEFAULT_GROUP
from fairlead.lock.window import DAYS, LENGTH_MAX, Window

REBOOT_FILE = Path("/run/reboot-required")
_POLL_S, _HOLD_S, _DRAIN_S, _REBOOT_S = 10.0, 1800, 600.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command and how long it may take."""

    argv: tuple[str, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """Something is so while the file is there; ``FILE.pkgs`` beside it, Debian's list, is the reason."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Something is so while the store has the key; its value is the reason."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSource:
    """Something is so while the query has a result."""

    url: str
    query: str
    timeout_s: float = 5.0


Need = FileSource | KeySource | Check
Blocker = KeySource | PrometheusSource | Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a host reboots.

    Attributes:
        needs: any of these asks for a reboot; a command by exiting with 0.
        window: None is always.
        blockers: any of these forbids it: a key or a query result that is there, a check that does not hold.
        hold_s: after which time with the permit the host is overdue.
        reboot: None is a dry run, which says what it would do.
    """

    group: str = DEFAULT_GROUP
    needs: tuple[Need, ...] = (FileSource(path=REBOOT_FILE),)
    window: Window | None = None
    blockers: tuple[Blocker, ...] = ()
    drain: Command | None = None
    undrain: Command | None = None
    notify: tuple[Command | HttpCheck, ...] = ()
    reboot: Command | None = field(
        default_factory=lambda: Command(argv=("systemctl", "reboot"), timeout_s=_REBOOT_S)
    )
    health: tuple[Check, ...] = ()
    hold_s: int = _HOLD_S
    poll_s: float = _POLL_S


def load_policy(path: Path) -> Policy:
    """Return what the file says.

    Raises:
        PolicyError: it cannot be read, is not YAML, or says what it cannot.
    """
    try:
        return read_policy(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise PolicyError(f"cannot read {path}: {error.strerror}; check --policy") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
    except ConfigError as error:
        raise PolicyError(f"{path}: {error.format_message()}") from error


def read_policy(values: object) -> Policy:
    """Return the policy of a parsed file.

    Raises:
        PolicyError, ConfigError: as ``load_policy``, without the file's name.
    """
    if not isinstance(values, dict):
        raise PolicyError("not a mapping; write lines such as 'group: web'")
    unknown = values.keys() - _READERS.keys()
    if unknown:
        raise PolicyError(f"unknown {', '.join(sorted(map(str, unknown)))}; known are {', '.join(_READERS)}")
    fields = {}
    for name, value in values.items():
        attribute, read = _READERS[name]
        fields[attribute] = read(value, name)
    return Policy(**fields)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise PolicyError(f"{where}: not a word")
    return value


def _seconds(value: object, where: str) -> float:
    try:
        seconds = parse_duration_s(str(value))
    except ValueError as error:
        raise PolicyError(f"{where}: {error}") from error
    if seconds <= 0:
        raise PolicyError(f"{where}: must be more than nothing")
    return seconds


def _hold_s(value: object, where: str) -> int:
    return max(1, round(_seconds(value, where)))


def _each(read: Callable[[Mapping[str, Any], str], Any]) -> Callable[[object, str], tuple[Any, ...]]:
    def read_all(values: object, where: str) -> tuple[Any, ...]:
        listed = values if isinstance(values, list) else [values]
        if not all(isinstance(value, dict) for value in listed):
            raise PolicyError(f"{where}: not a list of mappings")
        return tuple(read(value, f"{where}[{number}]") for number, value in enumerate(listed))

    return read_all


def _need(value: Mapping[str, Any], where: str) -> Need:
    match value:
        case {"file": str(path)} if len(value) == 1:
            return FileSource(path=Path(path))
        case {"key": str(key)} if len(value) == 1:
            return KeySource(key=key)
    return read_check(value, where=where)


def _blocker(value: Mapping[str, Any], where: str) -> Blocker:
    match value:
        case {"key": str(key)} if len(value) == 1:
            return KeySource(key=key)
        case {"prometheus": str(url), "query": str(query)} if len(value) == 2:
            return PrometheusSource(url=url.rstrip("/"), query=query)
    return read_check(value, where=where)


def _check(value: Mapping[str, Any], where: str) -> Check:
    return read_check(value, where=where)


def _notify(value: Mapping[str, Any], where: str) -> Command | HttpCheck:
    if "cmd" in value:
        return _command(value, where, default_s=_POLL_S)
    check = read_check(value, where=where)
    if not isinstance(check, HttpCheck):
        raise PolicyError(f"{where}: only cmd and http can be told something")
    return check


def _command(value: object, where: str, *, default_s: float) -> Command:
    match value:
        case {"cmd": [*words], **rest} if words and not rest.keys() - {"timeout"}:
            timeout_s = _seconds(rest["timeout"], f"{where}.timeout") if rest else default_s
            return Command(argv=tuple(map(str, words)), timeout_s=timeout_s)
    raise PolicyError(f"{where}: not a command; write one such as {{cmd: [WORD, WORD], timeout: 1m}}")


def _window(value: object, where: str) -> Window:
    if not isinstance(value, dict) or value.keys() - {"days", "start", "length", "zone"}:
        raise PolicyError(f"{where}: a window has days, start, length and zone")
    days = value.get("days", list(DAYS))
    if not isinstance(days, list) or not days or not set(days) <= set(DAYS):
        raise PolicyError(f"{where}.days: a list of {', '.join(DAYS)}")
    length = timedelta(seconds=_seconds(value.get("length", "24h"), f"{where}.length"))
    if length > LENGTH_MAX:
        raise PolicyError(f"{where}.length: a week at most")
    try:
        start = time.fromisoformat(str(value.get("start", "00:00")))
        zone = ZoneInfo(str(value.get("zone", "UTC")))
    except ValueError:
        raise PolicyError(f'{where}.start: a time of day such as "23:00", in quotation marks') from None
    except (ZoneInfoNotFoundError, OSError):
        raise PolicyError(f"{where}.zone: {value['zone']!r} is no time zone; such as Europe/Berlin") from None
    return Window(days=frozenset(days), start=start, length=length, zone=zone)


_READERS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "group": ("group", _text),
    "need": ("needs", _each(_need)),
    "window": ("window", _window),
    "blockers": ("blockers", _each(_blocker)),
    "drain": ("drain", lambda value, where: _command(value, where, default_s=_DRAIN_S)),
    "undrain": ("undrain", lambda value, where: _command(value, where, default_s=_DRAIN_S)),
    "notify": ("notify", _each(_notify)),
    "reboot": ("reboot", lambda value, where: _command(value, where, default_s=_REBOOT_S)),
    "health": ("health", _each(_check)),
    "hold": ("hold_s", _hold_s),
    "poll": ("poll_s", _seconds),
}
