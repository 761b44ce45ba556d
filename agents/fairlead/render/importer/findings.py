"""What an import makes, and what it leaves to people."""

import re
from dataclasses import dataclass, field


class ImportRefusedError(Exception):
    """The tree cannot be imported at all; the text says what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was not translated, or that will behave otherwise.

    Attributes:
        path: the file, relative to the source tree.
        line: from 1 on; 0 where the whole file is meant.
        text: what, and what to do.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        """As compilers write it, so that editors can jump there."""
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


@dataclass(slots=True)
class ImportedTree:
    """The new tree, not written yet.

    Attributes:
        files: path below the destination, and content.
        findings: in the order in which they were met.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def find(self, path: str, line: int, text: str) -> None:
        """Put a finding down."""
        self.findings.append(Finding(path=path, line=line, text=text))


def line_of(text: str, key: str) -> int:
    """Return the line on which a TOML key is set, or its table begins; 0 where neither is found."""
    word = re.escape(key)
    found = re.search(rf"(?im)^[ \t]*\"?{word}\"?[ \t]*=", text) or re.search(
        rf"(?im)^[ \t]*\[[^]\n]*\b{word}\]", text
    )
    return text.count("\n", 0, found.start()) + 1 if found else 0
