"""What applying a render would change, without touching anything."""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from fairlead.render.change.model import FileState, FileVersion, wanted_version
from fairlead.render.destination import Destination
from fairlead.render.diff import describe_change
from fairlead.render.rendered import Rendered, RenderedFile

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class Preview(NamedTuple):
    """One destination as it would be, and as it is."""

    file: RenderedFile
    wanted: FileState
    found: FileState | None

    @property
    def is_changed(self) -> bool:
        """Whether there would be anything to do."""
        return self.wanted != self.found


def preview(rendered: Rendered) -> Iterator[Preview]:
    """Yield every file of ``rendered``, which is without an error.

    Raises:
        OSError: a destination cannot be read, or its folder is not there.
    """
    assert rendered.files is not None
    for file in rendered.files:
        found = Destination(Path(file.dest)).read()
        if found is None and not file.spec.make_dirs and not Path(file.dest).parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file.dest)
        version = None
        if found is not None:
            version = FileVersion(digest="", mode=found.mode, uid=found.uid, gid=found.gid)
        wanted = wanted_version(file, version, uid=os.geteuid(), gid=os.getegid())
        state = FileState(content=file.content, mode=wanted.mode, uid=wanted.uid, gid=wanted.gid)
        yield Preview(file, state, found)


def orphans(rendered: Rendered, prunable: Mapping[str, str]) -> list[str]:
    """Return what an earlier list made and this one does not: it would be removed, unless somebody has edited it.

    Args:
        rendered: without an error.
        prunable: what earlier lists made, and the digest it was given.

    Raises:
        OSError: a destination cannot be read.
    """
    assert rendered.files is not None
    wanted = {file.dest for file in rendered.files}
    found = {dest: Destination(Path(dest)).inspect() for dest in prunable if dest not in wanted}
    return sorted(
        dest for dest, version in found.items() if version is not None and version.digest == prunable[dest]
    )


def print_diff(rendered: Rendered) -> None:
    """Print what would change, in colours on a terminal; secrets are not shown.

    Raises:
        OSError: a destination cannot be read.
    """
    for one in preview(rendered):
        if one.file.is_secret:
            if one.is_changed:
                click.echo(f"{one.file.dest}: would change; it holds a secret and is not shown")
            continue
        for line in describe_change(one.file.dest, one.wanted, one.found):
            is_name = line.startswith(("+++", "---"))
            click.echo(click.style(line, fg=None if is_name else _COLOURS.get(line[:1]), bold=is_name))
