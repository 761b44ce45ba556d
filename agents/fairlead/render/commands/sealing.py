"""``fairlead render keygen`` and ``seal``."""

import sys
from pathlib import Path

import click

from fairlead.agent import ConfigError
from fairlead.durable import create_durably
from fairlead.render.secrets import SealError, new_key, read_key, seal


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
def keygen(*, path: Path) -> int:
    """Make a key for sealed values and put it into FILE, which must not exist yet."""
    try:
        create_durably(path, new_key().encode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "name a file that does not exist yet") from error
    click.echo(f"{path}: copy it to the hosts that render secrets, and to nobody else", err=True)
    return 0


@click.command("seal")
@click.argument("name", metavar="KEY")
@click.option(
    "--secret-key-file",
    type=click.Path(path_type=Path),
    required=True,
    envvar="FAIRLEAD_RENDER_SECRET_KEY_FILE",
    help="From keygen.",
)
def seal_(*, name: str, secret_key_file: Path) -> int:
    r"""Seal what comes on standard input; print the value to write to KEY, which it can be opened under alone.

    One line end at the end of the input is left out.  For example:

    \b
        printf %s "$PASSWORD" | fairlead render seal /db/password --secret-key-file key
    """
    value = sys.stdin.buffer.read().removesuffix(b"\n")
    try:
        click.echo(seal(value, name=name, key=read_key(secret_key_file)))
    except SealError as error:
        raise ConfigError(str(error)) from error
    return 0
