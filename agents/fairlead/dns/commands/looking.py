"""``fairlead dns explain``, ``check`` and ``top``: commands that look, and change nothing."""

import asyncio
import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import click
import httpx

import dns.exception
import dns.rdatatype
from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.dns import names
from fairlead.dns.commands.reading import read_keys, reading_options
from fairlead.dns.errors import BadNameError
from fairlead.dns.explain import Explainer, Severity, lint, worst

_TIMEOUT_S = 5.0
_agent_option = click.option(
    "--agent",
    metavar="HOST:PORT",
    help="Ask this running name server, by its --metrics-listen.",
)


@click.command()
@common_options("dns")
@reading_options
@_agent_option
@click.option("--client", default="127.0.0.1", show_default=True, metavar="IP", help="Who asks.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("name")
@click.argument("rtype", metavar="[TYPE]", default="A")
def explain(
    *,
    options: AgentOptions,
    agent: str | None,
    client: str,
    name: str,
    rtype: str,
    as_json: bool,
    **which: str,
) -> int:
    """Say why NAME gets the answer that it gets: the keys that are read, and what becomes of each.

    With --agent a running name server explains, which knows of health and of other servers; else the keys of the store are
    read for it.
    """
    try:
        owner, qtype, ip = (
            names.from_text(name.lower()),
            dns.rdatatype.from_text(rtype),
            str(ip_address(client)),
        )
    except (BadNameError, ValueError, dns.exception.DNSException) as error:
        raise ConfigError(
            f"cannot explain that: {error}", "write: fairlead dns explain web.skydns.local A"
        ) from error
    if agent is not None:
        fields = {"name": name, "type": rtype, "client": ip, "as": "json" if as_json else "text"}
        click.echo(_ask(agent, "/explain", fields).rstrip())
        return 0
    reading = asyncio.run(read_keys(options, **which))
    explainer = Explainer(
        model=reading.model,
        responder=reading.responder,
        forwarding=None,
        kv_of=reading.kvs.get,
        problems=lambda: {
            key.decode(errors="replace"): text for key, text in reading.reports.problems.items()
        },
        ill=dict,
    )
    told = explainer.explain(owner, qtype, ip=ip)
    click.echo(json.dumps(told.as_json()) if as_json else told.as_text(), nl=as_json)
    return 0


@click.command()
@common_options("dns")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one object a line.")
def check(*, options: AgentOptions, as_json: bool, **which: str) -> int:
    """Look for mistakes in all keys; the status is 0 for none, 1 for warnings, 2 for keys that are not served."""
    reading = asyncio.run(read_keys(options, **which))
    findings = lint(reading.model, reading.reports, {key: kv.value for key, kv in reading.kvs.items()})
    for one in findings:
        if as_json:
            click.echo(json.dumps({"key": one.key, "severity": one.severity.name.lower(), "text": one.text}))
        else:
            colour = "red" if one.severity is Severity.ERROR else "yellow"
            click.echo(f"{click.style(one.severity.name.lower(), fg=colour)}: {one.key}: {one.text}")
    if not as_json:
        click.echo(f"{len(reading.kvs)} keys, {len(findings)} findings")
    return worst(findings)


@click.command()
@_agent_option
@click.option("--count", default=20, show_default=True, help="Lines of each list.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def top(*, agent: str | None, count: int, as_json: bool) -> int:
    """Show what a running name server is asked for the most, and what in vain."""
    if agent is None:
        raise ConfigError(
            "--agent is missing", "give the name server's --metrics-listen, such as 127.0.0.1:9153"
        )
    state: Mapping[str, Any] = json.loads(_ask(agent, "/dns.json", {}))
    lists = {title: state[title][:count] for title in ("asked", "missing")}
    if as_json:
        click.echo(json.dumps(lists))
        return 0
    for title, what in (("asked", "asked for the most"), ("missing", "asked for in vain")):
        click.secho(f"{what} ({state[f'{title}_total']} in all)", bold=True)
        for one in lists[title]:
            click.echo(f"{one['count']:>12}  {one['name']}")
    return 0


def _ask(agent: str, path: str, fields: Mapping[str, str]) -> str:
    try:
        response = httpx.get(
            f"http://{agent}{path}", params=dict(fields), timeout=_TIMEOUT_S, trust_env=False
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"cannot ask {agent}: {error}", "check --agent and the server's --metrics-listen"
        ) from error
    if response.status_code != httpx.codes.OK:
        raise ConfigError(f"{agent} says: {response.text.strip()}", "check the name and the type")
    return response.text
