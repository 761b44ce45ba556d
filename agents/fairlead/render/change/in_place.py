"""Runs a check where the new files lie at their real paths, and nobody else sees them.

In a mount namespace of its own, each directory that changes gets an overlay with the new files on top; a file that
goes is whited out.  So a fragment is checked with everything that includes it, under the paths that the program
itself will use.  When the command ends, the namespace and all of it are gone.

Needs Linux, util-linux and the right to mount (root).
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from fairlead.render.change.model import FileChange
from fairlead.render.destination import Destination

_UNMOUNTABLE = frozenset(":,\\")
"""What overlay's options cannot carry in a path."""


def in_namespace(argv: Sequence[str], files: Iterable[FileChange], *, work: Path) -> list[str]:
    """Return the command that runs ``argv`` over the staged files.

    Args:
        argv: the check.
        files: the change; what stays as it is may be among them.
        work: an empty directory that is removed afterwards.

    Raises:
        OSError: a directory's name cannot be mounted over.
    """
    lines = ["set -e", f"mount -t tmpfs -o mode=0700 tmpfs {_quote(work)}"]
    by_directory: dict[Path, list[FileChange]] = {}
    for file in files:
        if file.is_content_changed:
            by_directory.setdefault(Path(file.dest).resolve().parent, []).append(file)
    # Outer directories first: an overlay hides what is mounted below it.
    for number, (directory, changes) in enumerate(sorted(by_directory.items())):
        if _UNMOUNTABLE & set(str(directory)):
            raise OSError(f"{directory} cannot be overlaid for a check in place: its name has one of : , \\")
        lines += _overlay(
            directory, changes, upper=work / f"upper{number}", scratch=work / f"scratch{number}"
        )
    lines.append(f"exec {shlex.join(argv)}")
    return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", "\n".join(lines)]


def _overlay(directory: Path, changes: Iterable[FileChange], *, upper: Path, scratch: Path) -> list[str]:
    lines = [f"mkdir {_quote(upper)} {_quote(scratch)}"]
    # The directory itself takes its mode and owner from the top.
    lines.append(f"chmod --reference={_quote(directory)} {_quote(upper)}")
    lines.append(f"chown --reference={_quote(directory)} {_quote(upper)}")
    for file in changes:
        path = upper / Path(file.dest).name
        if file.new is None:
            lines.append(f"mknod {_quote(path)} c 0 0")
        else:
            lines.append(f"cp -p {_quote(Destination(Path(file.dest)).staged_path)} {_quote(path)}")
    options = f"lowerdir={directory},upperdir={upper},workdir={scratch}"
    lines.append(f"mount -t overlay -o {_quote(options)} overlay {_quote(directory)}")
    return lines


def _quote(path: object) -> str:
    return shlex.quote(str(path))
