"""``fairlead hello``: a web server that says its name; something to route to in a demo."""

import asyncio
import json
import signal

import click

from fairlead.cli.errors import CliError

_HEAD_BYTES_MAX = 16 * 1024
_HEAD_S = 10.0


@click.command(hidden=True)
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where to serve.")
@click.option("--name", required=True, help="What to say.")
@click.option("--log-format", default="console", help="console or json.")
def hello(*, listen: str, name: str, log_format: str) -> int:
    """Serve one sentence over HTTP."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise CliError(f"not an address: {listen!r}; write --listen HOST:PORT, such as 127.0.0.1:9001")
    asyncio.run(_serve(host, int(port), name, log_format))
    return 0


async def _serve(host: str, port: int, name: str, log_format: str) -> None:
    body = f"hello from {name}\n".encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_HEAD_S):
                    await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
            writer.close()

    try:
        server = await asyncio.start_server(client, host, port, limit=_HEAD_BYTES_MAX)
    except OSError as error:
        raise CliError(f"cannot listen on {host}:{port} (--listen): {error.strerror or error}") from error
    ready = {"event": "ready", "level": "info", "addresses": [f"{host}:{port}"]}
    click.echo(json.dumps(ready) if log_format == "json" else f"ready addresses={host}:{port}")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    server.close()
