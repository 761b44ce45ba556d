"""``fairlead dns run``: the server itself."""

import functools
from pathlib import Path

import click

from fairlead.agent import Address, AgentOptions, ConfigError, common_options, run_agent
from fairlead.dns import names
from fairlead.dns.agent import serve
from fairlead.dns.config import DnsConfig
from fairlead.dns.dialect import DIALECTS
from fairlead.dns.errors import BadNameError
from fairlead.dns.names import Name


@click.command(name="run")
@common_options("dns")
@click.option(
    "--listen",
    default="127.0.0.1:5353",
    show_default=True,
    metavar="HOST:PORT[,...]",
    help="Answer here, over UDP and TCP.",
)
@click.option(
    "--domain",
    default="skydns.local.",
    show_default=True,
    metavar="ZONE[,ZONE]",
    help="What to have authority over; names outside are refused.",
)
@click.option(
    "--path-prefix", default="skydns", show_default=True, help="Where the records are in the store."
)
@click.option(
    "--dialect",
    type=click.Choice(sorted(DIALECTS)),
    default="skydns",
    show_default=True,
    help="Whose reading of the keys to follow where the two differ.",
)
@click.option("--data-dir", metavar="DIR", help="Keep a copy here, to serve from while the store is down.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes; only 1 for now.")
@click.option("--nameservers", metavar="HOST:PORT[,...]", help="Not built yet: names outside are refused.")
@click.option("--no-rec", is_flag=True, help="Never forward; what this server does in any case.")
def run(
    *,
    options: AgentOptions,
    listen: str,
    domain: str,
    path_prefix: str,
    dialect: str,
    data_dir: str | None,
    workers: int,
    nameservers: str | None,
    no_rec: bool,
) -> int:
    """Answer DNS from SkyDNS's keys, over UDP and TCP."""
    del no_rec  # accepted, since scripts that start SkyDNS give it
    if workers != 1:
        raise ConfigError(f"--workers {workers} is not possible yet", "leave it out, or give 1")
    if nameservers:
        raise ConfigError(
            "--nameservers: forwarding is not built yet",
            "leave it out; names outside --domain are answered REFUSED",
        )
    config = DnsConfig(
        listen=tuple(Address.parse(text, flag="--listen") for text in _parts(listen, flag="--listen")),
        zones=tuple(dict.fromkeys(_zone(text) for text in _parts(domain, flag="--domain"))),
        path_prefix=path_prefix,
        dialect=DIALECTS[dialect],
        data_dir=Path(data_dir) if data_dir else None,
    )
    return run_agent("dns", options, functools.partial(serve, config=config))


def _parts(text: str, *, flag: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError(f"{flag} is empty", "give at least one, or leave the flag out")
    return parts


def _zone(text: str) -> Name:
    try:
        return names.from_text(text)
    except BadNameError as error:
        raise ConfigError(f"--domain: {text!r} is no name: {error}", "write it as skydns.local.") from error
