"""A change of a group's files, as values: what was there, what shall be there."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.render import jsonio
from fairlead.render.rendered import Rendered, RenderedFile

MODE_DEFAULT = 0o644
MODE_SECRET = 0o600
_ID_MAX = 2**32 - 1
"""Of users and groups, in the kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """A regular file as it was or shall be; ``digest`` is SHA-256 of its bytes, in hex."""

    digest: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """The same with all of its bytes, for whoever compares or shows them."""

    content: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file before and after; None is no file.

    Attributes:
        is_secret: its content is kept only for as long as the change is under way.
        prune: it is removed when a later list does not hold it any more.
        make_dirs: directories above it are made.
    """

    dest: str
    old: FileVersion | None
    new: FileVersion | None
    is_secret: bool = False
    prune: bool = False
    make_dirs: bool = False

    @property
    def is_content_changed(self) -> bool:
        """Whether a program that reads the file would read something else."""
        return _digest(self.old) != _digest(self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All files of a group, those that stay as they are too.

    Attributes:
        revision: the store revision that was rendered.
        inputs: the revision of the newest key that was read, by which hosts tell one change from the next.
        counts: what the guards' expressions gave.
        cause: the keys that were touched since the last time, some of them where they are many.
        hold: an output that shall not come back by itself, because somebody has taken it back; empty for none.
    """

    revision: int
    files: tuple[FileChange, ...]
    inputs: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    cause: tuple[str, ...] = ()
    hold: str = ""

    @property
    def changed(self) -> tuple[FileChange, ...]:
        """The files that will hold something else."""
        return tuple(file for file in self.files if file.is_content_changed)

    @property
    def is_first(self) -> bool:
        """Whether there is nothing to go back to."""
        return all(file.old is None for file in self.files)

    @property
    def output(self) -> str:
        """A digest of everything that the change puts in place: equal outputs are one output."""
        return output_digest({file.dest: file.new.digest for file in self.files if file.new is not None})

    @property
    def installed(self) -> dict[str, str]:
        """Destination to digest, as the change leaves them."""
        return {file.dest: file.new.digest for file in self.files if file.new is not None}


def _digest(version: FileVersion | None) -> str | None:
    return None if version is None else version.digest


def output_digest(digests: Mapping[str, str]) -> str:
    """Return one digest for a set of files, by destination."""
    lines = "".join(f"{digest} {dest}\0" for dest, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def wanted_version(file: RenderedFile, found: FileVersion | None, *, uid: int, gid: int) -> FileVersion:
    """Return how a destination ought to be.

    Args:
        file: says mode and owner, where it does.
        found: the destination as it is; its mode is kept where none is asked for.
        uid: the effective user, who owns the file unless the resource says otherwise.
        gid: the effective group.
    """
    spec = file.spec
    mode = spec.mode
    if mode is None:
        mode = MODE_DEFAULT if found is None else found.mode
        mode = MODE_SECRET if file.is_secret else mode
    return FileVersion(
        digest=file.digest,
        mode=mode,
        uid=uid if spec.uid is None else spec.uid,
        gid=gid if spec.gid is None else spec.gid,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the host looks like before a change: ``files`` by destination, and who we are there."""

    files: Mapping[str, FileVersion | None]
    uid: int
    gid: int


def plan_change(
    rendered: Rendered,
    found: Found,
    *,
    orphans: Mapping[str, str],
    before: Mapping[str, FileVersion | None],
    cause: tuple[str, ...] = (),
    hold: str = "",
) -> Change:
    """Return the change that makes the host as ``rendered`` has it.

    Args:
        rendered: without an error.
        found: the destinations as they are.
        orphans: files of an earlier list and the digest we gave them; one that somebody has edited stays.
        before: what an unfinished change is to go back to; takes the place of what is found.
        cause: the keys that were touched.
        hold: see ``Change``.
    """
    assert rendered.files is not None
    files = [
        FileChange(
            dest=file.dest,
            old=before.get(file.dest, found.files[file.dest]),
            new=wanted_version(file, found.files[file.dest], uid=found.uid, gid=found.gid),
            is_secret=file.is_secret,
            prune=file.spec.prune,
            make_dirs=file.spec.make_dirs,
        )
        for file in rendered.files
    ]
    files += [
        FileChange(dest=dest, old=version, new=None)
        for dest, digest in sorted(orphans.items())
        if (version := found.files.get(dest)) is not None and version.digest == digest
    ]
    return Change(
        revision=rendered.revision,
        inputs=rendered.inputs,
        files=tuple(files),
        counts=rendered.counts,
        cause=cause,
        hold=hold,
    )


# The same as plain values, for the journal.


def change_as_json(change: Change) -> dict[str, Any]:
    """Return ``change`` as JSON can hold it."""
    return {
        "revision": change.revision,
        "inputs": change.inputs,
        "counts": dict(change.counts),
        "cause": list(change.cause),
        "hold": change.hold,
        "files": [
            {
                "dest": file.dest,
                "old": _version_as_json(file.old),
                "new": _version_as_json(file.new),
                "flags": [flag for flag in _FLAGS if getattr(file, flag)],
            }
            for file in change.files
        ],
    }


def change_from_json(value: Mapping[str, Any]) -> Change:
    """Return what ``change_as_json`` was given.

    Raises:
        KeyError, ValueError: it is something else.
    """
    return Change(
        revision=jsonio.integer(value["revision"]),
        inputs=jsonio.integer(value["inputs"]),
        counts=jsonio.integers(value["counts"]),
        cause=tuple(map(jsonio.text, jsonio.items(value["cause"]))),
        hold=jsonio.text(value["hold"]),
        files=tuple(_file_from_json(jsonio.members(file)) for file in jsonio.items(value["files"])),
    )


def _file_from_json(value: Mapping[str, Any]) -> FileChange:
    flags = jsonio.items(value["flags"])
    if any(flag not in _FLAGS for flag in flags):
        raise ValueError("an unknown flag")
    return FileChange(
        dest=jsonio.text(value["dest"]),
        old=_version_from_json(value["old"]),
        new=_version_from_json(value["new"]),
        **dict.fromkeys(flags, True),
    )


_FLAGS = ("is_secret", "prune", "make_dirs")


def _version_as_json(version: FileVersion | None) -> list[Any] | None:
    return None if version is None else [version.digest, version.mode, version.uid, version.gid]


def _version_from_json(value: object) -> FileVersion | None:
    if value is None:
        return None
    digest, *numbers = jsonio.items(value)
    mode, uid, gid = (jsonio.integer(number, least=0, most=_ID_MAX) for number in numbers)
    return FileVersion(digest=jsonio.text(digest), mode=mode, uid=uid, gid=gid)
