"""``fairlead proxy drain``: a server gets no new work; its key says so, and every proxy of the store obeys."""

import asyncio
import json

import click

from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.client import Client, Compare, op_put
from fairlead.proxy.keys import watched_prefixes

_LOOK_S = 0.2
_AGENTS = "/fairlead/agents/proxy/"


@click.command()
@common_options("proxy")
@click.option(
    "--etcd-key", default="/vulcand", show_default=True, metavar="PREFIX", help="Where the routes are."
)
@click.option("--undo", "is_undo", is_flag=True, help="Let it have work again.")
@click.option("--wait", "wait_s", default=0.0, metavar="SECONDS", help="Wait so long for its last request.")
@click.argument("server", metavar="BACKEND/SERVER")
def drain(*, options: AgentOptions, etcd_key: str, is_undo: bool, wait_s: float, server: str) -> int:
    """Write "State": "drain" into a server's key.

    With --wait, until every proxy of the store says that nothing is under way there; the status is 1 when that
    took too long.
    """
    backend_id, _, server_id = server.partition("/")
    if not server_id:
        raise ConfigError(f"{server!r} names no server", "write BACKEND/SERVER")
    name = f"backends/{backend_id}/servers/{server_id}"
    return asyncio.run(_drain(options, etcd_key, name, state="up" if is_undo else "drain", wait_s=wait_s))


async def _drain(options: AgentOptions, etcd_key: str, name: str, *, state: str, wait_s: float) -> int:
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        await _mark(client, etcd_key, name, state=state)
        click.echo(f"{name} gets work again" if state == "up" else f"{name} gets no new work")
        if state == "up" or not wait_s:
            return 0
        try:
            async with asyncio.timeout(wait_s):
                await _until_empty(client, f"/{etcd_key.strip('/')}/status/{name}/")
        except TimeoutError:
            click.echo(
                f"after {wait_s:g} s not every proxy has said that nothing is under way there", err=True
            )
            return 1
        click.echo("nothing is under way there")
        return 0


async def _mark(client: Client, etcd_key: str, name: str, *, state: str) -> None:
    for prefix in watched_prefixes(etcd_key):
        kept = (await client.get(prefix + name.encode())).kv
        if kept is None:
            continue
        shown = kept.key.decode("utf-8", "replace")
        try:
            value = json.loads(kept.value)
            value["State"] = state
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{shown} holds no JSON object", "mend the key first") from error
        # The lease stays: a server that registers by heartbeat dies as it would have.
        put = op_put(kept.key, json.dumps(value), lease=kept.lease)
        unchanged = Compare.mod_revision(kept.key).equals(kept.mod_revision)
        if not (await client.txn([unchanged], [put])).succeeded:
            raise ConfigError(f"{shown} is being changed by somebody else", "try again")
        return
    raise ConfigError(
        f"there is no key {name} below {etcd_key}", "see fairlead proxy top for the servers there are"
    )


async def _until_empty(client: Client, prefix: str) -> None:
    """Return once each proxy that there is says so; see ``draining``."""
    while True:
        rows = (await client.get(prefix, prefix=True)).kvs
        proxies = (await client.get(_AGENTS, prefix=True, count_only=True)).count
        if len(rows) >= max(1, proxies) and all(json.loads(each.value)["InFlight"] == 0 for each in rows):
            return
        await asyncio.sleep(_LOOK_S)
