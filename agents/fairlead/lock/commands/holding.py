"""``fairlead lock acquire``, ``release``, ``run`` and ``send-need-reboot``."""

import json
import uuid

import click

from fairlead.agent import AgentOptions, common_options
from fairlead.client import Client
from fairlead.lock.commands.options import DURATION, group_option, json_option, reason_option, with_lock
from fairlead.lock.holding import run_under
from fairlead.lock.identity import boot_id, machine_id
from fairlead.lock.lock import Lock
from fairlead.lock.operations import Claim

_wait_option = click.option(
    "--wait", "wait_s", type=DURATION, default="0s", show_default=True, help="How long to wait for a permit."
)
_hold_option = click.option(
    "--hold", "hold_s", type=DURATION, default="0s", help="After which time the holder is overdue; 0s: never."
)


@click.command()
@common_options("lock")
@group_option
@click.argument("holder", metavar="[ID]", default="")
@reason_option
@_hold_option
@_wait_option
@json_option
def acquire(
    *,
    options: AgentOptions,
    group: str,
    holder: str,
    reason: str,
    hold_s: float,
    wait_s: float,
    as_json: bool,
) -> None:
    """Get a permit for ID, the machine's id when left out; once in, it is in.

    Prints the fencing token: what a holder guards can refuse whoever comes with a smaller one.
    """

    async def do(lock: Lock, _: Client) -> None:
        claim = _claim(options, lock, holder=holder or machine_id(), reason=reason, hold_s=hold_s)
        token = await lock.acquire_within(claim, within_s=wait_s)
        if as_json:
            click.echo(json.dumps({"holder": claim.holder, "group": lock.group, "token": token}))
        else:
            click.echo(f"{claim.holder} holds {lock.group}, token {token}")

    with_lock(options, group, do)


@click.command()
@common_options("lock")
@group_option
@click.argument("holder", metavar="[ID]", default="")
@reason_option
def release(*, options: AgentOptions, group: str, holder: str, reason: str) -> None:
    """Give back the permit of ID, the machine's id when left out."""

    async def do(lock: Lock, _: Client) -> None:
        name = holder or machine_id()
        await lock.release(name, why=reason)
        click.echo(f"{name} holds {lock.group} no more")

    with_lock(options, group, do)


@click.command(context_settings={"ignore_unknown_options": True})
@common_options("lock")
@group_option
@click.option("--id", "holder", default="", help="Who we are; host and process when left out.")
@reason_option
@_hold_option
@_wait_option
@click.option(
    "--lease",
    "lease_s",
    type=DURATION,
    default="30s",
    show_default=True,
    help="Who dies makes room after this time.",
)
@click.option("--manual", is_flag=True, help="Keep the permit of who dies until an operator gives it back.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    *,
    options: AgentOptions,
    group: str,
    holder: str,
    reason: str,
    hold_s: float,
    wait_s: float,
    lease_s: float,
    manual: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND with a permit, and end with its exit status; 75 when the permit was lost meanwhile."""

    async def do(lock: Lock, client: Client) -> int:
        owner = uuid.uuid4().hex
        name = holder or f"{options.host}-{owner[:12]}"
        claim = _claim(options, lock, holder=name, reason=reason or command[0], hold_s=hold_s, owner=owner)
        kept_s = 0 if manual else max(1, round(lease_s))
        return await run_under(client, lock, claim, command, wait_s=wait_s, lease_s=kept_s)

    return with_lock(options, group, do)


@click.command("send-need-reboot")
@common_options("lock")
@group_option
@click.argument("holder", metavar="[ID]", default="")
@reason_option
def send_need_reboot(*, options: AgentOptions, group: str, holder: str, reason: str) -> None:
    """Ask the agent of the host with ID to reboot it when its turn comes."""

    async def do(lock: Lock, _: Client) -> None:
        name = holder or machine_id()
        await lock.ask_reboot(name, reason=reason or "an operator asked for it")
        click.echo(f"asked; follow it with: fairlead lock why {name} --group {lock.group}")

    with_lock(options, group, do)


def _claim(
    options: AgentOptions, lock: Lock, *, holder: str, reason: str, hold_s: float, owner: str = ""
) -> Claim:
    return Claim(
        holder=holder,
        host=options.host,
        boot_id=boot_id(),
        reason=reason,
        since_s=lock.now_s,
        hold_s=round(hold_s),
        owner=owner,
    )
