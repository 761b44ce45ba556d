"""How a one-shot command finds the store: its options, and the client made of them."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead.cli.errors import CliError
from fairlead.client import Client, Credentials, Tls

DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
_TIMEOUT_S = 5.0


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --endpoints, TLS and --user; the command gets ``connect``, which makes a ``Client``."""
    options = (
        click.option(
            "--endpoints",
            envvar="FAIRLEAD_ENDPOINTS",
            default=DEFAULT_ENDPOINT,
            show_default=True,
            metavar="URL[,URL]",
            help="Where the store is.",
        ),
        click.option(
            "--cacert", envvar="FAIRLEAD_CACERT", metavar="FILE", help="Authority of its certificate."
        ),
        click.option("--cert", envvar="FAIRLEAD_CERT", metavar="FILE", help="Our certificate."),
        click.option("--key", "key_file", envvar="FAIRLEAD_KEY", metavar="FILE", help="Its key."),
        click.option("--user", envvar="FAIRLEAD_USER", metavar="NAME:PASSWORD", help="User of the store."),
    )

    @functools.wraps(function)
    def command(
        *,
        endpoints: str,
        cacert: str | None,
        cert: str | None,
        key_file: str | None,
        user: str | None,
        **values: Any,
    ) -> Any:
        def connect() -> Client:
            return Client(
                [endpoint for endpoint in endpoints.split(",") if endpoint.strip()],
                tls=_tls(cacert=cacert, cert=cert, key=key_file),
                credentials=Credentials.parse(user) if user else None,
                timeout_s=_TIMEOUT_S,
            )

        return function(connect=connect, **values)

    decorated: Callable[..., Any] = command
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _tls(**files: str | None) -> Tls | None:
    given = {name: Path(file) for name, file in files.items() if file}
    for name, path in given.items():
        if not os.access(path, os.R_OK):
            raise CliError(f"cannot read {path}; check --{name}")
    if not given:
        return None
    return Tls(ca=given.get("cacert"), cert=given.get("cert"), key=given.get("key"))
