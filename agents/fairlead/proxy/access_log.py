"""One JSON line per request, collected and written a few times a second.

Off unless asked for.  Source of the names: OpenTelemetry's HTTP conventions, shortened.
"""

import json
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan

_LINES_MAX = 512
_Line = tuple[float, str, "Plan", int, int]


class AccessLog:
    """Collects lines in memory; ``flush`` writes them in one go."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[_Line] = []

    def note(self, plan: "Plan", status: int, duration_us: int, *, peer: bytes) -> None:
        """Take one request; status 0: the client left before the answer."""
        self._lines.append((time.time(), peer.decode(), plan, status, duration_us))
        if len(self._lines) >= _LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what has collected."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._stream.write("".join([f"{json.dumps(_fields(line))}\n" for line in lines]))
            self._stream.flush()


def _fields(line: _Line) -> dict[str, object]:
    at_s, peer, plan, status, duration_us = line
    request = plan.request
    return {
        "time": round(at_s, 3),
        "client": peer,
        "method": request.method.decode("latin-1"),
        "host": request.host.decode("latin-1"),
        "target": request.target.decode("latin-1"),
        "status": status or 499,
        "duration_us": duration_us,
        "frontend": plan.frontend_id,
        "revision": plan.snapshot.revision,
    }
