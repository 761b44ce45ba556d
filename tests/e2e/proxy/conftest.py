"""A proxy on each kind of store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.proxy.running import RunningProxy
from tests.support.store import StoreServer


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
