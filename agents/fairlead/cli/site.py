"""A site file: what ``fairlead up`` runs, and what it says when all is up.

::

    store: {listen: http://127.0.0.1:2379}          # null: use the endpoints below; members: 3 runs three
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
from fairlead.cli.program import Program, flag_words, joined
from fairlead.cli.site_store import DEFAULT_LISTEN, MEMBERS_MAX, client_urls, store_programs

AGENTS = ("render", "dns", "proxy")
_KEYS = {"store", "endpoints", "agents", "processes", "keys", "try"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site file says.

    Attributes:
        stores: the members to run; none: those at ``endpoints`` are used.
        processes: what the agents have to do with, such as the servers behind a proxy.
        agents: what follows the store.
        keys: to write where they are missing.
        hints: what to try when all is up.
    """

    stores: tuple[Program, ...]
    endpoints: tuple[str, ...]
    processes: tuple[Program, ...]
    agents: tuple[Program, ...]
    keys: dict[str, str]
    hints: tuple[str, ...]


def load_site(path: Path, *, data_dir: Path, members: int | None = None) -> Site:
    """Read a site file.

    Args:
        path: the file.
        data_dir: where the programs keep their data.
        members: how many the store has, whatever the file says.

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
    return _site(loaded, path=path, data_dir=data_dir, members=members)


def _site(loaded: dict[str, Any], *, path: Path, data_dir: Path, members: int | None) -> Site:
    folder = path.parent
    stores: tuple[Program, ...] = ()
    urls: tuple[str, ...] = (DEFAULT_LISTEN,)
    if loaded.get("store", {}) is not None:
        flags = _mapping(loaded, "store", path=path)
        size = _size(flags.pop("members", 1), path=path) if members is None else members
        urls = client_urls(str(flags.pop("listen", DEFAULT_LISTEN)), size)
        stores = store_programs(flags, urls=urls, data_dir=data_dir, folder=folder)
    elif members is not None:
        raise CliError(f"{path} has no store of its own; leave --members away")
    endpoints = tuple(joined(loaded.get("endpoints", list(urls))).split(","))
    agents = _mapping(loaded, "agents", path=path)
    if unknown := sorted(set(agents) - set(AGENTS)):
        raise CliError(f"{path}: unknown agent {unknown[0]!r}; known are {', '.join(AGENTS)}")
    processes = _mapping(loaded, "processes", path=path)
    hints = loaded.get("try") or []
    if not isinstance(hints, list):
        raise CliError(f"{path}: 'try' must be a list of commands")
    return Site(
        stores=stores,
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


def _size(value: object, *, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MEMBERS_MAX:
        raise CliError(
            f"{path}: 'members' of the store must be a number from 1 to {MEMBERS_MAX}, not {value!r}"
        )
    return value


def _process(name: str, words: object, *, path: Path) -> Program:
    if not isinstance(words, list) or not words:
        raise CliError(f"{path}: process {name!r} must be a list of words: [PROGRAM, ARGUMENT, ...]")
    return Program(name=name, arguments=tuple(map(str, words)), is_ours=words[0] == "fairlead")


def _agent(name: str, flags: Mapping[str, Any], *, endpoints: tuple[str, ...], folder: Path) -> Program:
    words = ("fairlead", name, "--endpoints", ",".join(endpoints))
    return Program(name=name, arguments=(*words, *flag_words(flags, folder)), is_ours=True)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    # YAML reads numbers, booleans and dates out of bare words; JSON writes the first two as people do.
    return json.dumps(value, default=str)
