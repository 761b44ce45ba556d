"""``fairlead register``: the command line."""

import dataclasses
from typing import Any

import click

from fairlead.agent import (
    Address,
    AgentContext,
    AgentOptions,
    ConfigError,
    common_options,
    parse_duration_s,
    run_agent,
)
from fairlead.checks import Check, read_check
from fairlead.register.agent import Registration
from fairlead.register.errors import RegisterError
from fairlead.register.gate import Gate
from fairlead.register.program import Program
from fairlead.register.records import Service, make_places, make_service

INTERVAL_S_MIN = 0.1
RESTARTS = ("always", "on-failure", "never")


@click.command(context_settings={"ignore_unknown_options": False})
@common_options("register")
@click.argument("name")
@click.option("--address", required=True, metavar="HOST:PORT", help="Where others reach the service.")
@click.option("--ttl", default="10s", show_default=True, help="A crash is noticed within this time.")
@click.option(
    "--check",
    metavar="URL|HOST:PORT",
    help="A page, or an address, that has to answer; of a COMMAND its --address.",
)
@click.option("--check-cmd", metavar="COMMAND", help="A command that has to exit with 0, by sh -c.")
@click.option("--interval", default="2s", show_default=True, help="From check to check.")
@click.option("--rise", default=1, show_default=True, help="Checks in a row that let it in.")
@click.option("--fall", default=1, show_default=True, help="Checks in a row that put it out.")
@click.option("--weight", default=0, help="Its share among its like, in DNS and proxy.")
@click.option(
    "--tag", "tags", multiple=True, help="For those who look; the first is a label in DNS: TAG.NAME."
)
@click.option(
    "--id", "instance", default="", help="Its name among its like; made of the address when left out."
)
@click.option(
    "--scheme", type=click.Choice(("http", "https")), default="http", help="How the proxy talks to it."
)
@click.option("--domain", default="skydns.local.", show_default=True, help="Zone of its DNS name.")
@click.option("--path-prefix", default="skydns", show_default=True, help="Of DNS keys; empty: no DNS.")
@click.option("--etcd-key", default="/vulcand", show_default=True, help="Of proxy keys; empty: no proxy.")
@click.option("--services-key", default="/services", show_default=True, help="Of the keys for templates.")
@click.option(
    "--drain", default="2s", show_default=True, help="How long COMMAND serves on after it has left."
)
@click.option(
    "--restart", type=click.Choice(RESTARTS), default="on-failure", show_default=True, help="COMMAND."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def register(*, options: AgentOptions, name: str, command: tuple[str, ...], restart: str, **rest: Any) -> int:
    """Put a service into DNS, proxy and templates at once, under one lease, while its check holds.

    With COMMAND, start the service, keep it running, and end with its exit status.
    """
    try:
        service = _service(name, rest)
        places = make_places(
            dns=rest["path_prefix"],
            domain=rest["domain"],
            proxy=rest["etcd_key"],
            services=rest["services_key"],
        )
    except RegisterError as error:
        raise ConfigError(str(error)) from error
    # A program that has just begun does not listen yet.
    target = rest["check"] or (str(service.address) if command and not rest["check_cmd"] else None)
    check = _check(target, rest["check_cmd"])
    interval_s, drain_s = _seconds(rest, "interval"), _seconds(rest, "drain")
    if interval_s < INTERVAL_S_MIN:
        raise ConfigError(f"--interval: checks {interval_s:g} s apart", f"give at least {INTERVAL_S_MIN:g}s")
    gate = Gate(rise=max(1, rest["rise"]), fall=max(1, rest["fall"]))
    status = 0

    async def run(context: AgentContext) -> None:
        nonlocal status
        program = Program(command, restart=restart, log=context.log) if command else None
        registration = Registration(
            context,
            service,
            places,
            check=check,
            interval_s=interval_s,
            gate=gate,
            program=program,
            drain_s=drain_s,
            host=options.host,
        )
        try:
            await registration.run()
        except RegisterError as error:
            raise ConfigError(str(error)) from error
        status = registration.exit_status

    # Several services of one host have a status key each.
    named = dataclasses.replace(options, host=f"{options.host}/{service.name}/{service.instance}")
    return run_agent("register", named, run) or status


def _service(name: str, rest: dict[str, Any]) -> Service:
    return make_service(
        name,
        Address.parse(rest["address"], flag="--address"),
        instance=rest["instance"],
        scheme=rest["scheme"],
        weight=rest["weight"],
        tags=rest["tags"],
        ttl_s=max(1, round(_seconds(rest, "ttl"))),
    )


def _check(target: str | None, command: str | None) -> Check | None:
    if target and command:
        raise ConfigError("--check and --check-cmd are two checks", "give one of them")
    if command:
        return read_check({"cmd": ["sh", "-c", command]}, where="--check-cmd")
    if not target:
        return None
    kind = {"http": target} if "://" in target else {"tcp": target.removeprefix("tcp:")}
    return read_check(kind, where="--check")


def _seconds(rest: dict[str, Any], flag: str) -> float:
    try:
        return parse_duration_s(rest[flag])
    except ValueError as error:
        raise ConfigError(f"--{flag}: {error}") from error
