"""What runs beside the data path for its operators: counts, the admin socket, the rollback guard."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import perf_counter

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.agent import AgentContext, PageServer
from fairlead.client import Client, ClientError
from fairlead.proxy.admin import Sources, Tallies, Views, error_ratio, guarded
from fairlead.proxy.config import ProxyConfig
from fairlead.proxy.guard import Guard, GuardSettings
from fairlead.proxy.history import UndoError, plan_undo, undo
from fairlead.proxy.keys import watched_prefixes
from fairlead.proxy.record import Record
from fairlead.proxy.rolling import Rolling
from fairlead.proxy.routes import Routes
from fairlead.proxy.service import Service
from fairlead.proxy.workers import worker_number
from fairlead.proxy.workers.desk import Desk, Health, tell
from fairlead.proxy.workers.ejections import Ejections

_LOG = logging.getLogger(__name__)
_GUARD = "rollback guard"
_FORGET_S = 60.0


@contextlib.asynccontextmanager
async def operating(
    context: AgentContext, config: ProxyConfig, *, service: Service, routes: Routes
) -> AsyncIterator[None]:
    """Run all of it that was asked for.

    Raises:
        ConfigError: the admin's address cannot be had.
    """
    async with contextlib.AsyncExitStack() as stack:
        desk = Desk(functools.partial(_health, context)) if config.desk is not None else None
        if config.admin_listen is not None:
            tallies = _count(service, routes)
            context.metrics.register(OperateCollector(tallies, service, routes))
            sources = Sources(
                routes=routes,
                tallies=tallies,
                snapshot=lambda: service.snapshot,
                status=context.status.as_json,
                parser=service.request_parser,
                worker=worker_number() if desk is not None else None,
            )
            if desk is None:
                await stack.enter_async_context(_serving(context, config, Views(sources)))
            else:
                desk.numbers = lambda: Views(sources).numbers(now_s=perf_counter())
                desk.page = lambda asked, others: Views(sources, others).answer(asked, now_s=perf_counter())
        if desk is not None and config.desk is not None:
            await stack.enter_async_context(desk.open(config.desk))
            _share_ejections(service, desk, config.desk)
        if config.guard_s:
            watching = Watching(context, config)
            service.observers += (watching.observe,)
            service.on_switch += (watching.on_switch,)
        yield


def _share_ejections(service: Service, desk: Desk, path: Path) -> None:
    """Have this worker and the others tell each other whom they have put out."""
    ejections = Ejections()

    def tick(now_s: float) -> None:
        news = ejections.news(service.snapshot.groups, now_s=now_s)
        if news:
            service.spawn(tell(path, news))

    desk.take = lambda told: ejections.take(told, service.snapshot.groups, now_s=perf_counter())
    service.on_tick += (tick,)


def _health(context: AgentContext) -> Health:
    return Health(
        metrics=generate_latest(context.metrics), is_ready=context.is_ready, degraded=context.degraded
    )


@contextlib.asynccontextmanager
async def _serving(context: AgentContext, config: ProxyConfig, views: Views) -> AsyncIterator[None]:
    assert config.admin_listen is not None
    answer = guarded(lambda asked: views.answer(asked, now_s=perf_counter()), token=config.admin_token)
    server = PageServer(answer, flag="--admin-listen")
    # The successor of a restart listens before we leave.
    address = await server.start(config.admin_listen, is_shared=True)
    context.log.info("admin", address=str(address))
    try:
        yield
    finally:
        await server.stop()


def _count(service: Service, routes: Routes) -> Tallies:
    tallies = Tallies()
    forgotten_s = 0.0

    def tick(now_s: float) -> None:
        nonlocal forgotten_s
        if now_s >= forgotten_s:
            forgotten_s = now_s + _FORGET_S
            tallies.forget(routes.catalog.frontends, routes.catalog.servers)

    service.observers += (lambda record: tallies.note(record, now_s=perf_counter()),)
    service.on_tick += (tick,)
    return tallies


class Watching:
    """The guard's shell: sees changes and answers, and goes back when the guard says so."""

    def __init__(self, context: AgentContext, config: ProxyConfig) -> None:
        self._context = context
        self._prefixes = watched_prefixes(config.etcd_key)
        self._guard = Guard(GuardSettings(watch_s=config.guard_s, jump=config.guard_jump))
        self._window = Rolling()
        self._task: asyncio.Task[None] | None = None

    def observe(self, record: Record) -> None:
        """A request is over."""
        now_s = perf_counter()
        self._window.record(record.status, record.duration_us, now_s=now_s)
        self._guard.on_answer(record.status, now_s=now_s)
        if self._guard.reverting is not None and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._revert(self._guard.reverting))

    def on_switch(self, before: int) -> None:
        """Something has changed."""
        now_s = perf_counter()
        self._guard.on_change(before, now_s=now_s, before=error_ratio(self._window, now_s=now_s))

    async def _revert(self, revision: int) -> None:
        try:
            text = await revert(self._context.client, self._prefixes, revision)
        except (UndoError, ClientError) as error:
            text = f"answers turned bad after a change of revision {revision}, and it cannot be taken back: {error}"
        self._context.status.problem(_GUARD, text)
        self._guard.on_reverted()
        self._task = None


async def revert(client: Client, prefixes: tuple[bytes, ...], revision: int) -> str:
    """Go back to ``revision``; return what to tell the operator.

    Raises:
        UndoError: it cannot be done.
        ClientError: the store cannot be asked.
    """
    undoing = await plan_undo(client, prefixes, revision)
    if not undoing.now:
        return f"answers turned bad, but no key differs from revision {revision}: look at the servers"
    done = await undo(client, undoing)
    lines = "; ".join(undoing.lines())
    return f"answers turned bad after a change: revision {done} is what revision {revision} was ({lines})"


class OperateCollector(Collector):
    """Shows the counts of frontends and servers to Prometheus at the moment it asks."""

    def __init__(self, tallies: Tallies, service: Service, routes: Routes) -> None:
        self._tallies = tallies
        self._service = service
        self._routes = routes

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        requests = CounterMetricFamily(
            "fairlead_proxy_frontend_requests", "Requests of a frontend.", labels=["frontend", "code"]
        )
        seconds = CounterMetricFamily(
            "fairlead_proxy_frontend_seconds", "Time from heads to ends of answers.", labels=["frontend"]
        )
        for name, tally in list(self._tallies.frontends.items()):
            seconds.add_metric([name], tally.duration_us / 1e6)
            for digit, count in enumerate(tally.by_class):
                if count:
                    requests.add_metric([name, f"{digit}xx" if digit else "client_gone"], count)
        yield requests
        yield seconds
        yield from self._servers()
        flags = CounterMetricFamily("fairlead_proxy_reasons", "Requests by reason flag.", labels=["flag"])
        for flag, count in list(self._tallies.flags.items()):
            flags.add_metric([flag], count)
        yield flags
        yield self._tripped()

    def _servers(self) -> Iterator[Metric]:
        labels = ["backend", "server"]
        requests = CounterMetricFamily(
            "fairlead_proxy_server_requests", "Requests sent to a server.", labels=labels
        )
        failures = CounterMetricFamily(
            "fairlead_proxy_server_failures", "Requests that it failed.", labels=labels
        )
        in_flight = GaugeMetricFamily(
            "fairlead_proxy_server_in_flight", "Requests under way there.", labels=labels
        )
        available = GaugeMetricFamily(
            "fairlead_proxy_server_available", "1 unless it is unhealthy or ejected.", labels=labels
        )
        now_s = perf_counter()
        for backend_id, group in self._service.snapshot.groups.items():
            for each in group.servers:
                names = [backend_id, each.server.id]
                requests.add_metric(names, each.requests)
                failures.add_metric(names, each.failures)
                in_flight.add_metric(names, each.in_flight)
                available.add_metric(names, float(each.standing.is_available(now_s)))
        yield from (requests, failures, in_flight, available)

    def _tripped(self) -> Metric:
        family = GaugeMetricFamily(
            "fairlead_proxy_breaker_open",
            "1 unless it lets everything pass.",
            labels=["frontend", "middleware"],
        )
        for name in self._routes.catalog.middlewares:
            for settings, middleware in self._routes.chains.of(name):
                if settings.type == "cbreaker":
                    state = getattr(middleware, "describe", dict[str, str])().get("state")
                    family.add_metric([name, settings.id], float(state != "standby"))
        return family
