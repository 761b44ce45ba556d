"""The socket of operators' pages: what it answers, and what one client may cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fairlead.agent import Address, Asked, ConfigError, Page, PageLimits, PageServer

ANY_PORT = Address(host="127.0.0.1", port=0)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def echo(asked: Asked) -> Page:
    """Say what was asked."""
    if asked.method == "DELETE":
        return Page(status=405, body=b"no")
    query = ",".join(f"{name}={value}" for name, value in asked.query.items())
    return Page(body=f"{asked.method} {asked.path} {query} {asked.fields.get('x')} ".encode() + asked.body)


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[Address]:
    server = PageServer(echo, flag="--here", limits=PageLimits(**limits))  # type: ignore[arg-type]
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
    ("request_head", "status"),
    [
        (GET, b"200 OK"),
        (b"GET /a HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 50_000 + b"\r\n\r\n", b"431 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n" + b"x" * 200, b"413 "),
    ],
)
async def test_each_request_has_its_status(request_head: bytes, status: bytes) -> None:
    async with serving(body_bytes_max=100) as address:
        answer = await say(address, request_head)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in answer
    assert (b"\r\nAllow: GET, HEAD\r\n" in answer) is (b" 405 " in answer)
    assert b"access-control-allow-origin" not in answer.lower()


async def test_a_page_is_told_what_was_asked() -> None:
    async with serving() as address:
        answer = await say(
            address, b"POST /a/b?c=d%20e&c=f HTTP/1.1\r\nHost: x\r\nX: y\r\nContent-Length: 4\r\n\r\nbody"
        )
    assert answer.endswith(b"\r\n\r\nPOST /a/b c=f y body")


async def test_head_has_the_length_and_no_body() -> None:
    async with serving() as address:
        head, _, body = (await say(address, GET.replace(b"GET", b"HEAD"))).partition(b"\r\n\r\n")

    assert b"Content-Length: 13" in head
    assert body == b""


async def test_a_client_that_says_nothing_is_sent_away() -> None:
    async with serving(timeout_s=0.05) as address:
        assert await say(address, b"GET /healthz HTTP/1.1\r\n") == b""


async def test_connections_beyond_the_bound_are_closed_and_those_within_are_served() -> None:
    async with serving(connections_max=1) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        assert await say(address, GET) == b""
        writer.write(GET)
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_a_port_in_use_is_told_with_its_flag() -> None:
    async with serving() as address:
        with pytest.raises(ConfigError, match=rf"{address} \(--here\): the port is in use"):
            await PageServer(echo, flag="--here").start(address)
