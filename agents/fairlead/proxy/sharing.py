"""Keeps our slice of the shared limits in the store; what the slices mean is in ``middleware.shares``.

    /fairlead/proxy/limits/ledger          who has how much
    /fairlead/proxy/limits/members/NAME    who is there, on a lease

While the store is away the slice stays what it was.  A proxy that alone cannot reach the store may so let pass its
old slice beside those who have taken it over: the limit is passed by that much at most.
"""

import asyncio
import logging

from fairlead.client import Client, ClientError, Compare, Lease, op_put
from fairlead.proxy.middleware.shares import Share, next_ledger, read_ledger, write_ledger

_LOG = logging.getLogger(__name__)
_PREFIX = b"/fairlead/proxy/limits/"
_LEDGER = _PREFIX + b"ledger"
_MEMBERS = _PREFIX + b"members/"
_LEASE_TTL_S = 10
_LOOK_S = 1.0
_JOIN_S = 0.1
"""Between two looks while we have nothing: others have to give first."""


class ShareKeeper:
    """Runs beside the proxy; does nothing until a limiter shares."""

    def __init__(self, client: Client, share: Share, *, member: str) -> None:
        """Keep ``share`` under the name ``member``, which no other proxy has."""
        self._client = client
        self._share = share
        self._member = member

    async def run(self) -> None:
        """Keep the slice until cancelled."""
        while True:
            if self._share.is_wanted:
                try:
                    async with self._client.lease(_LEASE_TTL_S) as lease:
                        await self._client.put(_MEMBERS + self._member.encode(), b"", lease=lease.lease_id)
                        await self._keep(lease)
                except ClientError as error:
                    _LOG.debug("the shared limits cannot be kept: %s", error)
            await asyncio.sleep(_LOOK_S)

    async def _keep(self, lease: Lease) -> None:
        while not lease.is_lost:
            await self._look()
            await asyncio.sleep(_LOOK_S if self._share.parts else _JOIN_S)

    async def _look(self) -> None:
        share = self._share
        found = await self._client.get(_PREFIX, prefix=True)
        values = {kv.key: kv for kv in found.kvs}
        present = [key[len(_MEMBERS) :].decode() for key in values if key.startswith(_MEMBERS)]
        kept = values.get(_LEDGER)
        ledger = read_ledger(kept.value) if kept is not None else {}
        mine = ledger.get(self._member)
        # Whoever struck us out has taken our slice, and what we use must have been written.
        share.parts = min(share.parts, mine.parts) if mine is not None else 0
        wanted = next_ledger(ledger, me=self._member, present=present, demand=share.demand)
        share.demand //= 2
        if wanted is None:
            share.parts = mine.parts if mine is not None else 0
            return
        ours = wanted[self._member].parts
        share.parts = min(share.parts, ours)
        unchanged = Compare.mod_revision(_LEDGER).equals(kept.mod_revision if kept is not None else 0)
        is_present = Compare.version(_MEMBERS + self._member.encode()).is_above(0)
        done = await self._client.txn([unchanged, is_present], [op_put(_LEDGER, write_ledger(wanted))])
        if done.succeeded:
            share.parts = ours
