"""Keeps an agent's status in the store, on a lease: when the agent dies the key goes by itself."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import structlog

from fairlead.client import Backoff, Client, ClientError, Lease, UnavailableError

LEASE_TTL_S = 15
WRITE_INTERVAL_S = 1.0
_BACKOFF = Backoff(first_s=0.5, max_s=15.0)


class StatusKey:
    """Writes one key, at most once a second, whenever ``changed`` was called."""

    def __init__(
        self,
        client: Client,
        key: str,
        *,
        describe: Callable[[], dict[str, Any]],
        log: structlog.stdlib.BoundLogger,
        rng: random.Random,
    ) -> None:
        """Make a writer; ``run`` does the work.

        Args:
            client: how to reach the store.
            key: where to write.
            describe: what to write, asked for at each write.
            log: where a refusal is told.
            rng: spreads the retries.
        """
        self.key = key
        self._client = client
        self._describe = describe
        self._log = log
        self._rng = rng
        self._news = asyncio.Event()
        self._news.set()

    def changed(self) -> None:
        """Have the key rewritten soon."""
        self._news.set()

    async def run(self) -> None:
        """Keep the key, until cancelled; then remove it."""
        failures, told = 0, ""
        while True:
            try:
                async with self._client.lease(LEASE_TTL_S) as lease:
                    failures = 0
                    await self._keep(lease)
            except UnavailableError:
                pass  # whoever follows the store has said so already
            except ClientError as error:
                if str(error) != told:
                    self._log.warning("cannot write the status key", key=self.key, reason=str(error))
                told = str(error)
            await asyncio.sleep(_BACKOFF.delay_s(failures, rng=self._rng))
            failures += 1

    async def _keep(self, lease: Lease) -> None:
        """Write what is new, until the lease is lost."""
        lost = asyncio.create_task(lease.wait_lost(), name="status lease")
        try:
            self._news.set()
            while True:
                news = asyncio.create_task(self._news.wait(), name="status news")
                await asyncio.wait({lost, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if lost.done():
                    return
                self._news.clear()
                await self._client.put(self.key, json.dumps(self._describe()), lease=lease.lease_id)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(lost), WRITE_INTERVAL_S)
        finally:
            lost.cancel()
