"""``fairlead dns run``: the server itself."""

import functools
from pathlib import Path

import click

from fairlead.agent import Address, AgentOptions, ConfigError, common_options, run_agent
from fairlead.dns.agent import serve
from fairlead.dns.commands.around import AroundOptions, around_options
from fairlead.dns.commands.serving_options import serving_options
from fairlead.dns.commands.transfer import transfer_options
from fairlead.dns.commands.zones import name_of, parts_of, zones_of
from fairlead.dns.config import DnsConfig
from fairlead.dns.dialect import DIALECTS
from fairlead.dns.serving import Serving
from fairlead.dns.transfer import TransferSettings


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
    metavar="ZONE|CIDR[,...]",
    help="What to have authority over; a network means its reverse zones.",
)
@click.option(
    "--exact",
    metavar="ZONE|CIDR[,...]",
    help="Of --domain, what to read as plain DNS: a name is answered from its own key alone.",
)
@click.option("--local", metavar="NAME", help="What local.dns.ZONE stands for on this host.")
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
@click.option(
    "--dnssec-keys", metavar="DIR", help='Sign the zones that have keys here; see "fairlead dns keys".'
)
@click.option("--data-dir", metavar="DIR", help="Keep a copy here, to serve from while the store is down.")
@serving_options
@transfer_options
@around_options
def run(
    *,
    options: AgentOptions,
    listen: str,
    domain: str,
    exact: str | None,
    local: str | None,
    path_prefix: str,
    dialect: str,
    dnssec_keys: str | None,
    data_dir: str | None,
    serving: Serving,
    transfer: TransferSettings,
    around: AroundOptions,
) -> int:
    """Answer DNS from SkyDNS's keys, over UDP and TCP, TLS and HTTPS."""
    zones = zones_of(domain, flag="--domain")
    exact_zones = frozenset(zones_of(exact, flag="--exact") if exact else ())
    if not exact_zones <= set(zones):
        raise ConfigError("--exact names a zone that --domain does not", "name it in both")
    addresses = tuple(Address.parse(text, flag="--listen") for text in parts_of(listen, flag="--listen"))
    for ours in set(addresses) & set(around.forward.nameservers):
        raise ConfigError(f"--nameservers names ourselves: {ours}", "name the servers that know the rest")
    config = DnsConfig(
        listen=addresses,
        zones=zones,
        exact_zones=exact_zones,
        local=name_of(local, flag="--local") if local else None,
        path_prefix=path_prefix,
        dialect=DIALECTS[dialect],
        dnssec_keys=Path(dnssec_keys) if dnssec_keys else None,
        transfer=transfer,
        data_dir=Path(data_dir) if data_dir else None,
        forward=around.forward,
        outage=around.outage,
        guard=around.guard,
        choose=around.choose,
        ndots=around.ndots,
        serving=serving,
    )
    return run_agent("dns", options, functools.partial(serve, config=config))
