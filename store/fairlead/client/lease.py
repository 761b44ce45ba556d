"""A lease that keeps itself alive, and says when it could not.

The lease counts as lost when the store says so, and also when the store has not renewed it for a whole TTL:
it may then be gone, and whoever relies on it must stop.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Protocol

from fairlead.client.errors import ClientError, LeaseLostError


class LeaseCalls(Protocol):
    """What a lease needs of a client."""

    async def grant(self, ttl_s: int) -> tuple[int, float]:
        """Grant a lease; return its id and its TTL in seconds."""

    async def keep_alive(self, lease_id: int) -> float:
        """Renew it; return the seconds it has now, or raise LeaseLostError."""

    async def revoke(self, lease_id: int) -> None:
        """End it."""


class Lease:
    """A granted lease, renewed three times per TTL until closed or lost.

    Attributes:
        lease_id: what to put keys with.
        ttl_s: as granted, which may be more than was asked for.
    """

    def __init__(self, calls: LeaseCalls, *, lease_id: int, ttl_s: float) -> None:
        """Start to keep a lease alive that was granted just now."""
        self.lease_id = lease_id
        self.ttl_s = ttl_s
        self._calls = calls
        self._lost = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"lease {lease_id:x}")

    @property
    def is_lost(self) -> bool:
        """Whether the lease is gone, or may be."""
        return self._lost.is_set()

    async def wait_lost(self) -> None:
        """Return when the lease is gone, or may be."""
        await self._lost.wait()

    async def close(self, *, revoke: bool = True) -> None:
        """Stop renewing; with ``revoke`` the keys go now, without it when the TTL is over."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if revoke and not self.is_lost:
            with contextlib.suppress(ClientError):  # it dies by itself
                await self._calls.revoke(self.lease_id)

    async def _run(self) -> None:
        clock_s = asyncio.get_running_loop().time
        deadline_s = clock_s() + self.ttl_s
        pause_s = self.ttl_s / 3
        try:
            while True:
                await asyncio.sleep(pause_s)
                asked_s = clock_s()
                try:
                    async with asyncio.timeout_at(deadline_s):
                        ttl_s = await self._calls.keep_alive(self.lease_id)
                except LeaseLostError:
                    return
                except (ClientError, TimeoutError):
                    if clock_s() >= deadline_s:
                        return
                    pause_s = max(0.05, min(1.0, (deadline_s - clock_s()) / 3))
                else:
                    # Counted from when it was asked: the store began no earlier.
                    deadline_s, pause_s = asked_s + ttl_s, ttl_s / 3
        finally:
            if not _is_cancelled():
                self._lost.set()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class LeaseContext:
    """``async with client.lease(ttl_s) as lease``: granted on entry, revoked on exit."""

    def __init__(self, calls: LeaseCalls, *, ttl_s: int) -> None:
        """Remember what to grant."""
        self._calls = calls
        self._ttl_s = ttl_s
        self._lease: Lease | None = None

    async def __aenter__(self) -> Lease:
        """Grant the lease and begin to renew it."""
        lease_id, ttl_s = await self._calls.grant(self._ttl_s)
        self._lease = Lease(self._calls, lease_id=lease_id, ttl_s=ttl_s)
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing and revoke."""
        assert self._lease is not None
        await self._lease.close()
