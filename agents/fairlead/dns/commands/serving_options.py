"""The flags of ``fairlead dns run`` that say how clients are served."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from fairlead.agent import EVERYWHERE, LOOPBACK, Address, ConfigError, networks_of
from fairlead.dns.commands.zones import parts_of
from fairlead.dns.rate_limit import RateLimits
from fairlead.dns.serving import Serving

_OPTIONS: Final = (
    click.option("--listen-tls", metavar="HOST:PORT[,...]", help="Answer DNS over TLS here (RFC 7858)."),
    click.option(
        "--listen-https", metavar="HOST:PORT[,...]", help="Answer DNS over HTTPS here, at /dns-query."
    ),
    click.option("--tls-cert", metavar="FILE", help="Certificate for both (PEM)."),
    click.option("--tls-key", metavar="FILE", help="Its key (PEM)."),
    click.option(
        "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer."
    ),
    click.option(
        "--allow",
        default=",".join(EVERYWHERE),
        show_default=True,
        metavar="CIDR[,...]",
        help="Whom to answer.",
    ),
    click.option(
        "--rrl",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        metavar="N",
        help="Equal responses a second to one network over UDP; 0: any number.",
    ),
    click.option(
        "--rrl-slip",
        type=click.IntRange(0),
        default=2,
        show_default=True,
        metavar="N",
        help="Of those beyond, send every N-th truncated; 0: none.",
    ),
    click.option(
        "--queries-per-client",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        metavar="N",
        help="Queries a second of one address over UDP; 0: any number.",
    ),
    click.option(
        "--rrl-exempt",
        default=",".join(LOOPBACK),
        show_default=True,
        metavar="CIDR[,...]",
        help="Whom neither rate concerns.",
    ),
    click.option("--rrl-log-only", is_flag=True, help="Count what would be dropped, and send it."),
    click.option(
        "--log-queries",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        metavar="SHARE",
        help="Log this part of the queries.",
    ),
    click.option(
        "--nsid", default="", metavar="TEXT", help="What to call this server for those who ask (NSID)."
    ),
    click.option("--hide-version", is_flag=True, help="Do not answer version.bind."),
    click.option(
        "--lameduck",
        type=click.FloatRange(0, 25),
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="Go on answering for so long after /readyz has closed.",
    ),
)


def serving_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags, and hand them over as ``serving``."""

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        mine = {name: values.pop(name) for name in _NAMES}
        return function(serving=_serving(mine), **values)

    decorated: Callable[..., Any] = command
    for add in reversed(_OPTIONS):
        decorated = add(decorated)
    return decorated


_NAMES: Final = (
    "listen_tls", "listen_https", "tls_cert", "tls_key", "workers", "allow", "rrl", "rrl_slip", "queries_per_client",
    "rrl_exempt", "rrl_log_only", "log_queries", "nsid", "hide_version", "lameduck",
)  # fmt: skip


def _serving(values: dict[str, Any]) -> Serving:
    listen_tls = _addresses(values["listen_tls"], flag="--listen-tls")
    listen_https = _addresses(values["listen_https"], flag="--listen-https")
    if (listen_tls or listen_https) and not (values["tls_cert"] and values["tls_key"]):
        raise ConfigError(
            "--listen-tls and --listen-https need a certificate", "give --tls-cert and --tls-key"
        )
    return Serving(
        listen_tls=listen_tls,
        listen_https=listen_https,
        tls_cert=Path(values["tls_cert"]) if values["tls_cert"] else None,
        tls_key=Path(values["tls_key"]) if values["tls_key"] else None,
        workers=values["workers"],
        allowed=networks_of(values["allow"], flag="--allow"),
        rates=RateLimits(
            responses_per_s=values["rrl"],
            queries_per_s=values["queries_per_client"],
            slip=values["rrl_slip"],
            exempt=networks_of(values["rrl_exempt"], flag="--rrl-exempt"),
            is_log_only=values["rrl_log_only"],
        ),
        log_share=values["log_queries"],
        identity=values["nsid"],
        tells_version=not values["hide_version"],
        lameduck_s=values["lameduck"],
    )


def _addresses(text: str | None, *, flag: str) -> tuple[Address, ...]:
    return tuple(Address.parse(part, flag=flag) for part in parts_of(text, flag=flag)) if text else ()
