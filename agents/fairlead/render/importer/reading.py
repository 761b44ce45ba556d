"""Reads the files of other tools; what cannot be read is a finding."""

import re
import tomllib
from pathlib import Path
from typing import Any

from fairlead.render.importer.findings import ImportedTree

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.(src|dest)\s*-?\}\}")
_TOML_LINE = re.compile(r"\(at line (\d+)")


def read_toml(path: Path, name: str, tree: ImportedTree) -> tuple[str, dict[str, Any]] | None:
    """Return a file's text and fields, None with a finding where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_LINE.search(str(error))
        tree.find(name, int(place[1]) if place else 0, f"is not TOML: {error}")
    except (OSError, UnicodeDecodeError) as error:
        tree.find(name, 0, f"cannot be read: {error}")
    return None


def shell_command(text: str, *, name: str, line: int, tree: ImportedTree) -> str:
    """Return confd's command with our placeholders."""
    command = _PLACEHOLDER.sub(lambda match: f"{{{{ {match[1]} }}}}", text)
    rest = re.sub(r"\{\{ (?:src|dest) \}\}", "", command)
    if "{{" in rest:
        tree.find(
            name,
            line,
            f"only {{{{.src}}}} and {{{{.dest}}}} are put into a command, not the rest of {text!r}",
        )
    return command
