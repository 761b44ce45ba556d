"""Everything here runs on the loop that serves, uvloop's, and on asyncio's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
import uvloop
from structlog.testing import LogCapture
from tests.e2e.peer.world import World


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest_asyncio.fixture
async def world(tmp_path: Path, log: LogCapture) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.stop()


@pytest.fixture
def log() -> Iterator[LogCapture]:
    """What is said in the log."""
    capture, before = LogCapture(), structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)
