"""FleetLock's two requests, as Zincati sends them: bytes in, an answer or a wish out.  Pure.

    POST /v1/pre-reboot      let me in, I am about to reboot; again and again until the answer is 200
    POST /v1/steady-state    I am up and well: let me out if I am in

Whoever is not in gets 200 for the second as well: a host that has just been installed has to become steady, too.
Source: coreos/zincati, docs/development/fleetlock/protocol.md.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum

from fairlead.client import ClientError
from fairlead.lock.errors import (
    BrokenSemaphoreError,
    ContentionError,
    FrozenError,
    FullError,
    LockError,
    TwoHostsError,
)

BODY_BYTES_MAX = 16 * 1024
_ID_CHARS_MAX = 256
_GROUP = re.compile(r"[a-zA-Z0-9.-]{1,256}", re.ASCII)


class Wish(Enum):
    """What a host asks for."""

    PRE_REBOOT = "pre-reboot"
    STEADY_STATE = "steady-state"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can be tried."""

    wish: Wish
    group: str
    holder: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; ``kind`` is one of a few words, fit for a metric's label.  An empty kind is success."""

    status: int
    kind: str = ""
    value: str = ""

    @property
    def body(self) -> bytes:
        """The answer's JSON."""
        return json.dumps({"kind": self.kind, "value": self.value}).encode() if self.kind else b"{}"


OK = Answer(200)


def read_request(
    method: str, path: str, *, is_marked: bool, body: bytes, groups: frozenset[str] | None
) -> Asked | Answer:
    """Return what a request asks for, or the answer that refuses it.

    Args:
        method: as sent.
        path: as sent, without a query.
        is_marked: whether the field ``fleet-lock-protocol: true`` came with it.
        body: all of it.
        groups: those there are; None is any.
    """
    wish = next((one for one in Wish if path == f"/v1/{one.value}"), None)
    if wish is None:
        return Answer(404, "not_found", "there is /v1/pre-reboot and /v1/steady-state")
    if method != "POST":
        return Answer(405, "method_not_allowed", "use POST")
    if not is_marked:
        return Answer(400, "missing_header", "the field fleet-lock-protocol: true is missing")
    return _read_body(wish, body, groups)


def _read_body(wish: Wish, body: bytes, groups: frozenset[str] | None) -> Asked | Answer:
    try:
        params = json.loads(body)["client_params"]
        holder, group = params["id"], params["group"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Answer(400, "decode_error", 'the body is not {"client_params": {"id": "...", "group": "..."}}')
    if not isinstance(holder, str) or not 0 < len(holder) <= _ID_CHARS_MAX or not holder.isprintable():
        return Answer(400, "invalid_id", f"the id is not a text of 1 to {_ID_CHARS_MAX} characters")
    if not isinstance(group, str) or not _GROUP.fullmatch(group):
        return Answer(400, "invalid_group", "the group is not of letters, digits, dots and dashes")
    if groups is not None and group not in groups:
        return Answer(400, "unknown_group", f"no group {group} here")
    return Asked(wish, group, holder)


def answer_error(error: LockError | ClientError) -> Answer:
    """Return the answer to a request that could not be granted."""
    for kind_of, status, kind in _REFUSALS:
        if isinstance(error, kind_of):
            # Where the store is, and under which name, is nothing for those who ask.
            value = "the store does not answer" if kind_of is ClientError else str(error)
            return Answer(status, kind, value)
    return Answer(500, "internal_error", str(error))


_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (FullError, 423, "lock_held"),
    (FrozenError, 423, "frozen"),
    (TwoHostsError, 409, "two_hosts"),
    (BrokenSemaphoreError, 500, "broken_semaphore"),
    (ContentionError, 503, "contention"),
    (ClientError, 503, "store_unavailable"),
)
