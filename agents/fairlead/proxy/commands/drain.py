"""``fairlead proxy drain``: a server gets no new work; its key says so, and every proxy of the store obeys."""

import asyncio
import json
import time

import click

from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.client import Client, Compare, op_put
from fairlead.proxy.commands.asking import admin_options, ask
from fairlead.proxy.keys import watched_prefixes

_LOOK_S = 0.2


@click.command()
@common_options("proxy")
@admin_options
@click.option(
    "--etcd-key", default="/vulcand", show_default=True, metavar="PREFIX", help="Where the routes are."
)
@click.option("--undo", "is_undo", is_flag=True, help="Let it have work again.")
@click.option("--wait", "wait_s", default=0.0, metavar="SECONDS", help="Wait so long for its last request.")
@click.argument("server", metavar="BACKEND/SERVER")
def drain(
    *,
    options: AgentOptions,
    admin: str,
    admin_token_file: str | None,
    etcd_key: str,
    is_undo: bool,
    wait_s: float,
    server: str,
) -> int:
    """Write "State": "drain" into a server's key.

    With --wait, until the proxy at --admin has nothing under way there; the status is 1 when it took too long.
    """
    backend_id, _, server_id = server.partition("/")
    if not server_id:
        raise ConfigError(f"{server!r} names no server", "write BACKEND/SERVER")
    state = "up" if is_undo else "drain"
    asyncio.run(_mark(options, etcd_key, f"backends/{backend_id}/servers/{server_id}", state=state))
    click.echo(f"{server} gets work again" if is_undo else f"{server} gets no new work")
    if is_undo or not wait_s:
        return 0
    return _wait(admin, admin_token_file, (backend_id, server_id), wait_s=wait_s)


async def _mark(options: AgentOptions, etcd_key: str, name: str, *, state: str) -> None:
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
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


def _wait(admin: str, token_file: str | None, server: tuple[str, str], *, wait_s: float) -> int:
    until_s = time.monotonic() + wait_s
    while True:
        servers = ask(admin, token_file, "/top")["servers"]
        found = [each for each in servers if (each["backend"], each["id"]) == server]
        if not found or (found[0]["state"] == "drain" and not found[0]["in_flight"]):
            click.echo("nothing is under way there")
            return 0
        if time.monotonic() >= until_s:
            click.echo(f"{found[0]['in_flight']} requests are still under way there", err=True)
            return 1
        time.sleep(_LOOK_S)
