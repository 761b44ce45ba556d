"""``fairlead proxy undo``: back to how the keys were at a revision, in one transaction."""

import asyncio

import click

from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.client import Client
from fairlead.proxy.history import UndoError, plan_undo
from fairlead.proxy.history import undo as undo_in_store
from fairlead.proxy.keys import watched_prefixes


@click.command()
@common_options("proxy")
@click.option(
    "--etcd-key", default="/vulcand", show_default=True, metavar="PREFIX", help="Where the routes are."
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.argument("revision", type=click.IntRange(1))
def undo(*, options: AgentOptions, etcd_key: str, dry_run: bool, revision: int) -> int:
    """Make the keys what they were at REVISION.

    The revision in force is what "fairlead proxy routes" ends with; each line of the access log has its own.
    Keys on a lease are left alone.
    """
    try:
        return asyncio.run(_undo(options, etcd_key, revision, is_dry=dry_run))
    except UndoError as error:
        raise ConfigError(str(error), "nothing has been changed") from error


async def _undo(options: AgentOptions, etcd_key: str, revision: int, *, is_dry: bool) -> int:
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        undoing = await plan_undo(client, watched_prefixes(etcd_key), revision)
        for line in undoing.lines():
            click.echo(line)
        if not undoing.now:
            click.echo(f"the keys are as they were at revision {revision}")
        elif not is_dry:
            done = await undo_in_store(client, undoing)
            click.echo(f"done: revision {done} is what revision {revision} was")
    return 0
