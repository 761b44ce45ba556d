"""The store of a site: one member, or a cluster of several on this host.

The members of several listen side by side: the first for clients at the port of ``listen`` and for the others at the
next port, each further one ten ports on.  With the default that is 2379 and 2380, 2389 and 2390, 2399 and 2400.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fairlead.cli.errors import CliError
from fairlead.cli.program import Program, flag_words

DEFAULT_LISTEN = "http://127.0.0.1:2379"
MEMBERS_MAX = 9
_PORTS_APART = 10
_PORT_MAX = 65_535
_OURS = ("name", "data-dir", "initial-cluster", "initial-advertise-peer-urls", "listen-peer-urls")
"""Flags that the members of several cannot share."""


def client_urls(listen: str, members: int) -> tuple[str, ...]:
    """Return where each member serves clients.

    Raises:
        CliError: ``listen`` leaves no room for so many.
    """
    if members == 1:
        return (listen,)
    parts = urlsplit(listen)
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.scheme or not parts.hostname or not port or port + _PORTS_APART * members > _PORT_MAX:
        raise CliError(f"a store of {members} members cannot listen at {listen!r}; write {DEFAULT_LISTEN}")
    # The hostname of an IPv6 address comes without the brackets that a URL needs.
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return tuple(f"{parts.scheme}://{host}:{port + _PORTS_APART * n}" for n in range(members))


def store_programs(
    flags: Mapping[str, Any], *, urls: tuple[str, ...], data_dir: Path, folder: Path
) -> tuple[Program, ...]:
    """Return the members to run.

    Args:
        flags: of `fairlead store`, for all members alike.
        urls: where each serves clients.
        data_dir: they keep their data in folders of this one.
        folder: that of the site file.

    Raises:
        CliError: a flag cannot be for all alike, or the data are those of another number of members.
    """
    names = ["store"] if len(urls) == 1 else [f"store{n}" for n in range(1, len(urls) + 1)]
    _check_data(data_dir, names)
    if len(urls) == 1:
        return (_member("store", urls[0], {"data-dir": data_dir / "store"} | dict(flags), folder),)
    if wrong := [flag for flag in _OURS if flag in flags]:
        raise CliError(
            f"the site's store has {wrong[0]!r}, which {len(urls)} members cannot share; leave it away"
        )
    peers = {name: _peer_url(url) for name, url in zip(names, urls, strict=True)}
    cluster = ",".join(f"{name}={peer}" for name, peer in peers.items())
    return tuple(
        _member(
            name,
            url,
            {
                "data-dir": data_dir / name,
                "name": name,
                "listen-peer-urls": peers[name],
                "initial-advertise-peer-urls": peers[name],
                "initial-cluster": cluster,
            }
            | dict(flags),
            folder,
        )
        for name, url in zip(names, urls, strict=True)
    )


def _member(name: str, url: str, flags: Mapping[str, Any], folder: Path) -> Program:
    words = ("fairlead", "store", "--listen-client-urls", url, "--advertise-client-urls", url)
    return Program(name=name, arguments=(*words, *flag_words(flags, folder)), is_ours=True)


def _peer_url(client_url: str) -> str:
    head, _, port = client_url.rpartition(":")
    _, _, host = head.partition("://")
    return f"http://{host}:{int(port) + 1}"


def _check_data(data_dir: Path, names: list[str]) -> None:
    possible = ["store", *(f"store{n}" for n in range(1, MEMBERS_MAX + 1))]
    there = [name for name in possible if (data_dir / name).exists()]
    if there and there != names:
        raise CliError(
            f"{data_dir} has the data of a store of {len(there)}, not of {len(names)}; "
            f"give --members {len(there)}, or another --data-dir"
        )
