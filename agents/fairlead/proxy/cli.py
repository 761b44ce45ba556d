"""``fairlead proxy``."""

import functools
from pathlib import Path

import click

from fairlead.agent import Address, AgentOptions, ConfigError, common_options, run_agent
from fairlead.proxy.agent import serve
from fairlead.proxy.config import ProxyConfig


@click.command()
@common_options("proxy")
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT", help="Serve clients here."
)
@click.option(
    "--etcd-key",
    default="/vulcand",
    show_default=True,
    metavar="PREFIX",
    help="Where the routes are in the store, with or without the leading slash there.",
)
@click.option(
    "--layout",
    type=click.Choice(["vulcand", "traefik"]),
    default="vulcand",
    show_default=True,
    help="Whose keys to read; only vulcand's for now.",
)
@click.option("--data-dir", metavar="DIR", help="Keep a copy here, to serve from while the store is down.")
@click.option("--access-log", metavar="FILE", help="Append one JSON line per request; - is standard output.")
@click.option(
    "--dns-prefix",
    default="/skydns",
    show_default=True,
    metavar="PREFIX",
    help="Where the records are of backends that are DNS names (dns:web.svc).",
)
@click.option(
    "--dns-domain", default="skydns.local", show_default=True, metavar="NAME", help="What those names end in."
)
@click.option("--zone", default="", metavar="NAME", help="Where this proxy is; servers there are preferred.")
@click.option(
    "--seal-key-file", metavar="FILE", help="The key that opens hosts' certificates: 64 hexadecimal digits."
)
@click.option("--admin-listen", metavar="HOST:PORT", help="Not built yet.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes; only 1 for now.")
def proxy(
    *,
    options: AgentOptions,
    listen: str,
    etcd_key: str,
    layout: str,
    data_dir: str | None,
    access_log: str | None,
    dns_prefix: str,
    dns_domain: str,
    zone: str,
    seal_key_file: str | None,
    admin_listen: str | None,
    workers: int,
) -> int:
    """Route HTTP to servers by vulcand's keys, a whole store revision at a time."""
    if workers != 1:
        raise ConfigError(f"--workers {workers} is not possible yet", "leave it out, or give 1")
    if layout != "vulcand":
        raise ConfigError(f"--layout {layout} is not built yet", "leave it out, or give vulcand")
    if admin_listen:
        raise ConfigError(
            "--admin-listen is not built yet", "leave it out; --metrics-listen has the health pages"
        )
    if not etcd_key.strip("/"):
        raise ConfigError("--etcd-key is empty", "give the prefix of the keys, such as /vulcand")
    config = ProxyConfig(
        listen=Address.parse(listen, flag="--listen"),
        etcd_key=etcd_key,
        data_dir=Path(data_dir) if data_dir else None,
        access_log=access_log,
        dns_prefix=dns_prefix,
        dns_domain=dns_domain,
        zone=zone,
        seal_key_file=Path(seal_key_file) if seal_key_file else None,
    )
    return run_agent("proxy", options, functools.partial(serve, config=config))
