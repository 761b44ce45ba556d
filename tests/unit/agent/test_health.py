import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, Gauge

from fairlead.agent import Address, ConfigError
from fairlead.agent.health import HealthLimits, HealthPages, HealthServer

ANY_PORT = Address(host="127.0.0.1", port=0)


def pages(*, is_ready: bool = True) -> HealthPages:
    metrics = CollectorRegistry()
    Gauge("fairlead_test_things_count", "Things.", registry=metrics).set(3)
    return HealthPages(is_ready=lambda: is_ready, metrics=metrics)


@asynccontextmanager
async def serving(limits: HealthLimits | None = None) -> AsyncIterator[Address]:
    server = HealthServer(pages(), limits=limits)
    yield await server.start(ANY_PORT)
    await server.stop()


async def say(address: Address, request: bytes) -> bytes:
    """Send ``request`` and return all that comes back until the end."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /healthz HTTP/1.1", b"200 OK"),
        (b"GET /readyz?verbose HTTP/1.1", b"200 OK"),
        (b"GET /metrics HTTP/1.0", b"200 OK"),
        (b"GET / HTTP/1.1", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1", b"405 Method Not Allowed"),
        (b"GET /healthz", b"400 Bad Request"),
        (b"\x16\x03\x01", b"400 Bad Request"),
    ],
)
def test_each_request_has_its_status(request_line: bytes, status: bytes) -> None:
    assert pages().answer(request_line + b"\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 " + status + b"\r\n")


def test_an_agent_that_is_not_ready_is_alive_but_gets_no_traffic() -> None:
    not_ready = pages(is_ready=False)

    assert b" 503 " in not_ready.answer(b"GET /readyz HTTP/1.1\r\n\r\n")
    assert b" 200 " in not_ready.answer(b"GET /healthz HTTP/1.1\r\n\r\n")


def test_metrics_are_in_the_format_that_prometheus_reads() -> None:
    answer = pages().answer(b"GET /metrics HTTP/1.1\r\n\r\n")

    assert b"Content-Type: text/plain; version=0.0.4" in answer
    assert b"\nfairlead_test_things_count 3.0\n" in answer


def test_head_has_the_length_and_no_body() -> None:
    head, _, body = pages().answer(b"HEAD /healthz HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")

    assert b"Content-Length: 3" in head
    assert body == b""


async def test_pages_are_served_and_the_connection_is_closed() -> None:
    async with serving() as address:
        answer = await say(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.endswith(b"\r\n\r\nok\n")


async def test_a_client_that_says_nothing_is_sent_away() -> None:
    async with serving(HealthLimits(timeout_s=0.05)) as address:
        assert await say(address, b"GET /healthz HTTP/1.1\r\n") == b""


async def test_a_head_that_is_too_long_is_not_read() -> None:
    async with serving(HealthLimits(head_bytes_max=100)) as address:
        assert await say(address, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 1000 + b"\r\n\r\n") == b""


async def test_connections_beyond_the_bound_are_closed_and_those_within_are_served() -> None:
    async with serving(HealthLimits(connections_max=1)) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        assert await say(address, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_a_port_in_use_is_told_with_its_flag() -> None:
    async with serving() as address:
        with pytest.raises(ConfigError, match=rf"{address} \(--metrics-listen\): the port is in use"):
            await HealthServer(pages()).start(address)
