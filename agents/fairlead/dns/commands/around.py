"""The flags of ``fairlead dns run`` about what surrounds the answers from keys."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from fairlead.agent import ConfigError
from fairlead.dns.choose.settings import ChooseSettings
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
    choose: ChooseSettings
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
    click.option(
        "--tiers", is_flag=True, help="Answer addresses of the least priority only, while one of them lives."
    ),
    click.option(
        "--slow-start",
        default=0.0,
        show_default=True,
        metavar="SECONDS",
        help="Give new records their share of first places bit by bit.",
    ),
    click.option(
        "--answers-max",
        default=0,
        show_default=True,
        metavar="N",
        help="Send so many records of a pool over UDP, by turns, and never TC; 0: all of them.",
    ),
)


_NAMES: Final = (
    "nameservers", "no_rec", "ndots", "no_stubzones", "stubzones", "cache_size", "serve_stale", "stale_after", "stale_ttl",
    "freeze_leases", "deletion_guard", "tiers", "slow_start", "answers_max",
)  # fmt: skip


def around_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a click command, and hand them over as ``around: AroundOptions``."""

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        said = {name: values.pop(name) for name in _NAMES}
        return function(around=_options(said), **values)

    decorated: Callable[..., Any] = command
    for flag in reversed(_FLAGS):
        decorated = flag(decorated)
    return decorated


def _options(said: Mapping[str, Any]) -> AroundOptions:
    if not 0 < said["deletion_guard"] <= 100:
        raise ConfigError(f"--deletion-guard {said['deletion_guard']:g} is no share", "give 1 to 100 percent")
    for name, value in said.items():
        if isinstance(value, int | float) and value < 0:
            raise ConfigError(f"--{name.replace('_', '-')} cannot be negative", "give 0 or more")
    texts = [part.strip() for part in (said["nameservers"] or "").split(",") if part.strip()]
    return AroundOptions(
        forward=ForwardSettings(
            nameservers=parse_nameservers(texts),
            no_rec=said["no_rec"],
            has_stubs=not said["no_stubzones"],
            limits=ForwardLimits(cache_bytes_max=said["cache_size"] * _MIB, stale_s_max=said["serve_stale"]),
        ),
        outage=OutageSettings(
            stale_after_s=said["stale_after"], ttl_s=said["stale_ttl"], leased_s_max=said["freeze_leases"]
        ),
        guard=GuardSettings(share_max=said["deletion_guard"] / 100),
        choose=ChooseSettings(
            is_tiered=said["tiers"], slow_start_s=said["slow_start"], answers_max=said["answers_max"]
        ),
        ndots=said["ndots"],
    )
