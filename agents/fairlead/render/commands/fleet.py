"""``fairlead render status``: the table of all hosts and groups."""

import json
import time
from collections.abc import Iterable
from typing import Any

import click

from fairlead.agent import AgentOptions, common_options, one_line
from fairlead.client import Client
from fairlead.render.commands.options import json_option
from fairlead.render.commands.statuses import run_with_store
from fairlead.render.fleet import STATUS_PREFIX
from fairlead.render.jsonio import read_object, time_s

_COLUMNS = ("host", "group", "revision", "output", "state", "since")
_CELL_CHARS_MAX = 60
_COLOURS = {
    "ok": "green",
    "held back": "yellow",
    "quarantined": "yellow",
    "guarded": "yellow",
    "taken back": "yellow",
}


@click.command()
@common_options("render")
@click.option("--watch", is_flag=True, help="Go on, and show each change.")
@json_option
def status(*, options: AgentOptions, watch: bool, as_json: bool) -> int:
    """Show what every host runs on: group, revision, output, state and error.

    The status is 1 when a group is not as its keys have it.
    """
    return run_with_store(_status(options, is_watch=watch, as_json=as_json))


async def _status(options: AgentOptions, *, is_watch: bool, as_json: bool) -> int:
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        result = await client.get(STATUS_PREFIX, prefix=True)
        rows = {pair.key: _row(pair.key, pair.value) for pair in result.kvs}
        _print(rows.values(), as_json=as_json)
        if is_watch:
            start = result.revision + 1
            async with client.watch(STATUS_PREFIX, prefix=True, start_revision=start) as changes:
                async for batch in changes:
                    for event in batch.events:
                        if event.is_delete:
                            rows.pop(event.kv.key, None)
                        else:
                            rows[event.kv.key] = _row(event.kv.key, event.kv.value)
                    if not as_json:
                        click.clear()
                    _print(rows.values(), as_json=as_json)
        return int(any(row.get("state") != "ok" for row in rows.values()))


def _row(key: bytes, value: bytes) -> dict[str, Any]:
    """Return what a host says of a group; whose and of which, its key says."""
    host, _, group = key.decode(errors="replace").removeprefix(STATUS_PREFIX).partition("/")
    row = read_object(value)
    return {**({"state": "unreadable"} if row is None else row), "host": host, "group": group}


def _print(rows: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    ordered = sorted(rows, key=lambda row: (str(row.get("group")), str(row.get("host"))))
    if as_json:
        for row in ordered:
            click.echo(json.dumps(row))
        return
    if not ordered:
        click.echo(
            "no host reports: there is a row for each group while fairlead render runs there", err=True
        )
        return
    now_s = time.time()
    table = [[*_COLUMNS], *([_cell(row, column, now_s) for column in _COLUMNS] for row in ordered)]
    widths = [max(len(line[at]) for line in table) for at in range(len(_COLUMNS))]
    for number, line in enumerate(table):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if not number:
            click.secho(text.upper(), bold=True)
            continue
        row = ordered[number - 1]
        click.secho(text, fg=_COLOURS.get(str(row.get("state")), "red"))
        if row.get("error"):
            click.echo(f"    {one_line(str(row['error']))}")


def _cell(row: dict[str, Any], column: str, now_s: float) -> str:
    if column != "since":
        return one_line(str(row.get(column, "?")))[:_CELL_CHARS_MAX]
    try:
        age_s = max(0, int(now_s - time_s(row.get("since_s"))))
    except ValueError:
        return "?"
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if age_s >= 2 * unit_s:
            return f"{age_s // unit_s} {unit}"
    return f"{age_s} s"
