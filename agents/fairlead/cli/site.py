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
    try: [curl http://127.0.0.1:8080/]

Paths in a value are relative to the folder of the file and begin with ``./``.
"""

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
    """What a site file says."""

    store: Program | None
    endpoints: tuple[str, ...]
    programs: tuple[Program, ...]
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
    except yaml.YAMLError as error:
        raise CliError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict) or not loaded:
        raise CliError(f"{path} says nothing; it needs 'agents:' at least")
    if unknown := sorted(set(loaded) - _KEYS):
        raise CliError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    return _site(loaded, path=path, data_dir=data_dir)


def _site(loaded: dict[str, Any], *, path: Path, data_dir: Path) -> Site:
    folder = path.parent
    store_flags = loaded.get("store", {})
    listen = DEFAULT_LISTEN if store_flags is None else store_flags.get("listen", DEFAULT_LISTEN)
    endpoints = tuple(str(loaded.get("endpoints", listen)).split(","))
    agents = _mapping(loaded, "agents", path)
    if unknown := sorted(set(agents) - set(AGENTS)):
        raise CliError(f"{path}: unknown agent {unknown[0]!r}; known are {', '.join(AGENTS)}")
    processes = _mapping(loaded, "processes", path)
    programs = [
        Program(name=name, arguments=tuple(map(str, words)), is_ours=words[0] == "fairlead")
        for name, words in processes.items()
        if _is_command(name, words, path)
    ]
    programs += [
        Program(
            name=name,
            arguments=("fairlead", name, "--endpoints", ",".join(endpoints), *_flags(flags or {}, folder)),
            is_ours=True,
        )
        for name, flags in agents.items()
    ]
    return Site(
        store=None if store_flags is None else _store(store_flags, listen, folder=folder, data_dir=data_dir),
        endpoints=endpoints,
        programs=tuple(programs),
        keys={str(key): str(value) for key, value in _mapping(loaded, "keys", path).items()},
        hints=tuple(map(str, loaded.get("try") or ())),
    )


def _mapping(loaded: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = loaded.get(key) or {}
    if not isinstance(value, dict):
        raise CliError(f"{path}: {key!r} must be a mapping")
    return value


def _is_command(name: str, words: object, path: Path) -> bool:
    if not isinstance(words, list) or not words:
        raise CliError(f"{path}: process {name!r} must be a list of words: [PROGRAM, ARGUMENT, ...]")
    return True


def _store(flags: dict[str, Any], listen: str, *, folder: Path, data_dir: Path) -> Program:
    given = {name: value for name, value in flags.items() if name != "listen"}
    given.setdefault("data-dir", str(data_dir / "store"))
    words = ("fairlead", "store", "--listen-client-urls", listen, "--advertise-client-urls", listen)
    return Program(name="store", arguments=(*words, *_flags(given, folder)), is_ours=True)


def _flags(flags: dict[str, Any], folder: Path) -> list[str]:
    words = []
    for name, value in flags.items():
        flag = f"--{name}"
        if value is True:
            words.append(flag)
        elif value is not False and value is not None:
            text = str(value)
            words += [flag, str((folder / text).resolve()) if text.startswith("./") else text]
    return words
