"""The flags of ``fairlead proxy run`` about other proxies before this one."""

import functools
from collections.abc import Callable
from typing import Any, Final

import click

from fairlead.agent import Networks, networks_of
from fairlead.proxy.forwarding import TRUSTED_HEADERS, Forwarding

_OPTIONS: Final = (
    click.option(
        "--trusted-proxies",
        metavar="CIDR[,...]",
        help="Proxies before this one: what they say of the client is believed, and of nobody else.",
    ),
    click.option(
        "--trusted-header",
        type=click.Choice([each.decode() for each in TRUSTED_HEADERS]),
        default=TRUSTED_HEADERS[0].decode(),
        show_default=True,
        help="Where they say it.",
    ),
    click.option(
        "--forwarded", is_flag=True, help="Send Forwarded (RFC 7239) to servers, beside X-Forwarded-*."
    ),
)


def forwarding_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags, and hand them over as ``forwarding``."""

    @functools.wraps(function)
    def command(
        *, trusted_proxies: str | None, trusted_header: str, forwarded: bool, **values: object
    ) -> object:
        networks = networks_of(trusted_proxies, flag="--trusted-proxies") if trusted_proxies else ()
        forwarding = Forwarding(
            proxies=Networks(networks) if networks else None,
            header=trusted_header.encode(),
            writes_forwarded=forwarded,
        )
        return function(forwarding=forwarding, **values)

    decorated: Callable[..., Any] = command
    for add in reversed(_OPTIONS):
        decorated = add(decorated)
    return decorated
