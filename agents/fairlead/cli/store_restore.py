"""``fairlead store restore`` and ``status``: what becomes of a snapshot file, as ``etcdutl snapshot`` has it."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead.api import load_config
from fairlead.cli.errors import CliError
from fairlead.member import inspect_backup, restore_member

# The flags of `fairlead store` that say who the member will be; they are read, and refused, as there.
_FLAGS = {
    "name": "Name of the member.",
    "data-dir": "Where it will keep its data; must not hold anything yet.  [NAME.fairlead]",
    "initial-cluster": "All members of the new cluster: NAME=URL[,NAME=URL].  [this one alone]",
    "initial-cluster-token": "Tells clusters with the same URLs apart.",
    "initial-advertise-peer-urls": "Where the other members reach this one.  [as --initial-cluster]",
}


def _member_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for flag, meaning in reversed(_FLAGS.items()):
        function = click.option(f"--{flag}", metavar="TEXT", help=meaning)(function)
    return function


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_member_options
@click.option("--skip-hash-check", is_flag=True, help="Believe the file, whatever its checksum says.")
@click.option(
    "--bump-revision",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Go on N revisions later, so that no client takes a new revision for one that was lost.",
)
@click.option(
    "--mark-compacted",
    is_flag=True,
    help="Give up all history before; goes with --bump-revision, as in etcdutl.",
)
def restore(
    *, file: Path, skip_hash_check: bool, bump_revision: int, mark_compacted: bool, **flags: str | None
) -> None:
    """Make a member's data directory of a snapshot that "etcdctl snapshot save" or "fairlead store save" wrote.

    Every member of a new cluster is restored from the same file, with the same --initial-cluster, and then
    started with its usual flags.
    """
    if mark_compacted != bool(bump_revision):
        raise CliError("--bump-revision N and --mark-compacted go together; give both, or neither")
    given = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items() if value is not None]
    config = load_config(given, os.environ).member
    revision = restore_member(file, config, skip_hash_check=skip_hash_check, bump_revision=bump_revision)
    members = ",".join(sorted(config.initial_cluster))
    click.echo(f"restored {config.data_dir}: member {config.name} of {members}, at revision {revision}")
    start = shlex.join(["fairlead", "store", "--name", config.name, "--data-dir", str(config.data_dir)])
    click.echo(f"start it: {start} ... (with its listen and advertise URLs)")


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "-w",
    "--output",
    "--write-out",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form; JSON has etcdutl's names.",
)
def status(*, file: Path, output: str) -> None:
    """Prove that a snapshot file is whole, and show what is in it."""
    found = inspect_backup(file)
    if output == "json":
        names = {
            "hash": found.hash,
            "revision": found.revision,
            "totalKey": found.pairs,
            "totalSize": found.database_bytes,
        }
        more = {"keys": found.keys, "leases": found.leases, "members": found.members}
        click.echo(json.dumps({**names, **more, "compactRevision": found.compact_revision}))
        return
    compacted = f", history since {found.compact_revision}" if found.compact_revision > 0 else ""
    click.echo(f"revision  {found.revision}{compacted}")
    click.echo(f"keys      {found.keys}")
    click.echo(f"leases    {found.leases}")
    click.echo(f"members   {', '.join(found.members)}")
    click.echo(f"size      {found.database_bytes} bytes")
    click.echo(f"hash      {found.hash:08x}")
