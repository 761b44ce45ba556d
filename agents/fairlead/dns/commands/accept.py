"""``fairlead dns accept``: what the deletion guard holds back was meant."""

import asyncio

import click

from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.client import Client
from fairlead.dns.around import ACCEPT_KEY


@click.command()
@common_options("dns")
@click.option(
    "--revision", type=int, help="Accept what went up to this revision; the current one by default."
)
def accept(*, options: AgentOptions, revision: int | None) -> int:
    """Let every name server of the store take away what its deletion guard holds back."""
    return asyncio.run(_accept(options, revision))


async def _accept(options: AgentOptions, revision: int | None) -> int:
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        current = (await client.get(ACCEPT_KEY)).revision
        if revision is None:
            revision = current
        if revision > current:
            raise ConfigError(
                f"--revision {revision} lies ahead: the store is at {current}",
                "leave --revision out to accept what has gone until now",
            )
        await client.put(ACCEPT_KEY, str(revision))
    click.echo(f"deletions up to revision {revision} are accepted")
    return 0
