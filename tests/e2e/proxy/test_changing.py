"""Live reconfiguration under load, a bounded piece of it; ``tests.e2e.proxy.changing`` is the command for the long run."""

from pathlib import Path

from tests.e2e.proxy.changing import ALLOWED, change_under_load, proxy_on
from tests.support.store import StoreServer


async def test_every_answer_during_random_changes_is_one_that_the_model_explains(
    store: StoreServer, tmp_path: Path
) -> None:
    """And no limiter forgets what it let pass, no sticky client is sent elsewhere (8.2 to 8.5, 8.9)."""
    async with proxy_on(store, tmp_path) as proxy:
        report = await change_under_load(proxy, changes=60, seed=11)
    assert report.unexplained == []
    assert report.limiter_passed == ALLOWED
    assert report.sticky == {"s0"}
    assert report.answers > 100
