"""What would change, as text for people."""

import difflib
import re
from collections.abc import Iterator

from fairlead.render.change.model import FileState
from fairlead.render.errors import printable
from fairlead.render.view import to_text

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_LINES_MAX = 20_000
"""Beyond this, a line-by-line comparison takes longer than anybody reads."""


NAMES = ("now", "rendered")
"""What is compared where nobody says otherwise: the old, the new."""


def describe_change(
    dest: str, wanted: FileState, found: FileState | None, *, names: tuple[str, str] = NAMES
) -> Iterator[str]:
    """Yield the lines of a unified diff, without line ends; none when nothing changes."""
    if found is None:
        yield f"new file {dest}, mode {wanted.mode:04o}, owner {wanted.uid}:{wanted.gid}"
    else:
        if found.mode != wanted.mode:
            yield f"{dest}: mode {found.mode:04o} -> {wanted.mode:04o}"
        if (found.uid, found.gid) != (wanted.uid, wanted.gid):
            yield f"{dest}: owner {found.uid}:{found.gid} -> {wanted.uid}:{wanted.gid}"
    yield from content_diff(dest, wanted.content, b"" if found is None else found.content, names=names)


def content_diff(dest: str, new: bytes, old: bytes, *, names: tuple[str, str] = NAMES) -> Iterator[str]:
    """Yield the lines of a unified diff of two contents; ``names`` say which is the old and which the new."""
    if new == old:
        return
    if b"\0" in new or b"\0" in old:
        yield f"{dest}: binary, {len(old)} -> {len(new)} bytes"
        return
    old_lines, new_lines = (_lines(to_text(content)) for content in (old, new))
    if len(old_lines) + len(new_lines) > _LINES_MAX:
        yield f"{dest}: {len(old_lines)} -> {len(new_lines)} lines, too long to compare here"
        return
    for line in difflib.unified_diff(old_lines, new_lines, f"{dest} ({names[0]})", f"{dest} ({names[1]})"):
        yield printable(line.removesuffix("\n"))
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    # Not splitlines, to which a form feed is a line's end too.
    return _LINE.findall(text)
