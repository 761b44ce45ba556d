"""``fairlead proxy routes``, ``explain`` and ``top``: what a running proxy says of itself."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fairlead.proxy.commands.asking import admin_options, ask

as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


@click.command()
@admin_options
@as_json
def routes(*, admin: str, admin_token_file: str | None, is_json: bool) -> int:
    """Show the routes in the order in which they are tried."""
    found = ask(admin, admin_token_file, "/routes")
    if is_json:
        click.echo(json.dumps(found, indent=2))
        return 0
    table = _table("frontend", "route", "priority", "backend", "servers", "middlewares", "req/s")
    for each in found["routes"]:
        middlewares = ", ".join(each["middlewares"])
        names = (each["frontend"], each["route"], each["priority"], each["backend"], each["servers"])
        _add(table, *names, middlewares, f"{each['per_s']:.1f}")
    Console().print(table)
    click.echo(f"{found['count']} routes at revision {found['revision']}")
    return 0


@click.command()
@admin_options
@click.argument("url")
@click.option("--method", default="GET", show_default=True)
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A field; may be repeated.")
@click.option("--client", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Who asks.")
@as_json
def explain(
    *,
    admin: str,
    admin_token_file: str | None,
    url: str,
    method: str,
    headers: tuple[str, ...],
    client: str,
    is_json: bool,
) -> int:
    """Say what would become of a request for URL: which routes match, why others lost, who is asked."""
    fields = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in headers)}
    asked = {"method": method, "url": url, "headers": fields, "client": client}
    told = ask(admin, admin_token_file, "/explain", post=asked)
    lines = [json.dumps(told, indent=2)] if is_json else explained(told)
    for line in lines:
        click.echo(line)
    return 0


def explained(told: dict[str, Any]) -> list[str]:
    """Return an explanation line by line."""
    if "reason" in told:
        return [f"answered {told['answer']}: {told['reason']}"]
    lines = [f"+ {each['frontend']}: {each['verdict']}   {each['route']}" for each in told["matched"]]
    lines += [f"- {each['frontend']}: {each['verdict']}   {each['route']}" for each in told["lost"]]
    if told["lost_not_shown"]:
        lines.append(f"- {told['lost_not_shown']} more do not match")
    if told["frontend"] is None:
        return [*lines, "no route: answered 404"]
    passed = ", ".join(f"{each['id']} ({each['type']}{_state_of(each)})" for each in told["middlewares"])
    lines.append(f"middlewares: {passed or 'none'}")
    for each in told["servers"]:
        mark = ">" if each["id"] == told["server"] else " "
        health = "" if each["is_healthy"] else ", unhealthy"
        health += f", ejected for {each['ejected_s']} s" if each["ejected_s"] else ""
        health += f", {_out(each)}" if each["workers"] > 1 and each["out_in"] else ""
        lines.append(
            f"{mark} {told['backend']}/{each['id']} {each['address']}: {each['state']}{health},"
            f" weight {each['weight']}, {each['in_flight']} in flight, {each['latency_ms']} ms"
        )
    if told["server"] is None:
        lines.append(f"no server of {told['backend']}: {told['answer']}")
    if "worker" in told:
        lines.append(
            f"choice, weights and latencies are those of worker {told['worker']} of {told['workers']}"
        )
    return lines


def _state_of(middleware: dict[str, Any]) -> str:
    """Say in which state a middleware is, in how many workers where they differ."""
    found = [
        each["state"]
        for each in (middleware.get("now", {}), *middleware.get("elsewhere", ()))
        if "state" in each
    ]
    counts = {state: found.count(state) for state in found}
    if len(counts) < 2:
        return "".join(f", {state}" for state in counts)
    return ", " + ", ".join(f"{state} in {count} of {len(found)} workers" for state, count in counts.items())


def _out(server: dict[str, Any]) -> str:
    """Say that a server is not asked, and by how many."""
    return f"out in {server['out_in']} of {server['workers']} workers" if server["workers"] > 1 else "out"


@click.command()
@admin_options
@click.option("--limit", default=20, show_default=True, help="Rows of each table.")
@click.option("--refresh", default=0.0, metavar="SECONDS", help="Show it again and again.")
@click.option("--backend", "-b", default="", metavar="ID", help="Servers of this backend only.")
@as_json
def top(
    *, admin: str, admin_token_file: str | None, limit: int, refresh: float, backend: str, is_json: bool
) -> int:
    """Show who gets how much, of what, how fast; busiest first."""

    def look() -> dict[str, Any]:
        found: dict[str, Any] = ask(admin, admin_token_file, "/top")
        found["servers"] = [each for each in found["servers"] if backend in {"", each["backend"]}]
        return found

    if is_json:
        click.echo(json.dumps(look(), indent=2))
    elif refresh:
        _keep_showing(look, limit, refresh_s=refresh)
    else:
        Console().print(_top_table(look(), limit))
    return 0


def _keep_showing(look: Callable[[], dict[str, Any]], limit: int, *, refresh_s: float) -> None:
    with Live(_top_table(look(), limit), auto_refresh=False) as live:
        while True:
            time.sleep(refresh_s)
            live.update(_top_table(look(), limit), refresh=True)


def _top_table(found: dict[str, Any], limit: int) -> Table:
    both = Table.grid()
    rates = ("req/s", "5xx %", "p50 ms", "p99 ms", "total")
    frontends = _table("frontend", *rates)
    for each in found["frontends"][:limit]:
        _add(frontends, each["id"], *_rates(each))
    servers = _table("server", "address", "state", "in flight", *rates)
    for each in found["servers"][:limit]:
        state = _out(each) if each["out_in"] else each["state"]
        name = f"{each['backend']}/{each['id']}"
        _add(servers, name, each["address"], state, each["in_flight"], *_rates(each))
    both.add_row(frontends)
    both.add_row(servers)
    flags = "  ".join(f"{flag} {count}" for flag, count in found["flags"].items()) or "none"
    both.add_row(f"revision {found['revision']}   reasons: {flags}")
    return both


def _rates(row: dict[str, Any]) -> Sequence[object]:
    latencies = (f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
    return (f"{row['per_s']:.1f}", row["errors_percent"], *latencies, row["total"])


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *values: object) -> None:
    # What keys say is shown as it is, and never read as rich's markup.
    table.add_row(*(Text(str(value)) for value in values))
