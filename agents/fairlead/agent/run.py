"""Runs an agent from its options to its exit status: loop, signals, health, status key.

SIGTERM and SIGINT set ``stopping`` and give the agent time to drain; a second one, or the end of that time,
ends it at once.  SIGHUP reloads.  Whatever the operator can put right ends in one line on stderr and status 1.
"""

import asyncio
import contextlib
import importlib.metadata
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from fairlead.agent.context import AgentContext
from fairlead.agent.errors import ConfigError
from fairlead.agent.health import HealthPages
from fairlead.agent.options import LOG_LEVELS, AgentOptions
from fairlead.agent.pages import PageServer
from fairlead.agent.settings import read_settings
from fairlead.agent.status import Status
from fairlead.agent.status_key import StatusKey
from fairlead.client import Client, ClientError
from fairlead.logs import configure_logs, set_level

Serve = Callable[[AgentContext], Coroutine[Any, Any, None]]


def run_agent(kind: str, options: AgentOptions, serve: Serve) -> int:
    """Run ``serve`` until it returns; return the exit status.

    Args:
        kind: the agent, as in ``fairlead dns``.
        options: what every agent is told.
        serve: does the agent's work; it calls ``context.ready(...)`` once it serves, and returns when
            ``context.stopping`` is set.
    """
    configure_logs(level=options.log_level, form=options.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(kind, options, serve=serve))
    except ConfigError as error:
        return _refuse(kind, error.format_message())
    except ClientError as error:
        return _refuse(kind, str(error))
    return 0


def _refuse(kind: str, line: str) -> int:
    print(f"fairlead {kind}: {line}", file=sys.stderr)  # noqa: T201 - the operator's one line
    return 1


async def _run(kind: str, options: AgentOptions, *, serve: Serve) -> None:
    log = structlog.stdlib.get_logger(f"fairlead.{kind}").bind(agent=kind)
    metrics = CollectorRegistry()
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            Client(options.endpoints, tls=options.tls, credentials=options.credentials)
        )
        status = Status(log=log, metrics=metrics)
        context = AgentContext(
            kind=kind, client=client, options=options, log=log, metrics=metrics, status=status
        )
        key = _status_key(context)
        status.on_change = key.changed
        await _start_health(context, stack=stack)
        task = asyncio.create_task(serve(context), name=kind)
        _handle_signals(context, task)
        keeping = asyncio.create_task(key.run(), name="status key")
        stack.push_async_callback(_end, keeping)
        with contextlib.suppress(asyncio.CancelledError):
            await _until_drained(task, context=context)
    log.info("stopped")


def _status_key(context: AgentContext) -> StatusKey:
    about = {
        "kind": context.kind,
        "host": context.options.host,
        "pid": os.getpid(),
        "version": importlib.metadata.version("fairlead"),
        "started_s": int(time.time()),
    }

    def describe() -> dict[str, Any]:
        state: dict[str, Any] = {"ready": context.is_ready, "addresses": list(context.addresses)}
        if context.degraded:
            state["degraded"] = context.degraded
        return {**about, **state, **context.status.as_json()}

    return StatusKey(
        context.client,
        f"/fairlead/agents/{context.kind}/{context.options.host}",
        describe=describe,
        log=context.log,
        rng=random.Random(),  # noqa: S311 - it spreads retries, it guards nothing
    )


async def _start_health(context: AgentContext, *, stack: contextlib.AsyncExitStack) -> None:
    options = context.options
    if options.metrics_listen is None:
        return
    pages = HealthPages(
        is_ready=lambda: context.is_ready,
        degraded=lambda: context.degraded,
        metrics=context.metrics,
        extra=context.pages,
    )
    server = PageServer(pages.answer, flag="--metrics-listen")
    address = await server.start(options.metrics_listen, is_shared=options.metrics_is_shared)
    stack.push_async_callback(server.stop)
    context.log.info("metrics", address=str(address))


def _handle_signals(context: AgentContext, task: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    reloading: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if context.stopping.is_set():
            task.cancel()
        else:
            context.stop()

    def reload() -> None:
        reloaded = loop.create_task(_reload(context), name="reload")
        reloading.add(reloaded)
        reloaded.add_done_callback(reloading.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)


async def _reload(context: AgentContext) -> None:
    """Take up what of the shared settings can change while running, then let the agent do the same."""
    options = context.options
    if options.config is not None:
        try:
            settings = read_settings(options.config)
        except ConfigError as error:
            context.log.warning("reload failed; the old settings stay", reason=error.format_message())
            return
        level = settings.get("log-level", options.log_level)
        if "log_level" not in options.pinned and level in LOG_LEVELS:
            set_level(level)
    await context.reload()


async def _until_drained(task: asyncio.Task[None], *, context: AgentContext) -> None:
    """Wait for the agent; once it shall stop, for so long and no longer."""
    stopping = asyncio.create_task(context.stopping.wait(), name="stopping")
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=context.drain_s)
        if not task.done():
            task.cancel()
        await task
    finally:
        stopping.cancel()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
