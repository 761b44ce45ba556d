"""``fairlead proxy run``: the proxy itself."""

import dataclasses
import functools
from pathlib import Path

import click

from fairlead.agent import Address, AgentOptions, ConfigError, common_options, listen_error, run_agent
from fairlead.logs import configure_logs
from fairlead.proxy.access_log import FORMATS
from fairlead.proxy.admin import check_closed
from fairlead.proxy.agent import serve
from fairlead.proxy.aliases import Alias, parse_alias
from fairlead.proxy.ambiguity import ALL, KINDS
from fairlead.proxy.commands.asking import read_token
from fairlead.proxy.commands.forwarding_options import forwarding_options
from fairlead.proxy.config import ProxyConfig
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.model import Listener
from fairlead.proxy.workers import Supervising, Supervisor, desk_path, worker_number


@click.command(name="run")
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
    help="traefik: read Traefik's keys too, those of its KV store provider.",
)
@click.option(
    "--traefik-key", default="traefik", show_default=True, metavar="PREFIX", help="Traefik's root key."
)
@click.option(
    "--aliases",
    multiple=True,
    metavar="MATCHER=MATCHER",
    help="What stands on the left in routes may as well be what is on the right; may be given again.",
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
    "--refuse-paths",
    multiple=True,
    type=click.Choice([*KINDS, ALL]),
    help="Answer 400 to paths that servers may read in another way; may be given again.",
)
@click.option(
    "--clean-paths/--raw-paths",
    default=None,
    help="Take //, /./ and /../ out of paths first; with --layout traefik that is the default.",
)
@click.option(
    "--seal-key-file", metavar="FILE", help="The key that opens hosts' certificates: 64 hexadecimal digits."
)
@click.option("--access-log-format", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option(
    "--admin-listen", metavar="HOST:PORT", help="Serve operators here: /, /routes, /explain, /top, /v2/..."
)
@click.option(
    "--admin-token-file", metavar="FILE", help="What they have to bring: Authorization: Bearer TOKEN."
)
@click.option(
    "--rollback-guard",
    "guard_s",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Take a change back when answers turn bad within so long; 0: never.",
)
@click.option(
    "--rollback-jump",
    "guard_jump",
    type=click.FloatRange(0.01, 1),
    default=0.2,
    show_default=True,
    help="By how much the part of 5xx must have grown.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes; one for each core.",
)
@forwarding_options
def run(
    *,
    options: AgentOptions,
    listen: str,
    etcd_key: str,
    layout: str,
    traefik_key: str,
    aliases: tuple[str, ...],
    data_dir: str | None,
    access_log: str | None,
    dns_prefix: str,
    dns_domain: str,
    zone: str,
    refuse_paths: tuple[str, ...],
    clean_paths: bool | None,
    seal_key_file: str | None,
    access_log_format: str,
    admin_listen: str | None,
    admin_token_file: str | None,
    guard_s: float,
    guard_jump: float,
    workers: int,
    forwarding: Forwarding,
) -> int:
    """Route HTTP to servers by vulcand's keys, a whole store revision at a time."""
    if not etcd_key.strip("/"):
        raise ConfigError("--etcd-key is empty", "give the prefix of the keys, such as /vulcand")
    config = ProxyConfig(
        listen=Address.parse(listen, flag="--listen"),
        etcd_key=etcd_key,
        data_dir=Path(data_dir) if data_dir else None,
        access_log=access_log,
        access_log_format=access_log_format,
        admin_listen=Address.parse(admin_listen, flag="--admin-listen") if admin_listen else None,
        admin_token=read_token(admin_token_file) if admin_token_file else "",
        guard_s=guard_s,
        guard_jump=guard_jump,
        dns_prefix=dns_prefix,
        dns_domain=dns_domain,
        traefik_key=traefik_key.strip("/") if layout == "traefik" else "",
        zone=zone,
        refused_paths=tuple(KINDS) if ALL in refuse_paths else refuse_paths,
        cleans_paths=layout == "traefik" if clean_paths is None else clean_paths,
        aliases=tuple(_alias(each) for each in aliases),
        seal_key_file=Path(seal_key_file) if seal_key_file else None,
        forwarding=forwarding,
    )
    if config.admin_listen is not None:
        check_closed(config.admin_listen, token=config.admin_token)
    return _start(options, config, workers)


def _start(options: AgentOptions, config: ProxyConfig, workers: int) -> int:
    """Be the proxy, the supervisor of several, or one of those."""
    number = worker_number()
    if workers > 1 and number is None:
        return _supervise(options, config, workers)
    if number is not None:
        options, config = _for_worker(options, config, number, workers)
    # A successor serves its metrics while its predecessor still does.
    options = dataclasses.replace(options, metrics_is_shared=True)
    return run_agent("proxy", options, functools.partial(serve, config=config))


def _alias(text: str) -> Alias:
    try:
        return parse_alias(text)
    except KeyProblem as problem:
        raise ConfigError(f"--aliases {text!r}: {problem}", 'give Host("a")=Host("b")') from problem


def _supervise(options: AgentOptions, config: ProxyConfig, workers: int) -> int:
    configure_logs(level=options.log_level, form=options.log_format)
    listener = Listener(id="", host=config.listen.host, port=config.listen.port)
    try:
        how = Supervising(
            count=workers,
            metrics_listen=options.metrics_listen,
            admin_listen=config.admin_listen,
            admin_token=config.admin_token,
        )
        supervisor = Supervisor(listener, how)
    except OSError as error:
        raise listen_error(error, config.listen, flag="--listen") from error
    return supervisor.run()


def _for_worker(
    options: AgentOptions, config: ProxyConfig, number: int, workers: int
) -> tuple[AgentOptions, ProxyConfig]:
    """What each worker has for itself: its copy of the keys, its status key, and no address of the operators'."""
    data_dir = config.data_dir / f"worker-{number}" if config.data_dir is not None else None
    options = dataclasses.replace(options, metrics_listen=None, host=f"{options.host}.{number}")
    return options, dataclasses.replace(config, data_dir=data_dir, workers=workers, desk=desk_path())
