"""Writes resources as YAML that people go on editing."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Keeps the order of fields, indents lists, and never writes anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value twice rather than as a reference."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Indent the items of a list below their name."""
        del indentless
        super().increase_indent(flow, False)


def yaml_file(fields: Mapping[str, Any], *, comment: str) -> bytes:
    """Return the file: a line of comment, then the fields that are set."""
    kept = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    body = yaml.dump(kept, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"# {comment}\n{body}".encode()
