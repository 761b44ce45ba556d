import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from fairlead.agent import AgentContext, AgentOptions, ConfigError, Status
from fairlead.client import Client, Mirror


@pytest.fixture
def log() -> LogCapture:
    return LogCapture()


@pytest.fixture
async def context(log: LogCapture) -> AsyncIterator[AgentContext]:
    metrics = CollectorRegistry()
    logger = structlog.wrap_logger(None, processors=[log])
    options = AgentOptions()
    async with Client(options.endpoints) as client:
        status = Status(log=logger, metrics=metrics)
        yield AgentContext(
            kind="dns", client=client, options=options, log=logger, metrics=metrics, status=status
        )


def test_ready_is_said_once_with_every_address(context: AgentContext, log: LogCapture) -> None:
    context.ready("127.0.0.1:53", "[::1]:53")
    context.ready("again")

    assert context.is_ready
    assert [(entry["event"], entry["addresses"]) for entry in log.entries] == [
        ("ready", "127.0.0.1:53, [::1]:53")
    ]


def test_an_agent_that_was_told_to_stop_does_not_become_ready(context: AgentContext, log: LogCapture) -> None:
    """The last work of a drain may be what readiness waited for; nobody should be sent to it any more."""
    context.stop()
    context.ready("127.0.0.1:53")

    assert not context.is_ready
    assert log.entries == []


async def test_a_reload_that_fails_costs_itself_only(context: AgentContext, log: LogCapture) -> None:
    done: list[str] = []

    def fail() -> None:
        raise ConfigError("no such zone", "check --domain")

    async def later() -> None:
        await asyncio.sleep(0)
        done.append("later")

    for callback in (fail, lambda: done.append("now"), later):
        context.on_reload(callback)
    await context.reload()

    assert done == ["now", "later"]
    assert log.entries[0]["reason"] == "no such zone; check --domain"


async def test_how_fresh_a_mirror_is_can_be_seen_from_outside(context: AgentContext) -> None:
    context.export(Mirror(context.client, ["/a/"]))
    context.export(Mirror(context.client, ["/b/"]), name="other")

    for name in ("main", "other"):
        age_s = context.metrics.get_sample_value("fairlead_agent_mirror_age_seconds", {"mirror": name})
        is_live = context.metrics.get_sample_value("fairlead_agent_mirror_live_state", {"mirror": name})
        assert (age_s, is_live) == (float("inf"), 0.0)
