"""``python -m fairlead.dns.workers.worker FD``: one worker, started by the first process with a socket to it."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from fairlead.agent import AgentContext, Status
from fairlead.client import Change, Client, Mirror
from fairlead.dns.around import STEERING_PREFIX, Around
from fairlead.dns.attendants import Attendants
from fairlead.dns.guard import GuardSettings
from fairlead.dns.model import Model
from fairlead.dns.numbers import Numbers
from fairlead.dns.server import DnsServer
from fairlead.dns.sockets import Sockets
from fairlead.dns.workers.feed import Hello, Pulse, read, to_bytes
from fairlead.dns.workers.records import FedRecords
from fairlead.dns.zone import Epoch
from fairlead.logs import configure_logs

_TELL_S: Final = 1.0

# What is ruled by the first process is ruled once.
_NO_GUARD: Final = GuardSettings(share_max=1.0)


def main() -> None:
    """Serve until the first process closes the socket."""
    # The first process decides when to end, however many of us a signal reaches.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(int(sys.argv[1])))


async def _run(fd: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=fd))
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        hello = await read(reader)
        assert isinstance(hello, Hello)
        configure_logs(level=hello.options.log_level, form=hello.options.log_format)
        async with Client(
            hello.options.endpoints, tls=hello.options.tls, credentials=hello.options.credentials
        ) as client:
            await _serve(hello, client, reader, writer)


async def _serve(
    hello: Hello, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    context = _context(hello, client)
    # Secondaries are told once, by the first process.
    transfer = replace(hello.config.transfer, secondaries=())
    config = replace(hello.config, guard=_NO_GUARD, data_dir=None, transfer=transfer)
    model = Model(config, report=context.status)
    model.zones.is_of_copy = True  # serials are made by the first process, and come before each change
    server = DnsServer(model, config, identity=hello.identity, write=context.log.info)
    attendants = Attendants(config, model=model, server=server)
    around = Around(context, config, model=model, responder=server.responder, token=hello.identity.token)
    await server.adopt(_adopted(hello.sockets))
    records = FedRecords()
    try:
        model.zones.restore(await read(reader))
        around.take(await read(reader))
        gc.collect()
        gc.freeze()
        await server.start()
        async with Mirror(client, [STEERING_PREFIX]) as steering, attendants.attending():
            beside = [
                asyncio.create_task(around.run(records, steering), name="dns around"),
                asyncio.create_task(
                    _tell(writer, lambda: Numbers.of(model, server, around)), name="dns numbers"
                ),
            ]
            try:
                await _follow(reader, around, records)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
    finally:
        server.close()
        await around.close()
        writer.close()


async def _follow(reader: asyncio.StreamReader, around: Around, records: FedRecords) -> None:
    while True:
        message = await read(reader)
        if isinstance(message, Epoch):
            around.model.zones.restore(message)
        elif isinstance(message, Change):
            around.take(message)
        elif isinstance(message, Pulse):
            records.take(message)


async def _tell(writer: asyncio.StreamWriter, count: Callable[[], Numbers]) -> None:
    while True:
        writer.write(to_bytes(count()))
        await asyncio.sleep(_TELL_S)


def _context(hello: Hello, client: Client) -> AgentContext:
    """Return surroundings like the first process's, which says by itself what is wrong with which key."""
    log = structlog.stdlib.get_logger("fairlead.dns").bind(agent="dns", worker=hello.number)
    quiet = logging.getLogger("fairlead.dns.worker.status")
    quiet.setLevel(logging.CRITICAL)
    metrics = CollectorRegistry()
    return AgentContext(
        kind="dns",
        client=client,
        options=hello.options,
        log=log,
        metrics=metrics,
        status=Status(log=structlog.stdlib.get_logger(quiet.name), metrics=metrics),
    )


def _adopted(groups: tuple[tuple[int, ...], ...]) -> Sockets:
    udp, tcp, tls, https = ([socket.socket(fileno=fd) for fd in group] for group in groups)
    return Sockets(udp=udp, tcp=tcp, tls=tls, https=https)


if __name__ == "__main__":
    main()
