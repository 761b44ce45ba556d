"""One JSON line per request, collected and written a few times a second.

Off unless asked for.  Source of the names: OpenTelemetry's HTTP conventions, shortened.
"""

import json
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from fairlead.proxy.record import Record

_LINES_MAX = 512


class AccessLog:
    """Collects lines in memory; ``flush`` writes them in one go."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[tuple[float, Record]] = []

    def note(self, record: "Record") -> None:
        """Take one request."""
        self._lines.append((time.time(), record))
        if len(self._lines) >= _LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what has collected."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._stream.write("".join([f"{json.dumps(_fields(*line))}\n" for line in lines]))
            self._stream.flush()


def _fields(at_s: float, record: "Record") -> dict[str, object]:
    fields: dict[str, object] = {"time": round(at_s, 3), "client": record.peer.decode()}
    plan = record.plan
    if plan is not None:
        fields |= {
            "method": plan.request.method.decode("latin-1"),
            "host": plan.request.host.decode("latin-1"),
            "target": plan.request.target.decode("latin-1"),
            "frontend": plan.frontend_id,
            "revision": plan.snapshot.revision,
        }
    return fields | {
        "status": record.status,
        "flag": record.flag,
        "server": record.server_id,
        "attempts": record.attempts,
        "duration_us": record.duration_us,
        "head_us": record.head_us,
        "received_bytes": record.received_bytes,
        "sent_bytes": record.sent_bytes,
    }
