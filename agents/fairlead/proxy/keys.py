"""Which object a key of the store stands for: vulcand's layout.

Source: vulcand, engine/etcdng/v3/etcd.go.  The id in the key wins over any id in the value.
"""

import re
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """The kinds of object the proxy reads."""

    FRONTEND = "frontend"
    BACKEND = "backend"
    SERVER = "server"
    MIDDLEWARE = "middleware"
    HOST = "host"
    LISTENER = "listener"
    TCP_ROUTE = "TCP route"


class ObjectId(NamedTuple):
    """The identity of an object: its kind, the id of its owner ("" for none), and its own."""

    kind: Kind
    owner: str
    name: str

    def __str__(self) -> str:
        owner = "frontend" if self.kind is Kind.MIDDLEWARE else "backend"
        of = f" of {owner} {self.owner}" if self.owner else ""
        return f"{self.kind.value} {self.name}{of}"


_PATTERNS = (
    (Kind.FRONTEND, re.compile(r"frontends/()([^/]+)(?:/frontend)?")),
    (Kind.BACKEND, re.compile(r"backends/()([^/]+)(?:/backend)?")),
    (Kind.SERVER, re.compile(r"backends/([^/]+)/servers/([^/]+)")),
    (Kind.MIDDLEWARE, re.compile(r"frontends/([^/]+)/middlewares/([^/]+)")),
    (Kind.HOST, re.compile(r"hosts/()([^/]+)(?:/host)?")),
    (Kind.TCP_ROUTE, re.compile(r"tcp/()([^/]+)")),
    (Kind.LISTENER, re.compile(r"listeners/()([^/]+)(?:/.*)?")),
)


def watched_prefixes(etcd_key: str) -> tuple[bytes, bytes]:
    """Return the two prefixes that stand for ``--etcd-key``: with and without the leading slash.

    vulcand's documentation writes /vulcand, its default over the v3 API is vulcand; both are in use.
    """
    name = etcd_key.strip("/")
    return f"/{name}/".encode(), f"{name}/".encode()


def object_of(key: bytes, prefixes: tuple[bytes, ...]) -> ObjectId | None:
    """Return the object that ``key`` stands for, or None when the proxy does not read that key."""
    for prefix in prefixes:
        if key.startswith(prefix):
            rest = key[len(prefix) :].decode("utf-8", "replace")
            for kind, pattern in _PATTERNS:
                if found := pattern.fullmatch(rest):
                    return ObjectId(kind, found[1], found[2])
    return None
