"""nghttp2's programs on both sides of HTTP/2: load, padding, bodies both ways, every kind of frame that they send."""

import asyncio
import re
from pathlib import Path

import pytest
from tests import peers
from tests.unit.proxy.harness import Peer, Upstream, running

SIZE = 300_000


async def _echo(peer: Peer) -> None:
    """Answer with the body of the request."""
    while True:
        head = await peer.head()
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await peer.exactly(int(found[1])) if found else b"ok"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def _run(program: str, *argv: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        peers.path_of(program), *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output.decode()
    return output


@pytest.mark.peer("h2load")
@pytest.mark.parametrize("has_body", [False, True])
async def test_h2load_has_every_request_answered(tmp_path: Path, *, has_body: bool) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * 5000)
    argv = [f"-d{body}"] if has_body else []
    async with running(Upstream(_echo)) as proxy:
        output = await _run("h2load", "-n1000", "-c4", "-m32", *argv, f"http://127.0.0.1:{proxy.port}/")
        assert proxy.service.stats.by_class[2] == 1000
    assert b"1000 succeeded, 0 failed, 0 errored, 0 timeout" in output


@pytest.mark.peer("nghttp")
async def test_nghttp_gets_back_what_it_sends_with_padding_and_small_windows(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * (SIZE // 256))
    async with running(Upstream(_echo)) as proxy:
        output = await _run(
            *("nghttp", "--padding=100", "--window-bits=14", "--connection-window-bits=15", "--continuation"),
            *(f"-d{body}", f"http://127.0.0.1:{proxy.port}/"),
        )
    assert output == body.read_bytes()
