"""``fairlead lock status`` and ``why``."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from fairlead.agent import AgentOptions, common_options
from fairlead.client import Client
from fairlead.lock.board import Board, Holder
from fairlead.lock.commands.options import group_option, json_option, with_lock
from fairlead.lock.errors import LockError, UnknownGroupError
from fairlead.lock.keys import STATUS_PREFIX
from fairlead.lock.lock import Lock

_LOG_SHOWN = 5


@click.command()
@common_options("lock")
@group_option
@click.option("--all", "is_all", is_flag=True, help="Of every group.")
@json_option
def status(*, options: AgentOptions, group: str, is_all: bool, as_json: bool) -> int:
    """Show who holds, since when and why; 1 when a holder is overdue or dead."""

    async def do(lock: Lock, client: Client) -> int:
        groups = list(await lock.groups()) if is_all else [group]
        worst = 0
        for name in groups:
            board = await Lock(client, name).read()
            if board.semaphore is None:
                raise UnknownGroupError(name, known=list(await lock.groups()))
            shown = [json.dumps(_as_json(board))] if as_json else _lines(board, now_s=time.time())
            click.echo("\n".join(shown))
            worst |= int(any(one.is_overdue or one.is_dead for one in board.holders))
        return worst

    return with_lock(options, group, do)


@click.command()
@common_options("lock")
@group_option
@click.argument("who", metavar="HOST|ID")
@json_option
def why(*, options: AgentOptions, group: str, who: str, as_json: bool) -> int:
    """Show what a host waits for: what the semaphore says, and what its agent does."""

    async def do(lock: Lock, client: Client) -> int:
        board = await lock.read()
        held = next((one for one in board.holders if who in {one.holder, one.host}), None)
        host = held.host if held is not None and held.host else who
        state = await _agent_state(client, host)
        if as_json:
            click.echo(json.dumps({"who": who, "holds": held is not None, "agent": state, **_as_json(board)}))
            return 0
        click.echo("\n".join(_reasons(board, who, held, state)))
        return 0 if held is not None or state or who in board.needs else 1

    return with_lock(options, group, do)


async def _agent_state(client: Client, host: str) -> str:
    """Return what the agent of a host says it does; empty when none is alive there."""
    found = (await client.get(f"{STATUS_PREFIX}lock/{host}")).kvs
    if not found:
        return ""
    try:
        told = json.loads(found[0].value)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise LockError(f"the status key of {host} cannot be read; nothing but its agent should write it")
    return str(told.get("notes", {}).get("state", "begins"))


def _reasons(board: Board, who: str, held: Holder | None, state: str) -> Iterable[str]:
    yield f"{who} holds {board.group}" if held is not None else f"{who} does not hold {board.group}"
    if held is not None and (held.is_overdue or held.is_dead):
        yield f"  it is {_condition(held)}; let it out with: fairlead lock release {held.holder} --group {board.group}"
    if held is None and board.frozen_because:
        yield f"  nobody gets in: {board.frozen_because}"
    elif held is None and board.semaphore is not None and board.semaphore.left <= 0:
        yield f"  no permit is left: {', '.join(_name(one) for one in board.holders)}"
    if who in board.needs:
        yield f"  a reboot was asked for: {board.needs[who]}"
    yield (
        f"  its agent: {state}" if state else "  no agent is alive there: start it with: fairlead lock agent"
    )


def _lines(board: Board, *, now_s: float) -> Iterable[str]:
    semaphore = board.semaphore
    assert semaphore is not None
    frozen = f", frozen: {board.frozen_because}" if board.frozen_because else ""
    yield f"{board.group}: {len(semaphore.holders)} of {semaphore.permits} held{frozen}"
    for one in board.holders:
        facts = [
            _name(one),
            _condition(one),
            f"for {_age(now_s - one.since_s)}" if one.since_s else "",
            one.reason,
            f"token {one.token}" if one.token else "without a record: a host of locksmith's, or older",
        ]
        yield "  " + ", ".join(fact for fact in facts if fact)
    for entry in board.log[-_LOG_SHOWN:]:
        words = " ".join(str(entry.get(name, "")) for name in ("what", "who"))
        why = f": {entry['why']}" if entry.get("why") else ""
        yield f"  at revision {entry['revision']}: {words.strip()}{why}"


def _name(one: Holder) -> str:
    return f"{one.holder} ({one.host})" if one.host else one.holder


def _condition(one: Holder) -> str:
    words = {"dead": one.is_dead, "overdue": one.is_overdue, "silent": one.is_silent}
    return " and ".join(word for word, is_so in words.items() if is_so)


def _age(seconds: float) -> str:
    whole = max(0, round(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _as_json(board: Board) -> dict[str, Any]:
    assert board.semaphore is not None
    return {
        "group": board.group,
        "max": board.semaphore.permits,
        "left": board.semaphore.left,
        "frozen": board.frozen_because,
        "on_overdue": board.on_overdue,
        "holders": [asdict(one) for one in board.holders],
        "needs": dict(board.needs),
        "revision": board.revision,
        "log": board.log,
    }
