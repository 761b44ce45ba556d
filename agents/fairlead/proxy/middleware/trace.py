"""``trace``: one line of JSON for each request, to syslog.

    {"ReqHeaders": ["X-A"], "RespHeaders": ["X-B"], "Addr": "syslog://10.0.0.1:514?f=MAIL&sev=INFO"}

The line is CEE's, ``@json: {"request": ..., "response": ...}``.  ``syslog:///path`` names a datagram socket, and
``syslog://`` the system's own.
Lines that cannot be sent at once are lost.  Source: vulcand, plugin/trace, and oxy, trace.
"""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import SyslogAddress, Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.record import Record

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_SEVERITIES = {"ALERT": 1, "CRIT": 2, "ERR": 3, "WARNING": 4, "NOTICE": 5, "INFO": 6, "DEBUG": 7, "": 7}
_FACILITIES = {
    "USER": 1,
    "MAIL": 2,
    "DAEMON": 3,
    "AUTH": 4,
    "SYSLOG": 5,
    "LPR": 6,
    "NEWS": 7,
    "UUCP": 8,
    "CRON": 9,
    "AUTHPRIV": 10,
    "FTP": 11,
    "": 16,
    **{f"LOG_LOCAL{number}": 16 + number for number in range(8)},
}


class Trace(Middleware):
    """Tells of the requests of one frontend."""

    def __init__(
        self, address: SyslogAddress, *, tools: Tools, asked: frozenset[bytes], answered: frozenset[bytes]
    ) -> None:
        self._address = address
        self._tools = tools
        self._asked = asked
        self._answered = answered

    def on_request(self, call: Call) -> None:
        """Keep what the request was before others changed it."""
        request: dict[str, Any] = {
            "method": text_of(call.request.method),
            "url": text_of(call.request.target),
        }
        if headers := _shown(call.request.all_fields, self._asked):
            request["headers"] = headers
        call.notes[self] = {"request": request, "response": {}}

    def on_response(self, call: Call, response: "Response") -> None:
        """Keep what is asked for of the answer."""
        line = call.notes.get(self)
        headers = _shown(response.fields, self._answered)
        if isinstance(line, dict) and headers:
            line["response"]["headers"] = headers

    def on_end(self, call: Call, record: Record) -> None:
        """Send the line."""
        line = call.notes.pop(self, None)
        if isinstance(line, dict):
            line["request"]["body_bytes"] = record.received_bytes
            line["response"] |= {
                "code": record.status,
                "roundtrip": record.duration_us / 1000,
                "body_bytes": record.sent_bytes,
            }
            self._tools.syslog(self._address, json.dumps(line))


def text_of(value: bytes) -> str:
    """Return bytes of a head as JSON may have them."""
    return value.decode("utf-8", "replace")


def _shown(fields: Fields, names: frozenset[bytes]) -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    for name, value in fields:
        if name.lower() in names:
            shown.setdefault(_canonical(name), []).append(text_of(value))
    return shown


def _canonical(name: bytes) -> str:
    """Return a field's name as Go writes it: ``X-Request-Id``."""
    return "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))


def read_address(text: str) -> SyslogAddress:
    """Return where to send, and what stands before each line.

    Raises:
        KeyProblem: it is no address of a syslog.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or 514
    except ValueError as error:
        raise KeyProblem(f"Addr: {error}") from error
    if parts.scheme != "syslog":
        raise KeyProblem(f'Addr must look like "syslog://10.0.0.1:514" or "syslog:///path", not {text!r}')
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    severity, facility = query.get("sev", ""), query.get("f", "")
    if severity not in _SEVERITIES or facility not in _FACILITIES:
        raise KeyProblem(f"Addr: sev is one of {_names(_SEVERITIES)}; f is one of {_names(_FACILITIES)}")
    tag = query.get("prefix", "@json:")
    if not tag.isascii() or not tag.isprintable():
        raise KeyProblem("Addr: prefix must be printable ASCII")
    priority = _FACILITIES[facility] * 8 + _SEVERITIES[severity]
    return SyslogAddress(
        parts.hostname or "", port if parts.hostname else 0, parts.path or "/dev/log", priority, tag
    )


def _names(table: dict[str, int]) -> str:
    return ", ".join(name for name in table if name)


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Trace:  # noqa: ARG001
    """Read the JSON above."""
    return Trace(
        read_address(spec.required_text("Addr")),
        tools=tools,
        asked=frozenset(each.lower() for each in spec.field_names("ReqHeaders")),
        answered=frozenset(each.lower() for each in spec.field_names("RespHeaders")),
    )
