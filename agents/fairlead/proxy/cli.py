"""``fairlead proxy``."""

import dataclasses
import functools
from pathlib import Path

import click

from fairlead.agent import Address, AgentOptions, ConfigError, common_options, listen_error, run_agent
from fairlead.logs import configure_logs
from fairlead.proxy.agent import serve
from fairlead.proxy.config import ProxyConfig
from fairlead.proxy.model import Listener
from fairlead.proxy.workers import Supervisor, worker_number


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
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes; one for each core.",
)
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
    number = worker_number()
    if workers > 1 and number is None:
        return _supervise(options, config, workers)
    if number is not None:
        options, config = _for_worker(options, config, number)
    # A successor serves its metrics while its predecessor still does.
    options = dataclasses.replace(options, metrics_is_shared=True)
    return run_agent("proxy", options, functools.partial(serve, config=config))


def _supervise(options: AgentOptions, config: ProxyConfig, workers: int) -> int:
    configure_logs(level=options.log_level, form=options.log_format)
    listener = Listener(id="", host=config.listen.host, port=config.listen.port)
    try:
        supervisor = Supervisor(listener, workers)
    except OSError as error:
        raise listen_error(error, config.listen, flag="--listen") from error
    return supervisor.run()


def _for_worker(options: AgentOptions, config: ProxyConfig, number: int) -> tuple[AgentOptions, ProxyConfig]:
    """What each worker has for itself: the port of its metrics, its copy of the keys, its status key."""
    metrics = options.metrics_listen
    if metrics is not None and metrics.port:
        metrics = dataclasses.replace(metrics, port=metrics.port + number)
    data_dir = config.data_dir / f"worker-{number}" if config.data_dir is not None else None
    options = dataclasses.replace(options, metrics_listen=metrics, host=f"{options.host}.{number}")
    return options, dataclasses.replace(config, data_dir=data_dir, is_worker=True)
