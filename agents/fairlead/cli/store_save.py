"""``fairlead store save``: a snapshot of a running store, as ``etcdctl snapshot save`` writes it."""

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import click

from fairlead.cli.connection import connection_options
from fairlead.cli.errors import CliError
from fairlead.client import Client

_CHECKSUM_BYTES = 32


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@connection_options
def save(*, connect: Callable[[], Client], file: Path) -> None:
    """Save a snapshot of a running store, or etcd, to FILE.

    The file gets its name when it is whole and on disk; one that is there already is replaced then.
    """
    unfinished = file.with_name(file.name + ".part")
    try:
        # Whoever may read it has every key.
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            size_bytes = asyncio.run(_receive(connect, out))
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError as error:
        raise CliError(f"cannot write {file}: {error.strerror or error}; give another FILE") from error
    finally:
        unfinished.unlink(missing_ok=True)
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
