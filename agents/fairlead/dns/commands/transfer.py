"""The flags of ``fairlead dns run`` about whole zones for secondaries."""

import functools
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from fairlead.agent import Address, ConfigError
from fairlead.dns.commands.zones import parts_of
from fairlead.dns.transfer import Keyring, TransferSettings, TsigKeyError
from fairlead.dns.transfer.settings import Network

_PORT: Final = 53

_FLAGS: Final = (
    click.option(
        "--transfer-to", metavar="IP|CIDR[,...]", help="Who may have whole zones (AXFR); nobody without it."
    ),
    click.option(
        "--transfer-keys",
        metavar="FILE",
        help="Whole zones only to queries signed by one of these (TSIG): lines of NAME hmac-sha256 BASE64.",
    ),
    click.option(
        "--notify", metavar="IP[:PORT][,...]", help="Secondaries to tell of every change (NOTIFY); port 53."
    ),
)


def transfer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` the flags, and what they say as ``transfer``."""

    @functools.wraps(command)
    def with_transfer(
        *, transfer_to: str | None, transfer_keys: str | None, notify: str | None, **rest: Any
    ) -> Any:
        settings = TransferSettings(
            allowed=tuple(map(_network, parts_of(transfer_to, flag="--transfer-to"))) if transfer_to else (),
            keyring=_keyring(transfer_keys) if transfer_keys else Keyring(),
            secondaries=tuple(map(_secondary, parts_of(notify, flag="--notify"))) if notify else (),
        )
        return command(transfer=settings, **rest)

    for flag in reversed(_FLAGS):
        with_transfer = flag(with_transfer)
    return with_transfer


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"--transfer-to: {error}", "write 10.0.0.53 or 10.0.0.0/24") from error


def _keyring(path: str) -> Keyring:
    try:
        return Keyring.read(Path(path))
    except TsigKeyError as error:
        raise ConfigError(str(error), "check --transfer-keys") from error


def _secondary(text: str) -> Address:
    host = text.strip().removeprefix("[").removesuffix("]")
    try:
        return Address(host=str(ipaddress.ip_address(host)), port=_PORT)
    except ValueError:
        address = Address.parse(text, flag="--notify")
    try:
        ipaddress.ip_address(address.host)
    except ValueError as error:
        raise ConfigError(f"--notify: {error}", "write an address: 10.0.0.53:53") from error
    return address
