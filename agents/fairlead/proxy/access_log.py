"""One line per request, collected and written a few times a second: JSON, or the Common Log Format's two.

Off unless asked for.  Source of the names: OpenTelemetry's HTTP conventions, shortened; of the lines, Apache's
mod_log_config.
"""

import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted_json
from typing import TYPE_CHECKING, Final

from fairlead.proxy.log_writer import LineWriter

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.seams import Ended

FORMATS = ("json", "common", "combined")
_LINES_MAX: Final = 512
_TEXTS_MAX = 4096


class AccessLog:
    """Collects lines in memory; ``flush`` hands them to the thread that writes them."""

    def __init__(self, path: str, *, form: str = "json") -> None:
        """Append to ``path``; ``-`` is standard output.

        Raises:
            OSError: it cannot be written.
        """
        self._line = {"json": _json, "common": _common, "combined": _combined}[form]
        self._lines: list[str] = []
        self._writer = LineWriter(path)

    @property
    def dropped(self) -> int:
        """How many lines are lost, since the file could not be written for too long."""
        return self._writer.dropped

    @property
    def failure(self) -> str:
        """Why the file cannot be written now; empty: it can."""
        return self._writer.failure

    def note(self, record: "Ended") -> None:
        """Take one request."""
        plan = record.plan
        if plan is not None and plan.frontend is not None and not plan.frontend.is_logged:
            return
        # Written out at once: a record that waits keeps all of its request alive, and out of the cache.
        self._lines.append(self._line(time.time(), record))
        if len(self._lines) >= _LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Have written what has collected."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._writer.write("".join(lines).encode())

    def reopen(self) -> None:
        """Go on in a new file: the old one has been moved away.

        Raises:
            OSError: it cannot be written; the old one stays.
        """
        self.flush()
        self._writer.reopen()

    def close(self) -> None:
        """Write the rest, and no more."""
        self.flush()
        self._writer.close()


def _json(at_s: float, record: "Ended") -> str:
    plan = record.plan
    if plan is None:
        about = f'"client":{_json_text(record.peer.decode("latin-1"))},'
    else:
        about = plan.log_text
        if not about:
            about = plan.log_text = _about(plan)
    # Numbers and our own words only: what a client has written is in ``about``, and was encoded once.
    outcome = _outcome(record.status, record.flag, record.server_id, record.attempts)
    name = record.request_id
    more = f',"request_id":{_quoted_json(name.decode("latin-1"))}' if name else ""
    duration_us, head_us = str(record.duration_us), str(record.head_us)
    received_bytes, sent_bytes = str(record.received_bytes), str(record.sent_bytes)
    return (
        f'{{"time":{_stamp(int(at_s * 1000))},{about}{outcome}"duration_us":{duration_us},"head_us":{head_us},'
        f'"received_bytes":{received_bytes},"sent_bytes":{sent_bytes}{more}}}\n'
    )


@lru_cache(_TEXTS_MAX)
def _outcome(status: int, flag: str, server_id: str, attempts: int) -> str:
    """Return what is the same for most requests."""
    return f'"status":{status},"flag":"{flag}","server":{_quoted_json(server_id)},"attempts":{attempts},'


@lru_cache(16)
def _stamp(at_ms: int) -> str:
    """Return a moment in seconds; many requests end in the same millisecond."""
    return f"{at_ms // 1000}.{at_ms % 1000:03d}"


def _about(plan: "Plan") -> str:
    """Return what is the same for every request of one plan."""
    request = plan.request
    return (
        f'"client":{_json_text(plan.peer.decode("latin-1"))},'
        f'"method":{_json_text(request.method.decode("latin-1"))},'
        f'"host":{_json_text(request.host.decode("latin-1"))},'
        f'"target":{_quoted_json(request.target.decode("latin-1"))},'
        f'"frontend":{_json_text(plan.frontend_id)},"revision":{plan.snapshot.revision},'
    )


_json_text = lru_cache(_TEXTS_MAX)(_quoted_json)
"""For what comes again: clients, hosts, ids."""


def _common(at_s: float, record: "Ended") -> str:
    return f"{_common_fields(at_s, record)}\n"


def _combined(at_s: float, record: "Ended") -> str:
    request = record.plan.request if record.plan is not None else None
    referer = _quoted(request.header(b"referer")) if request is not None else "-"
    agent = _quoted(request.header(b"user-agent")) if request is not None else "-"
    return f'{_common_fields(at_s, record)} "{referer}" "{agent}"\n'


def _common_fields(at_s: float, record: "Ended") -> str:
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(at_s))
    line = "-"
    if record.plan is not None:
        request = record.plan.request
        line = f"{_quoted(request.method)} {_quoted(request.target)} HTTP/1.{request.minor}"
    return f'{record.peer.decode() or "-"} - - [{stamp}] "{line}" {record.status} {record.sent_bytes or "-"}'


def _quoted(value: bytes) -> str:
    """Return what a client sent as may stand between quotes: nothing in it ends the line or the field."""
    text = value.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    return "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in text) or "-"
