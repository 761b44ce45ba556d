"""Reads the probes of ``verify``: each entry names one of them."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from fairlead.render.config import RenderSettings
from fairlead.render.resource.fields import Fields
from fairlead.render.resource.model import (
    Command,
    CommandProbe,
    HttpProbe,
    LogProbe,
    Probe,
    TcpProbe,
    UnitProbe,
    Verify,
)

PROBE_FIELDS = (
    *("http", "tcp", "cmd", "shell", "unit_active", "log_absent"),
    *("expect", "contains", "match", "within", "pause", "timeout"),
)
_TIMEOUT_S = 2.0
_SILENCE_S = 1.0


def parse_verify(fields: Fields, settings: RenderSettings) -> Verify:
    """Read one entry.

    Raises:
        ResourceError: it names no probe, or several, or one that cannot be used.
    """
    named = [kind for kind in _KINDS if kind in fields]
    if len(named) != 1:
        where = fields.where.rstrip(".")
        raise fields.error(f"{where} must name one of {', '.join(_KINDS)}")
    # A log has to be silent for so long, the others only may take so long.
    within_s = _SILENCE_S if named[0] == "log_absent" else settings.limits.verify_within_s
    return Verify(
        probe=_KINDS[named[0]](fields),
        within_s=fields.duration_s("within", within_s),
        pause_s=fields.timeout_s("pause", 0.2),
    )


def _http(fields: Fields) -> Probe:
    url = fields.text("http")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise fields.error(f"{fields.where}http {url!r} is not a URL; write http://HOST:PORT/PATH")
    expect = fields.values.get("expect", 200)
    codes = expect if isinstance(expect, list) else [expect]
    if not all(isinstance(code, int) and 100 <= code <= 599 for code in codes):
        raise fields.error(
            f"{fields.where}expect must be a status such as 200, or a list of them, not {expect!r}"
        )
    return HttpProbe(
        url=url,
        expect=tuple(codes),
        contains=fields.text("contains"),
        timeout_s=fields.timeout_s("timeout", _TIMEOUT_S),
    )


def _tcp(fields: Fields) -> Probe:
    host, colon, port = fields.text("tcp").rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise fields.error(f"{fields.where}tcp must be HOST:PORT, not {fields.text('tcp')!r}")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    return TcpProbe(host=host, port=int(port), timeout_s=fields.timeout_s("timeout", _TIMEOUT_S))


def _command(fields: Fields) -> Probe:
    return CommandProbe(
        command=Command(
            argv=fields.texts("cmd"),
            shell=fields.text("shell"),
            timeout_s=fields.timeout_s("timeout", 10.0),
        )
    )


def _unit(fields: Fields) -> Probe:
    return UnitProbe(unit=fields.text("unit_active"))


def _log(fields: Fields) -> Probe:
    pattern = fields.required("match", r'match: "\\[emerg\\]"')
    try:
        re.compile(pattern)
    except re.error as error:
        raise fields.error(f"{fields.where}match {pattern!r} is not a regular expression: {error}") from error
    return LogProbe(path=fields.text("log_absent"), pattern=pattern)


_KINDS: Mapping[str, Callable[[Fields], Probe]] = {
    "http": _http,
    "tcp": _tcp,
    "cmd": _command,
    "shell": _command,
    "unit_active": _unit,
    "log_absent": _log,
}
