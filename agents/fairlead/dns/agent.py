"""The name server as an agent: binds, loads, serves, follows the store until it is told to stop."""

import asyncio
import contextlib
import gc
from pathlib import Path

from fairlead.agent import Address, AgentContext, make_data_dir
from fairlead.client import Mirror
from fairlead.dns import names
from fairlead.dns.around import STEERING_PREFIX, Around
from fairlead.dns.attendants import Attendants
from fairlead.dns.config import DnsConfig
from fairlead.dns.file_limit import raise_file_limit
from fairlead.dns.metrics import DnsCollector
from fairlead.dns.model import Model
from fairlead.dns.numbers import Numbers
from fairlead.dns.server import DnsServer, Identity
from fairlead.dns.sockets import address_of, bind_all
from fairlead.dns.state_metrics import StateCollector
from fairlead.dns.workers import Pool

COPY_NAME = "dns.copy"
STEERING_COPY_NAME = "steering.copy"
_LOCAL = names.from_text("local")


async def serve(context: AgentContext, config: DnsConfig) -> None:
    """Serve until ``context.stopping`` is set.

    Raises:
        ConfigError: a port or the data folder cannot be used.
    """
    raise_file_limit()
    copy_path = None
    if config.data_dir is not None:
        make_data_dir(config.data_dir)
        copy_path = config.data_dir / COPY_NAME
    model = Model(config, report=context.status)
    identity = Identity.new(context.options.host)
    server = DnsServer(model, config, identity=identity, write=context.log.info)
    attendants = Attendants(config, model=model, server=server)
    ours, *theirs = bind_all(config)
    with contextlib.ExitStack() as stack:
        for sockets in theirs:
            stack.callback(sockets.close)
        pool = Pool(context, config, identity=identity, zones=model.zones, sockets=theirs)
        await server.adopt(ours)
        _warn_of_multicast(context, config)
        around = Around(context, config, model=model, responder=server.responder, token=identity.token)
        around.on_apply = pool.apply
        around.live.elsewhere = lambda: (pool.numbers.asked, pool.numbers.missing)
        _export(context, server=server, around=around, pool=pool)
        around.restore()
        mirror = Mirror(context.client, [model.keys.prefix], copy_path=copy_path)
        steering = Mirror(context.client, [STEERING_PREFIX], copy_path=_beside(copy_path))
        around.show(mirror)
        addresses = [address_of(bound) for bound in (*ours.udp, *ours.tls, *ours.https)]
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
                        pool=pool,
                        addresses=addresses,
                    ),
                    name="dns",
                )
                await _until_stopped(context, running, lameduck_s=config.serving.lameduck_s)
        finally:
            server.close()
            await around.close()


async def _until_stopped(context: AgentContext, running: asyncio.Task[None], *, lameduck_s: float) -> None:
    """Wait for the end; /readyz has closed by then, and answers go on until balancers have noticed."""
    stopping = asyncio.create_task(context.stopping.wait(), name="dns stopping")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and lameduck_s:
        await asyncio.wait({running}, timeout=lameduck_s)
    stopping.cancel()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(
    context: AgentContext,
    mirror: Mirror,
    steering: Mirror,
    *,
    around: Around,
    attendants: Attendants,
    server: DnsServer,
    pool: Pool,
    addresses: list[Address],
) -> None:
    """Load what there is, from the store or from the copy on disk; then serve and follow."""
    changes = mirror.changes()
    first = await anext(changes)
    attendants.begin(mirror)
    around.take(first)
    around.look(mirror)
    # The records stay: the collector need not look at them again at every turn.
    gc.collect()
    gc.freeze()
    beside = [asyncio.create_task(pool.run(mirror), name="dns workers")]
    try:
        await server.start()
        beside.append(asyncio.create_task(_say_ready(context, pool, addresses), name="dns ready"))
        beside.append(asyncio.create_task(around.run(mirror, steering), name="dns around"))
        async with attendants.attending():
            async for change in changes:
                attendants.before_change(mirror)
                around.take(change)
                attendants.changed()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _say_ready(context: AgentContext, pool: Pool, addresses: list[Address]) -> None:
    await pool.ready()
    context.ready(*addresses)


def _export(context: AgentContext, *, server: DnsServer, around: Around, pool: Pool) -> None:
    model = around.model
    context.metrics.register(
        DnsCollector(
            lambda: Numbers.of(model, server, around) + pool.numbers,
            records=lambda: len(model.tree),
            workers=lambda: 1 + len(pool),
        )
    )
    context.metrics.register(StateCollector(around))


def _beside(copy_path: Path | None) -> Path | None:
    """Return where the copy of the keys that steer is kept: who is ill must not be forgotten by a restart either."""
    return copy_path.with_name(STEERING_COPY_NAME) if copy_path is not None else None


def _warn_of_multicast(context: AgentContext, config: DnsConfig) -> None:
    """Say that some hosts never ask a name server for names below ``local`` (RFC 6762, section 3)."""
    zones = [names.to_text(zone) for zone in config.zones if zone.endswith(_LOCAL)]
    if zones:
        hint = "hosts with multicast DNS may not ask here; have their resolvers send the zone here"
        context.log.info("zones below local.", zones=" ".join(zones), hint=hint)
