"""Go's replacements: ``$1``, ``${name}``, ``$$``, and actions in braces.

``$1x`` is the group called ``1x``, which is empty: write ``${1}x``.  A group that does not exist is empty.  All
matches are replaced, but for an empty one right behind another.  Source: Go, regexp.Expand.
"""

import re
from collections.abc import Iterator

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.template import Part, parse_template

_GROUP = re.compile(rb"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


class Replacement:
    """A regular expression and what its matches are replaced by."""

    def __init__(self, regexp: re.Pattern[bytes], replacement: bytes) -> None:
        """Read both.

        Raises:
            KeyProblem: an action in the replacement is not one of those known.
        """
        self.regexp = regexp
        self._parts = tuple(self._split(parse_template(replacement)))

    def apply(self, text: bytes, call: Call) -> bytes | None:
        """Return ``text`` with all matches replaced, or None when nothing matches."""
        pieces: list[bytes] = []
        position = 0
        last_end = -1
        for found in self.regexp.finditer(text):
            if found.start() == found.end() == last_end:
                continue
            pieces.append(text[position : found.start()])
            pieces += [self._expanded(part, found, call) for part in self._parts]
            position = last_end = found.end()
        if last_end < 0:
            return None
        return b"".join([*pieces, text[position:]])

    def _split(self, parts: tuple[Part, ...]) -> Iterator["Part | int"]:
        for part in parts:
            if not isinstance(part, bytes):
                yield part
                continue
            position = 0
            for found in _GROUP.finditer(part):
                yield part[position : found.start()]
                yield b"$" if found[1] else self._group(found[2] or found[3])
                position = found.end()
            yield part[position:]

    def _group(self, name: bytes) -> "Part | int":
        """Return the number of the group, or nothing to insert when there is none."""
        if name.isdigit():
            number = int(name) if len(name) < 4 else -1
            return number if 0 <= number <= self.regexp.groups else b""
        return self.regexp.groupindex.get(name.decode(), b"")

    @staticmethod
    def _expanded(part: "Part | int", found: re.Match[bytes], call: Call) -> bytes:
        if isinstance(part, int):
            return found[part] or b""
        return part if isinstance(part, bytes) else part(call)
