"""Asks the store what leases were granted for, beside the queries and never for one."""

import asyncio
import logging
from typing import Final

from fairlead.client import Client, ClientError
from fairlead.dns.model import Model

_LOG = logging.getLogger(__name__)
RETRY_S: Final = 1.0


class LeaseReader:
    """Reads every lease that a key of ``model`` hangs on, once."""

    def __init__(self, client: Client, model: Model) -> None:
        self._client = client
        self._model = model
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Look for leases that nobody has read yet."""
        if self._model.leases.unknown():
            self._wanted.set()

    async def run(self) -> None:
        """Read until cancelled.  While the store is away, records are bounded by their own TTLs only."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while asked := self._model.leases.unknown():
                try:
                    infos = await asyncio.gather(*(self._client.lease_info(lease) for lease in asked))
                except ClientError as error:
                    _LOG.debug("cannot read leases: %s", error)
                    await asyncio.sleep(RETRY_S)
                    continue
                for info in infos:
                    self._model.learn_lease(info.lease_id, info.granted_ttl_s if info.ttl_s > 0 else 0)
