"""Tells deployers in the store how many requests are still under way at servers that drain.

    PREFIX/status/backends/B/servers/S/PROXY    {"State":"drain","InFlight":3}

A deployer sets ``"State":"drain"``, watches the keys below ``.../servers/S/`` until every proxy says 0, and then stops the server.
The keys are on a lease, so that a proxy that dies takes what it said along; nothing is written while nobody drains.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping

from fairlead.client import Client, ClientError, Lease, op_delete, op_put
from fairlead.proxy.model import UP
from fairlead.proxy.state import Groups

_LOG = logging.getLogger(__name__)
_LEASE_TTL_S = 10
LOOK_S = 0.5
"""How often the counts are looked at; what has not changed is not written."""
OPERATIONS_MAX = 100
"""Keys of one transaction; etcd's own limit is 128."""


def drain_rows(groups: Groups, *, prefix: str, member: str) -> dict[str, str]:
    """Return the keys and values that say how far the draining servers are."""
    return {
        f"{prefix}/status/backends/{backend_id}/servers/{each.server.id}/{member}": json.dumps(
            {"State": each.server.state, "InFlight": each.in_flight}
        )
        for backend_id, group in groups.items()
        for each in group.servers
        if each.server.state != UP
    }


class DrainReporter:
    """Keeps those keys."""

    def __init__(self, client: Client, rows: Callable[[], Mapping[str, str]]) -> None:
        """Write what ``rows`` returns, asked for again and again."""
        self._client = client
        self._rows = rows

    async def run(self) -> None:
        """Keep the keys until cancelled."""
        told = ""
        while True:
            if self._rows():
                try:
                    async with self._client.lease(_LEASE_TTL_S) as lease:
                        await self._keep(lease)
                    told = ""
                except ClientError as error:
                    if str(error) != told:
                        _LOG.warning("cannot write how far servers have drained: %s", error)
                    told = str(error)
            await asyncio.sleep(LOOK_S)

    async def _keep(self, lease: Lease) -> None:
        """Write what changes, until nobody drains any more or the lease is lost."""
        written: dict[str, str] = {}
        while not lease.is_lost:
            rows = self._rows()
            operations = [
                op_put(key, value, lease=lease.lease_id)
                for key, value in rows.items()
                if written.get(key) != value
            ]
            operations += [op_delete(key) for key in written.keys() - rows.keys()]
            for start in range(0, len(operations), OPERATIONS_MAX):
                await self._client.txn([], operations[start : start + OPERATIONS_MAX])
            written = dict(rows)
            if not rows:
                return
            await asyncio.sleep(LOOK_S)
