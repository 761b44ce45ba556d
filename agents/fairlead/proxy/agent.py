"""The proxy as an agent: binds, loads, serves, follows the store, drains when it is told to stop."""

import asyncio
import contextlib
import functools
import gc
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import Gauge

from fairlead.agent import Address, AgentContext, ConfigError, listen_error, make_data_dir
from fairlead.client import Change, Changes, Mirror
from fairlead.compiled import Form, form
from fairlead.proxy.access_log import AccessLog
from fairlead.proxy.acme import PREFIX as ACME_PREFIX
from fairlead.proxy.acme import AcmeKeeper
from fairlead.proxy.ambiguity import Ambiguity
from fairlead.proxy.certificates import Certificates
from fairlead.proxy.config import ProxyConfig
from fairlead.proxy.discovery import Discovery
from fairlead.proxy.draining import DrainReporter, drain_rows
from fairlead.proxy.edge import Edge
from fairlead.proxy.health import Prober, Verdict
from fairlead.proxy.keys import watched_prefixes
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.world import World
from fairlead.proxy.mirror import Mirroring
from fairlead.proxy.naming import LOADING_S, follow_names
from fairlead.proxy.operating import operating
from fairlead.proxy.routes import Routes
from fairlead.proxy.secretbox import SealKey
from fairlead.proxy.service import Service
from fairlead.proxy.sharing import ShareKeeper
from fairlead.proxy.state import ServerState
from fairlead.proxy.stats import StatsCollector
from fairlead.proxy.succession import Succession, inherited, say_ready
from fairlead.proxy.traefik import Translator

_SPELLINGS = ("slash", "plain")
# Objects of one request die young and in no cycles; collecting as seldom as this costs little memory.
_GC_THRESHOLD = 50_000


async def serve(context: AgentContext, config: ProxyConfig) -> None:
    """Serve until ``context.stopping`` is set, then drain.

    Raises:
        ConfigError: the address, the data folder or the access log cannot be used.
    """
    if config.data_dir is not None:
        make_data_dir(config.data_dir)
    with _access_log(config) as log:
        service = _service(config)
        if log is not None:
            service.observers += (log.note,)
            service.on_tick += (functools.partial(_tend_log, context, service, log),)
            context.on_reload(log.reopen)
        service.observers += (Mirroring(service).observe,)
        service.doors.workers = config.workers
        service.doors.inherit(inherited())
        try:
            host, port = await service.bind(config.listen.host, config.listen.port)
        except OSError as error:
            raise listen_error(error, config.listen, flag="--listen") from error
        context.metrics.register(StatsCollector(service.stats))
        async with contextlib.AsyncExitStack() as stack:
            world = World(workers=config.workers)
            stack.push_async_callback(world.close)
            mirrors = _mirrors(context, config)
            _export_lag(context, mirrors)
            _export_form(context)
            changes = [(await stack.enter_async_context(mirror)).changes() for mirror in mirrors]
            running = asyncio.create_task(
                _follow(
                    context,
                    config,
                    service=service,
                    changes=changes,
                    address=Address(host=host, port=port),
                    tools=world.tools,
                ),
                name="proxy",
            )
            keeping = asyncio.create_task(_keep(context, config, service, world), name="proxy keys")
            stack.push_async_callback(_cancel, keeping)
            stopping = asyncio.create_task(context.stopping.wait(), name="proxy stopping")
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await service.drain()
            stopping.cancel()
            await _cancel(running)


def _service(config: ProxyConfig) -> Service:
    return Service(
        limits=config.limits,
        certificates=Certificates(_seal_key(config.seal_key_file)),
        ambiguity=Ambiguity(config.refused_paths, cleans=config.cleans_paths),
        forwarding=config.forwarding,
    )


async def _keep(context: AgentContext, config: ProxyConfig, service: Service, world: World) -> None:
    """Keep what this proxy writes into the store: its share of the limits, and how far servers have drained."""
    member = f"{context.options.host}-{secrets.token_hex(4)}"
    prefix = f"/{config.etcd_key.strip('/')}"

    def rows() -> dict[str, str]:
        return drain_rows(service.snapshot.groups, prefix=prefix, member=member)

    async with asyncio.TaskGroup() as group:
        group.create_task(ShareKeeper(context.client, world.share, member=member).run())
        group.create_task(DrainReporter(context.client, rows).run())


def _export_form(context: AgentContext) -> None:
    gauge = Gauge(
        "fairlead_proxy_compiled",
        "1 if the data path runs compiled, 0 if as Python.",
        registry=context.metrics,
    )
    gauge.set(form() is Form.COMPILED)


def _export_lag(context: AgentContext, mirrors: list[Mirror]) -> None:
    gauge = Gauge(
        "fairlead_proxy_revision_lag",
        "Revisions that are known and not yet in force.",
        registry=context.metrics,
    )
    gauge.set_function(lambda: max(each.revision for each in mirrors) - context.status.revision)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _mirrors(context: AgentContext, config: ProxyConfig) -> list[Mirror]:
    """One for each spelling of the prefix: a single one would watch all keys between the two."""
    mirrors = []
    prefixes = dict(zip(_SPELLINGS, watched_prefixes(config.etcd_key), strict=True))
    if config.traefik_key:
        theirs = watched_prefixes(config.traefik_key)
        prefixes |= {f"traefik-{each}": prefix for each, prefix in zip(_SPELLINGS, theirs, strict=True)}
    for spelling, prefix in prefixes.items():
        copy = None if config.data_dir is None else config.data_dir / f"proxy-{spelling}.copy"
        mirrors.append(context.export(Mirror(context.client, [prefix], copy_path=copy), name=spelling))
    return mirrors


async def _follow(
    context: AgentContext,
    config: ProxyConfig,
    *,
    service: Service,
    changes: list[Changes],
    address: Address,
    tools: Tools,
) -> None:
    """Load what there is, from the store or from the copies on disk; then accept clients and follow."""
    prober = Prober(told=functools.partial(_tell_health, context))
    service.on_switch += (lambda _: prober.follow(service.snapshot.groups),)
    edge = Edge(service, context.status)
    acme = _acme(context, config, edge=edge, service=service, tools=tools)
    routes = Routes(
        watched_prefixes(config.etcd_key),
        limits=config.limits,
        board=context.status,
        switch=service.switch,
        zone=config.zone,
        edge=acme.follow,
        tools=tools,
        discovery=Discovery(config.dns_prefix, config.dns_domain),
        aliases=config.aliases,
        translator=Translator(config.traefik_key) if config.traefik_key else None,
    )
    service.on_tick += (routes.tick,)
    for each in changes:
        _apply(routes, await anext(each))
    names_loaded = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(edge.run())
        group.create_task(_keep_certificates(context, config, acme))
        group.create_task(prober.run())
        group.create_task(follow_names(context, config, routes, loaded=names_loaded))
        if routes.names_wanted.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(names_loaded.wait(), LOADING_S)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        async with operating(context, config, service=service, routes=routes):
            await service.start()
            context.ready(address)
            _succeed(context, config, service)
            async with asyncio.TaskGroup() as following:
                for each in changes:
                    following.create_task(_apply_all(routes, each))


def _acme(
    context: AgentContext, config: ProxyConfig, *, edge: Edge, service: Service, tools: Tools
) -> AcmeKeeper:
    seal_key = _seal_key(config.seal_key_file)
    return AcmeKeeper(
        context.client,
        edge,
        service,
        seal_key=seal_key,
        web=tools.web,
        board=context.status,
        member=f"{context.options.host} {os.getpid()}",
    )


async def _keep_certificates(context: AgentContext, config: ProxyConfig, acme: AcmeKeeper) -> None:
    copy = None if config.data_dir is None else config.data_dir / "proxy-acme.copy"
    async with context.export(Mirror(context.client, [ACME_PREFIX], copy_path=copy), name="acme") as mirror:
        await acme.run(mirror.changes())


def _succeed(context: AgentContext, config: ProxyConfig, service: Service) -> None:
    """Tell the predecessor that it may go, and be ready to go the same way."""
    say_ready()
    if config.workers > 1:
        service.on_tick += (_leave_with_parent(context.stop),)
    else:
        Succession(sockets=service.doors.sockets, stop=context.stop).listen()


def _leave_with_parent(stop: Callable[[], None]) -> Callable[[float], None]:
    """A worker whose supervisor was killed has nobody who would start its successor, or stop it."""
    parent = os.getppid()

    def look(_: float) -> None:
        if os.getppid() != parent:
            stop()

    return look


def _tell_health(context: AgentContext, state: ServerState, verdict: Verdict) -> None:
    name = f"server {state.server.id} of backend {state.server.backend_id}"
    if verdict.is_healthy:
        context.status.healed(name)
    else:
        context.status.problem(name, f"is ill and not asked: {verdict.reason}")


async def _apply_all(routes: Routes, changes: Changes) -> None:
    async for change in changes:
        _apply(routes, change)


def _apply(routes: Routes, change: Change) -> None:
    routes.apply(change.revision, {key: kv.value for key, kv in change.puts.items()}, change.deletes)


@contextlib.contextmanager
def _access_log(config: ProxyConfig) -> Iterator[AccessLog | None]:
    if config.access_log is None:
        yield None
        return
    try:
        log = AccessLog(config.access_log, form=config.access_log_format)
    except OSError as error:
        raise ConfigError(
            f"cannot write {config.access_log}: {error.strerror}", "check --access-log"
        ) from error
    with contextlib.closing(log):
        yield log


def _tend_log(context: AgentContext, service: Service, log: AccessLog, _: float) -> None:
    log.flush()
    service.stats.log_lines_dropped = log.dropped
    if log.failure:
        context.status.problem("access log", f"cannot be written: {log.failure}; make room, or send SIGHUP")
    else:
        context.status.healed("access log")


def _seal_key(path: Path | None) -> SealKey | None:
    if path is None:
        return None
    try:
        return SealKey(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "check --seal-key-file") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", "make one with: openssl rand -hex 32") from error
