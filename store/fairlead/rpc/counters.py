"""What a server counts, for whoever exports it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fairlead.rpc.codes import Code


class Counters:
    """Running totals of one server; read them at any time."""

    def __init__(self, handled: Mapping[str, Sequence[int]]) -> None:
        self._handled = handled
        self.connections_open = 0
        self.connections_total = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self.faults: Counter[str] = Counter()
        """Connections that ended for what the client did, by reason."""

    def handled(self) -> dict[tuple[str, Code], int]:
        """Return how many calls have ended, by method and code, those that occurred."""
        return {
            (path, code): counts[code]
            for path, counts in self._handled.items()
            for code in Code
            if counts[code]
        }
