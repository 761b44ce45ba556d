import asyncio

from fairlead.client import LeaseLostError, UnavailableError
from fairlead.client.lease import Lease, LeaseContext


class Calls:
    """A store with one lease."""

    def __init__(self, *, ttl_s: float = 0.06) -> None:
        self.ttl_s = ttl_s
        self.is_gone = self.is_away = False
        self.failures = 0  # renewals that will not get through
        self.renewed = asyncio.Semaphore(0)
        self.revoked: list[int] = []

    async def grant(self, ttl_s: int) -> tuple[int, float]:  # noqa: ARG002 - it grants what the test wants
        return 7, self.ttl_s

    async def keep_alive(self, lease_id: int) -> float:
        if self.is_away or self.failures > 0:
            self.failures -= 1
            raise UnavailableError(["http://127.0.0.1:1"])
        if self.is_gone:
            raise LeaseLostError(lease_id)
        self.renewed.release()
        return self.ttl_s

    async def revoke(self, lease_id: int) -> None:
        self.revoked.append(lease_id)


async def test_a_lease_is_renewed_again_and_again_and_revoked_at_the_end() -> None:
    calls = Calls()
    async with asyncio.timeout(10), LeaseContext(calls, ttl_s=1) as lease:
        for _ in range(4):
            await calls.renewed.acquire()
        assert not lease.is_lost

    assert calls.revoked == [7]


async def test_a_lease_that_the_store_has_forgotten_is_lost_and_not_revoked() -> None:
    calls = Calls()
    calls.is_gone = True
    async with asyncio.timeout(10), LeaseContext(calls, ttl_s=1) as lease:
        await lease.wait_lost()

    assert calls.revoked == []


async def test_a_lease_that_nobody_could_renew_for_its_ttl_counts_as_lost() -> None:
    """Whoever relies on it must stop, though the store may still have it."""
    calls = Calls()
    calls.is_away = True
    lease = Lease(calls, lease_id=7, ttl_s=calls.ttl_s)
    async with asyncio.timeout(10):
        await lease.wait_lost()
    await lease.close()


async def test_a_short_absence_of_the_store_does_not_cost_the_lease() -> None:
    calls = Calls(ttl_s=3.0)
    calls.failures = 2
    lease = Lease(calls, lease_id=7, ttl_s=3.0)
    async with asyncio.timeout(10):
        await calls.renewed.acquire()
    assert not lease.is_lost
    await lease.close(revoke=False)

    assert calls.revoked == []
