"""What the processes of one name server tell each other: pickles, each with its length before it.

Both ends are processes of ours, joined by a pair of sockets that nobody else has.
"""

import asyncio
import pickle
import struct
from dataclasses import dataclass
from typing import Any, Final

from fairlead.agent import AgentOptions
from fairlead.client import Change
from fairlead.dns.config import DnsConfig
from fairlead.dns.numbers import Numbers
from fairlead.dns.server import Identity
from fairlead.dns.zone import Epoch

_LENGTH: Final = struct.Struct("!Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first message to a worker.

    Attributes:
        options: of the agent.
        config: as the first process has it.
        identity: what all processes have in common.
        sockets: file descriptors by kind, in the order of `Sockets.groups`.
        number: of the worker, from 1.
    """

    options: AgentOptions
    config: DnsConfig
    identity: Identity
    sockets: tuple[tuple[int, ...], ...]
    number: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the first process's mirror of the store is; sent every second."""

    age_s: float
    is_live: bool
    revision: int


Message = Hello | Epoch | Change | Pulse | Numbers


def to_bytes(message: Message) -> bytes:
    """Return ``message`` with its length before it."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def read(reader: asyncio.StreamReader) -> Any:
    """Return the next message.

    Raises:
        asyncio.IncompleteReadError: the other process has ended.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from a process of ours, see above
