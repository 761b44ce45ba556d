"""``fairlead lock agent`` and ``serve``: the two that stay."""

import asyncio
import contextlib
import dataclasses
import ssl
from pathlib import Path

import click

from fairlead.agent import Address, AgentContext, AgentOptions, ConfigError, common_options, run_agent
from fairlead.client import ClientError
from fairlead.lock.agent import RebootAgent
from fairlead.lock.commands.options import DURATION
from fairlead.lock.errors import LockError
from fairlead.lock.identity import boot_id, machine_id
from fairlead.lock.keys import DEFAULT_GROUP
from fairlead.lock.lock import Lock
from fairlead.lock.policy import Policy, load_policy
from fairlead.lock.serve import FleetLockServer, GroupMetrics

_TEND_S = 10.0


@click.command()
@common_options("lock")
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), help="How this host reboots (YAML)."
)
@click.option("--group", default=None, help="Instead of the policy's.")
@click.option(
    "--id", "holder", default="", help="This host's id in the semaphore; the machine's when left out."
)
@click.option("--host", default="", help="This host's name; its own when left out.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and reboot nothing.")
@click.option("--boot-id", "boot", default="", hidden=True, help="Instead of the kernel's.")
def agent(
    *,
    options: AgentOptions,
    policy_file: Path | None,
    group: str | None,
    holder: str,
    host: str,
    dry_run: bool,
    boot: str,
) -> int:
    """Take this host through its reboots, one at a time with the others of its group."""
    policy = load_policy(policy_file) if policy_file is not None else Policy()
    if dry_run:
        policy = dataclasses.replace(policy, reboot=None)
    name, this_boot = holder or machine_id(), boot or boot_id()

    async def run(context: AgentContext) -> None:
        lock = Lock(context.client, group or policy.group)
        await RebootAgent(context, lock, policy, holder=name, boot_id=this_boot).run()

    named = dataclasses.replace(options, host=host) if host else options
    return run_agent("lock", named, run)


@click.command()
@common_options("lock")
@click.option(
    "--listen", default="127.0.0.1:3333", show_default=True, metavar="HOST:PORT", help="Where to serve."
)
@click.option(
    "--groups",
    metavar="NAME=MAX,...",
    default=f"{DEFAULT_GROUP}=1",
    show_default=True,
    help="Which groups to serve, and the maximum of those that are not there yet; any: whatever there is.",
)
@click.option(
    "--hold",
    "hold_s",
    type=DURATION,
    default="1h",
    show_default=True,
    help="When a host is overdue; 0s: never.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key (PEM).")
def serve(
    *,
    options: AgentOptions,
    listen: str,
    groups: str,
    hold_s: float,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Serve FleetLock, for Zincati and whoever else speaks it."""
    address = Address.parse(listen, flag="--listen")
    permits = None if groups == "any" else _groups(groups)
    tls = _tls(tls_cert, tls_key)

    async def run(context: AgentContext) -> None:
        server = FleetLockServer(context, groups=permits, hold_s=round(hold_s))
        try:
            bound = await server.start(address, tls=tls)
        except LockError as error:
            raise ConfigError(str(error)) from error
        context.ready(bound)
        tending = asyncio.create_task(_tend(context, permits), name="tend")
        await context.stopping.wait()
        tending.cancel()
        await server.stop()

    return run_agent("lock", options, run)


async def _tend(context: AgentContext, permits: dict[str, int] | None) -> None:
    """See to holders that are overdue, and to the gauges, until cancelled."""
    metrics = GroupMetrics(context.metrics)
    while True:
        with contextlib.suppress(ClientError):
            for group in permits or await Lock(context.client).groups():
                try:
                    await _tend_group(context, Lock(context.client, group), metrics)
                except LockError as error:
                    context.status.problem(group, str(error))
        await asyncio.sleep(_TEND_S)


async def _tend_group(context: AgentContext, lock: Lock, metrics: GroupMetrics) -> None:
    for one, what in await lock.tend(by="fairlead lock serve"):
        context.log.warning("holds for too long", group=lock.group, holder=one.holder, done=what)
    semaphore = (await lock.read()).semaphore
    if semaphore is not None:
        metrics.show(lock.group, holders=len(semaphore.holders), permits=semaphore.permits)
    context.status.healed(lock.group)


def _groups(text: str) -> dict[str, int]:
    permits = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if not name or not (number or "1").isdecimal():
            raise ConfigError(f"not a group: {part!r}", "write --groups default=1,web=2")
        permits[name] = int(number or "1")
    return permits


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ConfigError("--tls-cert and --tls-key go together", "give both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use {cert} with {key}: {error.strerror or error}", "check --tls-cert"
        ) from error
    return context
