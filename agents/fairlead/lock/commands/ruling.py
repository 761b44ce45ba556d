"""What an operator decides: maximum, freeze, what becomes of who is overdue; and taking over from airlock."""

import click

from fairlead.agent import AgentOptions, common_options
from fairlead.client import Client, Compare, op_put
from fairlead.lock.airlock import PREFIX, group_of, read_airlock
from fairlead.lock.board import POLICIES
from fairlead.lock.commands.options import group_option, operator, reason_option, with_lock
from fairlead.lock.errors import LockError
from fairlead.lock.keys import semaphore_key
from fairlead.lock.lock import Lock


@click.command("set-max")
@common_options("lock")
@group_option
@click.argument("permits", metavar="N", type=int)
def set_max(*, options: AgentOptions, group: str, permits: int) -> None:
    """Let N hold at once; whoever holds goes on.  0 lets nobody in.  A group that is not there is made."""

    async def do(lock: Lock, _: Client) -> None:
        await lock.set_max(permits)
        semaphore = (await lock.read()).semaphore
        over = 0 if semaphore is None else -semaphore.left
        more = f"; {over} more hold it than may, and go on" if over > 0 else ""
        click.echo(f"{permits} may hold {lock.group}{more}")

    with_lock(options, group, do)


@click.command()
@common_options("lock")
@group_option
@reason_option
def freeze(*, options: AgentOptions, group: str, reason: str) -> None:
    """Let nobody in until it is unfrozen; locksmith's hosts heed it too.  Who holds goes on."""

    async def do(lock: Lock, _: Client) -> None:
        await lock.freeze(reason=reason, by=operator())
        click.echo(f"{lock.group} is frozen; end it with: fairlead lock unfreeze --group {lock.group}")

    with_lock(options, group, do)


@click.command()
@common_options("lock")
@group_option
def unfreeze(*, options: AgentOptions, group: str) -> None:
    """Let hosts in again, as many as before."""

    async def do(lock: Lock, _: Client) -> None:
        await lock.unfreeze(by=operator())
        semaphore = (await lock.read()).semaphore
        click.echo(f"{0 if semaphore is None else semaphore.permits} may hold {lock.group}")

    with_lock(options, group, do)


@click.command("on-overdue")
@common_options("lock")
@group_option
@click.argument("policy", type=click.Choice(POLICIES))
def on_overdue(*, options: AgentOptions, group: str, policy: str) -> None:
    """Say what the agents do about a holder that is overdue.

    hold: nothing, it blocks the others on purpose.  page: tell people, once.  release: let it out.
    """

    async def do(lock: Lock, _: Client) -> None:
        await lock.set_policy(policy)
        click.echo(f"whoever is overdue in {lock.group}: {policy}")

    with_lock(options, group, do)


@click.command("import")
@common_options("lock")
def import_(*, options: AgentOptions) -> int:
    """Take over the groups and holders of airlock; groups that are here already, and airlock's keys, stay as they are."""

    async def do(_: Lock, client: Client) -> int:
        found = (await client.get(PREFIX, prefix=True)).kvs
        failed = 0
        for pair in found:
            key = pair.key.decode(errors="replace")
            if (group := group_of(key)) is None:
                continue
            try:
                semaphore = read_airlock(key, pair.value)
            except LockError as error:
                click.echo(f"fairlead: {error}", err=True)
                failed = 1
                continue
            target = semaphore_key(group)
            made = await client.txn(
                [Compare.create_revision(target).equals(0)], [op_put(target, semaphore.encode())]
            )
            word = "taken over" if made.succeeded else "is here already"
            click.echo(f"{group}: {word}, {len(semaphore.holders)} of {semaphore.permits} held")
        if not found:
            click.echo(f"no airlock here: no key below {PREFIX}")
        return failed

    return with_lock(options, "", do)
