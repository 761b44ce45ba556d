"""``fairlead dns keys``: the keys that sign zones."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from fairlead.agent import ConfigError
from fairlead.dns import names
from fairlead.dns.commands.zones import name_of
from fairlead.dns.dnssec import (
    Algorithm,
    KeyFileError,
    KeyFolder,
    Keys,
    RolloverError,
    SigningKey,
    SigningLimits,
    Step,
)
from fairlead.dns.dnssec.rollover import advance, first, newest, wanted_by_parent
from fairlead.dns.names import Name

ALGORITHMS = {"ecdsap256sha256": Algorithm.ECDSAP256SHA256, "ed25519": Algorithm.ED25519}
Command = TypeVar("Command", bound=Callable[..., object])


def _folder_option(command: Command) -> Command:
    return click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path),
        required=True,
        help="Where the keys are: --dnssec-keys.",
    )(command)


def _algorithm_option(command: Command) -> Command:
    return click.option(
        "--algorithm",
        type=click.Choice(sorted(ALGORITHMS)),
        default="ecdsap256sha256",
        show_default=True,
        help="Of the new key.",
    )(command)


@click.group()
def keys() -> None:
    """Make, show and roll over the keys that sign zones.

    A running server takes up what changes within seconds.  Servers that answer for one zone need the same key files.
    """


@keys.command()
@click.argument("zone")
@_folder_option
@_algorithm_option
def generate(*, zone: str, folder: Path, algorithm: str) -> int:
    """Make the first key of ZONE."""
    name = name_of(zone, flag="ZONE")
    store = KeyFolder(folder)
    if _read(store, name):
        raise ConfigError(f"{names.to_text(name)} has keys already", "see them with: fairlead dns keys list")
    step = first(SigningKey.generate(ALGORITHMS[algorithm]), now_s=int(time.time()))
    _take(store, name, step)
    return 0


@keys.command()
@click.argument("zone")
@_folder_option
@_algorithm_option
@click.option("--force", is_flag=True, help="Do not wait for what others may remember.")
def roll(*, zone: str, folder: Path, algorithm: str, force: bool) -> int:
    """Go one step further with a new key for ZONE.

    It says what to do next.  Three steps: the new key is published; it takes over; the old one goes.
    """
    name = name_of(zone, flag="ZONE")
    store = KeyFolder(folder)
    held = _read(store, name)
    if not held:
        raise ConfigError(
            f"{names.to_text(name)} has no keys", f"make one: fairlead dns keys generate {zone}"
        )
    try:
        step = advance(
            held,
            make=lambda: SigningKey.generate(ALGORITHMS[algorithm]),
            now_s=int(time.time()),
            limits=SigningLimits(),
            force=force,
        )
    except RolloverError as error:
        raise ConfigError(str(error), "roll again later") from error
    _take(store, name, step)
    return 0


@keys.command(name="list")
@_folder_option
def list_keys(*, folder: Path) -> int:
    """List every key, and what it does."""
    try:
        found = KeyFolder(folder).read_all()
    except KeyFileError as error:
        raise ConfigError(str(error), "see fairlead dns keys --help") from error
    for zone, held in sorted(found.items()):
        for key in held:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(key.since_s))
            click.echo(
                f"{names.to_text(zone)} {key.key.tag} {key.key.algorithm.name.lower()} {key.state.value} since {since}"
            )
    return 0


@keys.command()
@click.argument("zone")
@_folder_option
@click.option("--dnskey", is_flag=True, help="Print DNSKEY records instead, as a trust anchor.")
def ds(*, zone: str, folder: Path, dnskey: bool) -> int:
    """Print the DS record that ZONE's parent is to have now."""
    name = name_of(zone, flag="ZONE")
    held = _read(KeyFolder(folder), name)
    if not held:
        raise ConfigError(
            f"{names.to_text(name)} has no keys", f"make one: fairlead dns keys generate {zone}"
        )
    if dnskey:
        for key in held:
            click.echo(_dnskey_text(name, key.key))
    else:
        now_s, limits = time.time(), SigningLimits()
        click.echo(_ds_text(name, wanted_by_parent(held, now_s=now_s, limits=limits)))
    return 0


def _read(folder: KeyFolder, zone: Name) -> Keys:
    try:
        return folder.read(zone)
    except KeyFileError as error:
        raise ConfigError(str(error), "see fairlead dns keys --help") from error


def _take(folder: KeyFolder, zone: Name, step: Step) -> None:
    try:
        folder.write(zone, step.keys)
    except KeyFileError as error:
        raise ConfigError(str(error), "check --dir") from error
    click.echo(step.done)
    click.echo(_ds_text(zone, newest(step.keys)))
    click.echo(f"next: {step.next}")


def _ds_text(zone: Name, key: SigningKey) -> str:
    data = key.ds(zone)
    return f"{names.to_text(zone)} IN DS {key.tag} {key.algorithm.value} {data[3]} {data[4:].hex().upper()}"


def _dnskey_text(zone: Name, key: SigningKey) -> str:
    data = key.dnskey
    point = base64.b64encode(data[4:]).decode()
    return f"{names.to_text(zone)} IN DNSKEY {int.from_bytes(data[:2], 'big')} {data[2]} {data[3]} {point}"
