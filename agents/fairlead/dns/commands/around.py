"""The flags of ``fairlead dns run`` about what surrounds the answers from keys."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from fairlead.agent import ConfigError
from fairlead.dns.forward import ForwardLimits, ForwardSettings, parse_nameservers
from fairlead.dns.guard import GuardSettings
from fairlead.dns.outage import OutageSettings

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundOptions:
    """What the flags say."""

    forward: ForwardSettings
    outage: OutageSettings
    guard: GuardSettings
    ndots: int


_FLAGS: Final = (
    click.option(
        "--nameservers",
        metavar="IP[:PORT][,...]|FILE",
        help="Forward names outside the zones to these; a file is read as /etc/resolv.conf is.",
    ),
    click.option("--no-rec", is_flag=True, help="Never forward, but to stub zones."),
    click.option("--ndots", default=2, show_default=True, help="Names outside of fewer labels lead nowhere."),
    click.option("--no-stubzones", is_flag=True, help="Do not read stub zones from keys."),
    click.option("--stubzones", is_flag=True, hidden=True),  # SkyDNS's; here the default
    click.option(
        "--cache-size",
        default=32,
        show_default=True,
        metavar="MIB",
        help="Memory for what other servers have said.",
    ),
    click.option(
        "--serve-stale",
        default=86400.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a forwarded answer may be given after its end when no upstream answers; 0: never.",
    ),
    click.option(
        "--stale-after",
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="Silence of the store after which answers have short TTLs and say why (EDE 3).",
    ),
    click.option(
        "--stale-ttl", default=30, show_default=True, metavar="SECONDS", help="The longest TTL then."
    ),
    click.option(
        "--freeze-leases",
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="How long records on leases are served while the store is silent; 0: as long as it takes.",
    ),
    click.option(
        "--deletion-guard",
        default=30.0,
        show_default=True,
        metavar="PERCENT",
        help="Keep serving what a zone loses if it is more than this within a second; 100: never.",
    ),
)


def around_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a click command, and hand them over as ``around: AroundOptions``."""

    @functools.wraps(function)
    def command(
        *,
        nameservers: str | None,
        no_rec: bool,
        ndots: int,
        no_stubzones: bool,
        stubzones: bool,
        cache_size: int,
        serve_stale: float,
        stale_after: float,
        stale_ttl: int,
        freeze_leases: float,
        deletion_guard: float,
        **others: Any,
    ) -> Any:
        del stubzones
        if not 0 < deletion_guard <= 100:
            raise ConfigError(f"--deletion-guard {deletion_guard:g} is no share", "give 1 to 100 percent")
        if min(cache_size, serve_stale, stale_after, stale_ttl, freeze_leases, ndots) < 0:
            raise ConfigError("sizes, times and counts cannot be negative", "check the flags")
        limits = ForwardLimits(cache_bytes_max=cache_size * _MIB, stale_s_max=serve_stale)
        texts = [part.strip() for part in (nameservers or "").split(",") if part.strip()]
        around = AroundOptions(
            forward=ForwardSettings(
                nameservers=parse_nameservers(texts),
                no_rec=no_rec,
                has_stubs=not no_stubzones,
                limits=limits,
            ),
            outage=OutageSettings(stale_after_s=stale_after, ttl_s=stale_ttl, leased_s_max=freeze_leases),
            guard=GuardSettings(share_max=deletion_guard / 100),
            ndots=ndots,
        )
        return function(around=around, **others)

    decorated: Callable[..., Any] = command
    for flag in reversed(_FLAGS):
        decorated = flag(decorated)
    return decorated
