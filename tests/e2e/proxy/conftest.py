"""A proxy on each kind of store, which all tests of a module have in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.proxy.running import RunningProxy
from tests.support.store import StoreServer, emptied


@pytest.fixture
def store(kept_store: StoreServer) -> StoreServer:
    """A running store with nothing in it."""
    return emptied(kept_store)


@pytest.fixture
async def proxy(store: StoreServer, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A running proxy with nothing to route."""
    running = RunningProxy(store, tmp_path / "proxy", flags=["--data-dir", str(tmp_path / "data")])
    running.start()
    try:
        yield running
    finally:
        running.program.stop()
        await running.client.close()
