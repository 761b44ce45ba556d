"""``connlimit``: so many requests of each client at a time.

    {"Connections": 10, "Variable": "client.ip"}

More get 429.  With ``"Cluster": true`` all proxies of the store share the number; see ``shares``.  Source: vulcand, plugin/connlimit.
"""

from typing import Any

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.shares import WHOLE, Share
from fairlead.proxy.middleware.sources import Source, read_counted, read_source
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.record import Record


class ConnLimit(Middleware):
    """The limiter of one frontend; bounded by what is in flight, since nobody else is in the map."""

    def __init__(
        self,
        *,
        connections: int,
        source: Source,
        share: Share | None = None,
        open_by_client: dict[bytes, int] | None = None,
    ) -> None:
        self.connections = connections
        self.open_by_client = {} if open_by_client is None else open_by_client
        self.refused = 0
        self._source = source
        self._share = share

    def on_request(self, call: Call) -> Answer | None:
        """Count the request in, or refuse it."""
        client = self._source(call)
        count = self.open_by_client.get(client, 0)
        if count >= self._bound():
            self.refused += 1
            body = b'{"error":"max connections reached: %d"}' % self.connections
            return Answer(429, body, fields=[(b"Content-Type", b"application/json")], flag="CL")
        self.open_by_client[client] = count + 1
        call.notes[self] = client  # the header it stands in may be changed before the end
        return None

    def _bound(self) -> int:
        if self._share is None:
            return self.connections
        self._share.demand += 1
        return max(1, self.connections * self._share.parts // WHOLE) if self._share.parts else 0

    def on_end(self, call: Call, record: Record) -> None:
        """Count it out, in the map that outlives this object."""
        client = call.notes.pop(self, None)
        if isinstance(client, bytes):
            if self.open_by_client[client] == 1:
                del self.open_by_client[client]
            else:
                self.open_by_client[client] -= 1

    def describe(self) -> dict[str, Any]:
        """Return what is under way, and how many requests were refused."""
        return {"open": sum(self.open_by_client.values()), "refused": self.refused}


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> ConnLimit:
    """Read the JSON above; what is under way stays counted."""
    is_cluster = spec.flag("Cluster")
    connections = spec.whole("Connections")
    return ConnLimit(
        connections=connections if is_cluster else max(1, connections // tools.workers),
        source=read_source(spec.text("Variable", "client.ip"), client=read_counted(spec)),
        share=tools.share.wanted() if is_cluster else None,
        open_by_client=previous.open_by_client if isinstance(previous, ConnLimit) else None,
    )
