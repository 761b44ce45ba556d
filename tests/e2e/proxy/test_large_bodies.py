"""A gigabyte passes through a proxy that stays as small as it was, whichever way and however framed (8.11)."""

import asyncio
import contextlib
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.proxy.running import RunningProxy, frontend
from tests.support.store import StoreServer

BODY_BYTES = 2**30
GROWTH_BYTES_MAX = 4 * 2**20
"""What buffers and the allocator may take: a 256th of the body.  Measured: 0.4 to 0.8 MiB."""
PIECE = bytes(range(256)) * 1024 + b"a piece that does not repeat at a power of two"
PATIENCE_S = 120.0


class Digest:
    """How many bytes, and their checksum: enough to tell one stream from another."""

    def __init__(self) -> None:
        self.count = 0
        self.crc = 0

    def add(self, data: bytes | memoryview) -> None:
        self.count += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.count, self.crc) == (other.count, other.crc)

    def __hash__(self) -> int:
        return hash((self.count, self.crc))

    def __repr__(self) -> str:
        return f"Digest(count={self.count}, crc={self.crc:08x})"


def send_body(link: socket.socket, *, is_chunked: bool) -> Digest:
    """Send ``BODY_BYTES``, framed as the head has said."""
    sent = Digest()
    while sent.count < BODY_BYTES:
        piece = PIECE[: BODY_BYTES - sent.count]
        sent.add(piece)
        link.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
    if is_chunked:
        link.sendall(b"0\r\n\r\n")
    return sent


def read_body(link: socket.socket, *, is_chunked: bool) -> Digest:
    """Read as much, and no more."""
    received = Digest()
    if not is_chunked:
        while received.count < BODY_BYTES and (data := link.recv(2**18)):
            received.add(data)
        return received
    with link.makefile("rb", buffering=2**18) as stream:
        while size := int(stream.readline(), 16):
            received.add(stream.read(size))
            assert stream.read(2) == b"\r\n"
        assert stream.readline() == b"\r\n"
    return received


def read_head(link: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        assert byte, head
        head += byte
    return head


class Store:
    """A server that gives a body for GET and takes one for PUT; on a thread, since both sides have to be fast."""

    def __init__(self) -> None:
        self.received: Digest | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listening.accept()
                link.settimeout(PATIENCE_S)
                with link, contextlib.suppress(OSError, AssertionError):
                    self._serve(link)

    def _serve(self, link: socket.socket) -> None:
        head = read_head(link)
        is_chunked = b" /chunked " in head
        if head.startswith(b"PUT"):
            self.received = read_body(link, is_chunked=is_chunked)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        else:
            link.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + framing(is_chunked=is_chunked))
            send_body(link, is_chunked=is_chunked)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(PATIENCE_S)


def framing(*, is_chunked: bool) -> bytes:
    if is_chunked:
        return b"Transfer-Encoding: chunked\r\n\r\n"
    return b"Content-Length: %d\r\n\r\n" % BODY_BYTES


def download(port: int, *, is_chunked: bool) -> Digest:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
        path = "/chunked" if is_chunked else "/length"
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = read_head(link)
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert (b"Transfer-Encoding: chunked" in head) is is_chunked, head
        return read_body(link, is_chunked=is_chunked)


def upload(port: int, *, is_chunked: bool) -> Digest:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
        path = "/chunked" if is_chunked else "/length"
        link.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\n".encode() + framing(is_chunked=is_chunked))
        sent = send_body(link, is_chunked=is_chunked)
        head = read_head(link)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return sent


def expected() -> Digest:
    digest = Digest()
    while digest.count < BODY_BYTES:
        digest.add(PIECE[: BODY_BYTES - digest.count])
    return digest


def forget_peak(pid: int) -> int:
    """Have the kernel begin its high-water mark anew (proc(5), clear_refs); return it, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_bytes(pid)


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


@pytest.fixture
def upstream() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_gigabyte_costs_no_memory(
    fairlead_store: StoreServer, tmp_path: Path, upstream: Store, direction: str, *, is_chunked: bool
) -> None:
    proxy = RunningProxy(fairlead_store, tmp_path / "proxy")
    url = f"http://127.0.0.1:{upstream.port}"
    await proxy.put(
        {
            "frontends/l/frontend": frontend("/length"),
            "frontends/c/frontend": frontend("/chunked"),
            "backends/b/servers/s": {"URL": url},
        }
    )
    proxy.start()
    try:
        before = forget_peak(proxy.program.pid)
        move = download if direction == "down" else upload
        moved = await asyncio.to_thread(move, proxy.port, is_chunked=is_chunked)
        assert moved == (expected() if direction == "down" else upstream.received)
        assert peak_bytes(proxy.program.pid) - before < GROWTH_BYTES_MAX
    finally:
        proxy.program.stop()
        await proxy.client.close()
