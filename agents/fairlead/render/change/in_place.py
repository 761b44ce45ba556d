"""Runs a check where the new files lie at their real paths, and nobody else sees them.

In a mount namespace of its own, each directory that changes gets an overlay with the new files on top; a file that
goes is whited out.  So a fragment is checked with everything that includes it, under the paths that the program
itself will use.  When the command ends, the namespace and all of it are gone.

Needs Linux, util-linux and the right to mount (root).
"""

import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from fairlead.render.change.model import FileChange
from fairlead.render.command import names_src
from fairlead.render.destination import Destination
from fairlead.render.resource.model import Check

_UNMOUNTABLE = frozenset(":,\\")
"""What overlay's options cannot carry in a path."""


_NAMESPACE = ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c")
_TRIAL = (
    "mount -t tmpfs tmpfs {0} && mkdir {0}/lower {0}/upper {0}/scratch &&"
    " mount -t overlay -o lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/scratch overlay {0}/lower"
)
_TRIAL_TIMEOUT_S = 10.0


@cache
def obstacle() -> str:
    """Return why nothing can be checked in place on this host, empty when it can; found out by trying, once."""
    with tempfile.TemporaryDirectory(prefix="fairlead-check-") as work:
        try:
            done = subprocess.run(  # noqa: S603 - our own words
                [*_NAMESPACE, _TRIAL.format(shlex.quote(work))],
                check=False,
                capture_output=True,
                text=True,
                timeout=_TRIAL_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def shortcoming(check: Check | None) -> str | None:
    """Return what a check in place comes to on a host where none is possible; None when all is as it was asked for."""
    if check is None or not check.in_place or not obstacle():
        return None
    if names_src(check.command):
        return (
            f"the check sees the staged file alone, not in place, which needs root and overlays: {obstacle()}"
        )
    return (
        f"the check cannot run in place, which needs root and overlays: {obstacle()};"
        " run the renderer as root, or give the check {{ src }}, the staged file"
    )


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
    return [*_NAMESPACE, "\n".join(lines)]


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
