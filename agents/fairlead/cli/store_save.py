"""``fairlead store save``: a snapshot of a running store, as ``etcdctl snapshot save`` writes it."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import click

from fairlead.cli.connection import connection_options
from fairlead.cli.errors import CliError
from fairlead.client import Client
from fairlead.durable import whole_file

_CHECKSUM_BYTES = 32


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@connection_options
def save(*, connect: Callable[[], Client], file: Path) -> None:
    """Save a snapshot of a running store, or etcd, to FILE.

    The file gets its name when it is whole and on disk; one that is there already is replaced then.
    """
    try:
        # Whoever may read it has every key: it is for its owner alone.
        with whole_file(file) as out:
            size_bytes = asyncio.run(_receive(connect, out))
    except OSError as error:
        raise CliError(f"cannot write {file}: {error.strerror or error}; give another FILE") from error
    click.echo(f"saved {file}: {size_bytes} bytes; look into it: fairlead store status {file}")


async def _receive(connect: Callable[[], Client], out: BinaryIO) -> int:
    """Write what the store sends; return its size once the checksum at its end is found right."""
    digest, tail, size_bytes = sha256(), b"", 0
    async with connect() as client:
        async for piece in client.snapshot():
            out.write(piece)
            size_bytes += len(piece)
            tail += piece
            digest.update(tail[:-_CHECKSUM_BYTES])
            tail = tail[-_CHECKSUM_BYTES:]
    if digest.digest() != tail:
        raise CliError("what arrived is not what its checksum says; save it again")
    return size_bytes
