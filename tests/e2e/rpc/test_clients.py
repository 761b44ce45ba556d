"""Clients that nobody here wrote, over real sockets: grpcio, curl and h2load."""

import asyncio
import re
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
import pytest
from tests import peers
from tests.e2e.rpc.world import World, serving

from fairlead.rpc import Code, Limits, ListenError, TlsFiles

LONG_S = 30.0
"""Far beyond what any step here takes, so that only a hang meets it."""

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with serving() as made:
        yield made


@pytest.fixture
async def channel(world: World) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}", options=UNLIMITED) as made:
        yield made


async def run(program: str, *arguments: str | Path) -> str:
    """Run a program to its end, and return what it printed."""
    path = peers.find(program)
    assert path is not None
    process = await asyncio.create_subprocess_exec(
        path, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(LONG_S):
        out, _ = await process.communicate()
    return out.decode()


class TestGrpcio:
    async def test_unary_calls(self, channel: grpc.aio.Channel) -> None:
        for method in ("Echo", "Later"):
            call = channel.unary_unary(f"/t.T/{method}")
            answers = await asyncio.gather(*(call(b"%d" % n, timeout=LONG_S) for n in range(200)))
            assert answers == [b"%d" % n for n in range(200)]

    async def test_big_messages_both_ways(self, channel: grpc.aio.Channel) -> None:
        body = bytes(range(256)) * 8000
        assert await channel.unary_unary("/t.T/Echo")(body, timeout=LONG_S) == body

    async def test_a_message_above_the_limit(self, channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Echo")(bytes(3_000_000), timeout=LONG_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == "grpc: received message larger than max (3000000 vs. 2097152)"

    async def test_an_error_with_text_beyond_ascii(self, channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Refuse")("Schlüssel „x“: 100 % 💥\n".encode(), timeout=LONG_S)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert caught.value.details() == "Schlüssel „x“: 100 % 💥\n"

    async def test_an_unknown_method(self, channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Nothing")(b"", timeout=LONG_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert caught.value.details() == "unknown method Nothing for service t.T"

    async def test_metadata(self, channel: grpc.aio.Channel) -> None:
        sent = [("token", "abc.7"), ("raw-bin", b"\0\1\2")]
        answer = await channel.unary_unary("/t.T/Who")(b"", metadata=sent, timeout=LONG_S)
        assert answer == b"None abc.7 AAEC"

    async def test_gzip(self, channel: grpc.aio.Channel) -> None:
        body = b"abc" * 100_000
        call = channel.unary_unary("/t.T/Echo")
        assert await call(body, compression=grpc.Compression.Gzip, timeout=LONG_S) == body

    async def test_deflate_is_not_known(self, channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Echo")(
                b"abc" * 1000, compression=grpc.Compression.Deflate, timeout=LONG_S
            )
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    async def test_a_deadline(self, world: World, channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Never")(b"", timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(LONG_S):
            await world.cancelled.wait()

    async def test_a_cancellation_reaches_the_handler(self, world: World, channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary("/t.T/Never")(b"")
        echo = channel.unary_unary("/t.T/Echo")
        await echo(b"", timeout=LONG_S)  # Behind the other on the same connection.
        call.cancel()
        async with asyncio.timeout(LONG_S):
            await world.cancelled.wait()

    async def test_a_conversation(self, channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream("/t.T/Chat")(timeout=LONG_S)
        for n in range(50):
            await call.write(b"%d" % n)
            assert await call.read() == b"%d" % n
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK

    async def test_a_client_stream_in_one_breath(self, channel: grpc.aio.Channel) -> None:
        sent = [b"%d" % n * 1000 for n in range(500)]
        call = channel.stream_stream("/t.T/Chat")(iter(sent), timeout=LONG_S)
        assert [answer async for answer in call] == sent

    async def test_a_server_stream_larger_than_any_window(self, channel: grpc.aio.Channel) -> None:
        call = channel.unary_stream("/t.T/Chat")(b"count 2000 20000", timeout=LONG_S)
        numbers = [int(answer.rstrip(b"\0")) async for answer in call]
        assert numbers == list(range(1999, -1, -1))

    async def test_a_slow_reader_holds_up_nobody_else(self, world: World, channel: grpc.aio.Channel) -> None:
        """One stream of a connection is not read at all; calls beside it go on, and memory stays bounded."""
        stuck = channel.unary_stream("/t.T/Chat")(b"count 1000 20000", timeout=LONG_S)
        assert (await stuck.read()).startswith(b"999")
        echo = channel.unary_unary("/t.T/Echo")
        for n in range(100):
            assert await echo(b"%d" % n, timeout=LONG_S) == b"%d" % n
        left = 999
        while left:
            left -= 1
            assert (await stuck.read()).rstrip(b"\0") == b"%d" % left
        assert world.server.counters.connections_total == 1

    async def test_a_stream_is_cancelled_with_its_channel(self, world: World) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            call = channel.stream_stream("/t.T/Chat")(timeout=LONG_S)
            await call.write(b"x")
            await call.read()
        async with asyncio.timeout(LONG_S):
            await world.cancelled.wait()
        assert world.log == ["cancel"]

    async def test_counters(self, world: World, channel: grpc.aio.Channel) -> None:
        await channel.unary_unary("/t.T/Echo")(b"", timeout=LONG_S)
        counters = world.server.counters
        assert counters.handled() == {("/t.T/Echo", Code.OK): 1}
        assert (counters.connections_open, counters.connections_total) == (1, 1)
        assert counters.received_bytes > 0
        assert counters.sent_bytes > 0


@pytest.mark.peer("curl")
class TestCurl:
    @pytest.mark.parametrize("version", ["--http2-prior-knowledge", "--http2", "--http1.1", "--http1.0"])
    async def test_get_and_head(self, world: World, version: str) -> None:
        url = f"http://127.0.0.1:{world.port}/a/b?c"
        assert await run("curl", "-sS", version, url) == "hello /a/b"
        head = await run("curl", "-sS", "-I", version, url)
        assert "content-length: 10" in head
        assert "date: " in head

    @pytest.mark.parametrize("version", ["--http2-prior-knowledge", "--http2", "--http1.1"])
    @pytest.mark.parametrize("framing", ["content-length", "chunked"])
    async def test_a_large_body_both_ways(
        self, world: World, tmp_path: Path, version: str, framing: str
    ) -> None:
        """With curl's own Expect: 100-continue on HTTP/1.1."""
        body = b"0123456789" * 200_000
        (tmp_path / "body").write_bytes(body)
        extra = (
            ["-H", "transfer-encoding: chunked"] if framing == "chunked" and "prior" not in version else []
        )
        url = f"http://127.0.0.1:{world.port}/up"
        await run(
            "curl", "-sS", version, *extra, "--data-binary", f"@{tmp_path}/body", "-o", tmp_path / "out", url
        )
        assert (tmp_path / "out").read_bytes() == body

    async def test_connections_are_kept(self, world: World) -> None:
        url = f"http://127.0.0.1:{world.port}/a"
        assert await run("curl", "-sS", "--http1.1", url, url, url) == "hello /a" * 3
        assert world.server.counters.connections_total == 1

    async def test_a_header_that_is_too_large(self, world: World) -> None:
        out = await run(
            "curl",
            "-sS",
            "-o",
            "-",
            "-w",
            "%{http_code}",
            "-H",
            "x: " + "y" * 70_000,
            f"http://127.0.0.1:{world.port}/",
        )
        assert out.endswith("431")


@pytest.mark.peer("h2load")
@pytest.mark.parametrize("method", ["Echo", "Later"])
async def test_h2load(world: World, tmp_path: Path, method: str) -> None:
    """HTTP 200 is not yet gRPC's OK: the server's own count says that every call ended well."""
    body = tmp_path / "body"
    body.write_bytes(struct.pack(">BI", 0, 300) + bytes(300))
    out = await run(
        "h2load", "-n2000", "-c4", "-m20", "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
        f"http://127.0.0.1:{world.port}/t.T/{method}",
    )  # fmt: skip
    assert re.search(r"2000 succeeded, 0 failed, 0 errored, 0 timeout", out), out
    assert world.server.counters.handled() == {(f"/t.T/{method}", Code.OK): 2000}
    assert not world.server.counters.faults


@pytest.mark.peer("openssl", "curl")
class TestTls:
    @pytest.fixture
    async def files(self, tmp_path: Path) -> Path:
        """An authority, a server's certificate for 127.0.0.1 and a client's for ``root``."""
        await run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-days", "2", "-subj", "/CN=ca", "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.crt")  # fmt: skip
        (tmp_path / "san").write_text("subjectAltName=IP:127.0.0.1")
        for name in ("server", "root"):
            await run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.csr")  # fmt: skip
            await run("openssl", "x509", "-req", "-in", tmp_path / f"{name}.csr", "-CA", tmp_path / "ca.crt", "-CAkey",
                      tmp_path / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", tmp_path / "san",
                      "-out", tmp_path / f"{name}.crt")  # fmt: skip
        return tmp_path

    @staticmethod
    def tls(files: Path, *, clients: bool) -> TlsFiles:
        return TlsFiles(
            cert_file=files / "server.crt",
            key_file=files / "server.key",
            trusted_ca_file=files / "ca.crt" if clients else None,
            client_cert_auth=clients,
        )

    async def test_grpcio_with_a_client_certificate(self, files: Path) -> None:
        """The common name is the user that etcd takes it for."""
        async with serving(tls=self.tls(files, clients=True)) as world:
            credentials = grpc.ssl_channel_credentials(
                (files / "ca.crt").read_bytes(),
                (files / "root.key").read_bytes(),
                (files / "root.crt").read_bytes(),
            )
            async with grpc.aio.secure_channel(f"127.0.0.1:{world.port}", credentials) as channel:
                assert await channel.unary_unary("/t.T/Who")(b"", timeout=LONG_S) == b"root None None"
                body = bytes(1_000_000)
                assert await channel.unary_unary("/t.T/Echo")(body, timeout=LONG_S) == body

    async def test_curl_negotiates_either_version(self, files: Path) -> None:
        async with serving(tls=self.tls(files, clients=False)) as world:
            for asked, spoken in (("--http2", "2"), ("--http1.1", "1.1")):
                out = await run(
                    "curl", "-sS", asked, "--cacert", files / "ca.crt", "-w", " %{http_version}",
                    f"https://127.0.0.1:{world.port}/x",
                )  # fmt: skip
                assert out == f"hello /x {spoken}"

    async def test_a_client_without_certificate_is_refused(self, files: Path) -> None:
        async with serving(tls=self.tls(files, clients=True)) as world:
            out = await run("curl", "-sS", "--cacert", files / "ca.crt", f"https://127.0.0.1:{world.port}/x")
            assert "curl: (" in out


class TestServer:
    async def test_a_graceful_stop_lets_open_calls_finish(self) -> None:
        world = World()
        await world.server.start("127.0.0.1", 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            call = channel.stream_stream("/t.T/Chat")(timeout=LONG_S)
            await call.write(b"one")
            assert await call.read() == b"one"
            stopping = asyncio.create_task(world.server.stop(LONG_S))
            await asyncio.sleep(0)
            await call.write(b"two")
            assert await call.read() == b"two"
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            await stopping
        assert world.server.counters.connections_open == 0

    async def test_a_stop_without_grace_cancels(self) -> None:
        world = World()
        await world.server.start("127.0.0.1", 0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            call = channel.stream_stream("/t.T/Chat")(timeout=LONG_S)
            await call.write(b"one")
            await call.read()
            await world.server.stop(0)
            assert world.log == ["cancel"]
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    async def test_a_port_in_use_is_said_in_one_line(self, world: World) -> None:
        other = World()
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{world.port}: cannot listen \(.*in use"):
            await other.server.start("127.0.0.1", world.port)

    async def test_a_connection_that_says_nothing_is_closed(self) -> None:
        async with serving(limits=Limits(header_timeout_s=0.1)) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"PRI * HT")
            async with asyncio.timeout(LONG_S):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            assert world.server.counters.connections_open == 0
            writer.close()

    async def test_a_client_that_does_not_read_stops_being_read(self, world: World) -> None:
        """PINGs by the megabyte, none of whose answers are taken, fill nobody's memory: they are a flood."""
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        ping = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0" + ping * 1000)
        async with asyncio.timeout(LONG_S):
            data = await reader.read()
        assert b"too_many_pings" in data
        assert world.server.counters.faults == {"too_many_pings": 1}
        writer.close()

    async def test_a_server_may_listen_on_several_addresses(self, world: World) -> None:
        await world.server.start("127.0.0.1", 0)
        assert len(world.server.addresses) == 2
        for host, port in world.server.addresses:
            async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
                assert await channel.unary_unary("/t.T/Echo")(b"x", timeout=LONG_S) == b"x"
