"""The name server as an agent: binds, loads, serves, follows the store until it is told to stop."""

import asyncio
import contextlib
import gc
from pathlib import Path

from fairlead.agent import Address, AgentContext, ConfigError
from fairlead.client import Mirror
from fairlead.dns.around import STEERING_PREFIX, Around
from fairlead.dns.attendants import Attendants
from fairlead.dns.config import DnsConfig
from fairlead.dns.metrics import DnsCollector
from fairlead.dns.model import Model
from fairlead.dns.server import DnsServer, Identity
from fairlead.dns.sockets import address_of, bind_all

COPY_NAME = "dns.copy"


async def serve(context: AgentContext, config: DnsConfig) -> None:
    """Serve until ``context.stopping`` is set.

    Raises:
        ConfigError: a port or the data folder cannot be used.
    """
    copy_path = None
    if config.data_dir is not None:
        _make_data_dir(config.data_dir)
        copy_path = config.data_dir / COPY_NAME
    model = Model(config, report=context.status)
    identity = Identity.new(context.options.host)
    server = DnsServer(model, config, identity=identity, write=context.log.info)
    attendants = Attendants(config, model=model, responder=server.responder)
    sockets, *_ = bind_all(config)
    await server.adopt(sockets)
    addresses = [address_of(bound) for bound in (*sockets.udp, *sockets.tls, *sockets.https)]
    context.metrics.register(DnsCollector(model, server.responder, udp=server.udp, tcp=server.tcp))
    around = Around(context, config, model=model, responder=server.responder)
    around.restore()
    mirror = Mirror(context.client, [model.keys.prefix], copy_path=copy_path)
    steering = Mirror(context.client, [STEERING_PREFIX])
    around.show(mirror)
    try:
        async with context.export(mirror), steering:
            running = asyncio.create_task(
                _run(
                    context,
                    mirror,
                    steering,
                    around=around,
                    attendants=attendants,
                    server=server,
                    addresses=addresses,
                ),
                name="dns",
            )
            stopping = asyncio.create_task(context.stopping.wait(), name="dns stopping")
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    finally:
        server.close()
        await around.close()


async def _run(
    context: AgentContext,
    mirror: Mirror,
    steering: Mirror,
    *,
    around: Around,
    attendants: Attendants,
    server: DnsServer,
    addresses: list[Address],
) -> None:
    """Load what there is, from the store or from the copy on disk; then serve and follow."""
    changes = mirror.changes()
    around.take(await anext(changes))
    # The records stay: the collector need not look at them again at every turn.
    gc.collect()
    gc.freeze()
    await server.start()
    context.ready(*addresses)
    following = asyncio.create_task(around.run(mirror, steering), name="dns around")
    try:
        async with attendants.attending():
            async for change in changes:
                around.take(change)
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


def _make_data_dir(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}", "check --data-dir") from error
