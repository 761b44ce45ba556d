"""A site file: what ``fairlead up`` runs, and what it says when all is up.

::

    store: {listen: http://127.0.0.1:2379}          # null: use the endpoints below
    endpoints: http://127.0.0.1:2379
    agents:
      render: {confdir: render}                     # flags of `fairlead render`, without the dashes
      dns: {listen: 127.0.0.1:5353}
    processes:
      web1: [fairlead, hello, --listen, 127.0.0.1:9001, --name, web1]
    keys:
      /app/name: demo                               # written where they are missing
      /app/limits: {rate: 10}                       # what is no text is written as JSON
    try: ["curl http://127.0.0.1:8080/", "cat {data-dir}/app.conf"]

Paths in a value are relative to the folder of the file and begin with ``./``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fairlead.cli.errors import CliError

DEFAULT_LISTEN = "http://127.0.0.1:2379"
AGENTS = ("render", "dns", "proxy")
_KEYS = {"store", "endpoints", "agents", "processes", "keys", "try"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of a site.

    Attributes:
        name: what its lines are prefixed with.
        arguments: of ``fairlead`` when it is ours, else the whole command line.
        is_ours: whether it is a ``fairlead`` command, which logs JSON and says when it is ready.
    """

    name: str
    arguments: tuple[str, ...]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site file says.

    Attributes:
        store: the member to run; None: the one at ``endpoints`` is used.
        processes: what the agents have to do with, such as the servers behind a proxy.
        agents: what follows the store.
        keys: to write where they are missing.
        hints: what to try when all is up.
    """

    store: Program | None
    endpoints: tuple[str, ...]
    processes: tuple[Program, ...]
    agents: tuple[Program, ...]
    keys: dict[str, str]
    hints: tuple[str, ...]


def load_site(path: Path, *, data_dir: Path) -> Site:
    """Read a site file.

    Raises:
        CliError: it cannot be read, or says something that has no meaning.
    """
    try:
        loaded = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CliError(
            f"cannot read {path}: {error.strerror}; name a site file: fairlead up SITE.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CliError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict) or not loaded:
        raise CliError(f"{path} says nothing; it needs 'agents:' at least")
    if unknown := sorted(set(loaded) - _KEYS):
        raise CliError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    return _site(loaded, path=path, data_dir=data_dir)


def _site(loaded: dict[str, Any], *, path: Path, data_dir: Path) -> Site:
    folder = path.parent
    has_store = loaded.get("store", {}) is not None
    store_flags = _mapping(loaded, "store", path=path)
    listen = str(store_flags.pop("listen", DEFAULT_LISTEN))
    endpoints = tuple(_joined(loaded.get("endpoints", listen)).split(","))
    agents = _mapping(loaded, "agents", path=path)
    if unknown := sorted(set(agents) - set(AGENTS)):
        raise CliError(f"{path}: unknown agent {unknown[0]!r}; known are {', '.join(AGENTS)}")
    processes = _mapping(loaded, "processes", path=path)
    hints = loaded.get("try") or []
    if not isinstance(hints, list):
        raise CliError(f"{path}: 'try' must be a list of commands")
    return Site(
        store=_store({"data-dir": data_dir / "store"} | store_flags, listen, folder) if has_store else None,
        endpoints=endpoints,
        processes=tuple(_process(str(name), words, path=path) for name, words in processes.items()),
        agents=tuple(
            _agent(name, _mapping(agents, name, path=path), endpoints=endpoints, folder=folder)
            for name in agents
        ),
        keys={str(key): _text(value) for key, value in _mapping(loaded, "keys", path=path).items()},
        hints=tuple(map(str, hints)),
    )


def _mapping(parent: Mapping[str, Any], key: str, *, path: Path) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CliError(f"{path}: {key!r} must be a mapping, such as {key}: {{NAME: VALUE}}")
    return dict(value)


def _process(name: str, words: object, *, path: Path) -> Program:
    if not isinstance(words, list) or not words:
        raise CliError(f"{path}: process {name!r} must be a list of words: [PROGRAM, ARGUMENT, ...]")
    return Program(name=name, arguments=tuple(map(str, words)), is_ours=words[0] == "fairlead")


def _agent(name: str, flags: Mapping[str, Any], *, endpoints: tuple[str, ...], folder: Path) -> Program:
    words = ("fairlead", name, "--endpoints", ",".join(endpoints))
    return Program(name=name, arguments=(*words, *_flags(flags, folder)), is_ours=True)


def _store(flags: Mapping[str, Any], listen: str, folder: Path) -> Program:
    words = ("fairlead", "store", "--listen-client-urls", listen, "--advertise-client-urls", listen)
    return Program(name="store", arguments=(*words, *_flags(flags, folder)), is_ours=True)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    # YAML reads numbers, booleans and dates out of bare words; JSON writes the first two as people do.
    return json.dumps(value, default=str)


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _flags(flags: Mapping[str, Any], folder: Path) -> list[str]:
    words = []
    for name, value in flags.items():
        flag = f"--{name}"
        if value is True:
            words.append(flag)
        elif value is not False and value is not None:
            text = _joined(value)
            words += [flag, str((folder / text).resolve()) if text.startswith("./") else text]
    return words
