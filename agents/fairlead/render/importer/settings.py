"""confd's ``confd.toml``: what becomes a setting of ours, and what has no place here."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fairlead.render.importer.findings import ImportedTree, line_of
from fairlead.render.importer.reading import read_toml
from fairlead.render.importer.yamlfile import yaml_file

SETTINGS_FILE = "settings.yaml"
"""What ``fairlead render --config`` reads."""

_SAME: Mapping[str, str] = {
    "prefix": "prefix", "interval": "interval", "watch": "watch", "onetime": "onetime", "noop": "noop",
    "sync-only": "sync-only", "keep-stage-file": "keep-stage-file", "client_cakeys": "cacert", "client_cert": "cert",
    "client_key": "key",
}  # fmt: skip
"""Their name to ours."""

_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "panic": "error",
}
_TAKEN = frozenset(
    {"backend", "nodes", "scheme", "username", "password", "basic_auth", "log-level", "confdir"}
)
_BACKENDS: Mapping[str, str] = {
    "etcdv3": "",
    "etcd": "etcd's API of version 2 is not spoken; copy the keys to a store that speaks version 3",
}


def settings_of(path: Path, tree: ImportedTree) -> None:
    """Translate the file, where there is one."""
    if not path.is_file() or (read := read_toml(path, path.name, tree)) is None:
        return
    text, document = read
    fields = {key.lower(): value for key, value in document.items()}
    for field, problem in untranslated(fields):
        tree.find(path.name, line_of(text, field), problem)
    if settings := settings_from(fields):
        tree.files[SETTINGS_FILE] = yaml_file(
            settings, comment="Imported from confd's confd.toml; use it with --config."
        )


def settings_from(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return our settings, by flag, for the fields of a ``confd.toml``."""
    settings: dict[str, Any] = {}
    if nodes := fields.get("nodes"):
        settings["endpoints"] = ",".join(_endpoint(str(node), fields) for node in nodes)
    for theirs, ours in _SAME.items():
        if fields.get(theirs) not in (None, "", False):
            settings[ours] = fields[theirs]
    if fields.get("username"):
        settings["user"] = f"{fields['username']}:{fields.get('password', '')}"
    if (level := str(fields.get("log-level", ""))) in _LEVELS:
        settings["log-level"] = _LEVELS[level]
    # confd looks at one of them, in this order; two together would be a change of ways.
    for first, others in (("onetime", ("watch", "interval")), ("watch", ("interval",))):
        if first in settings:
            for other in others:
                settings.pop(other, None)
    return settings


def _endpoint(node: str, fields: Mapping[str, Any]) -> str:
    scheme = "https" if fields.get("scheme") == "https" or fields.get("client_cert") else "http"
    return node if "://" in node else f"{scheme}://{node}"


def untranslated(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields that have no place here, and why."""
    backend = str(fields.get("backend", "etcdv3"))
    if problem := _BACKENDS.get(backend, f"backend {backend} is not read; copy its keys to the store"):
        yield "backend", problem
    for field, value in fields.items():
        if field not in _SAME and field not in _TAKEN and value not in ("", False, [], 0):
            yield field, f"{field} is not translated"
