"""What all connections of one transport share."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from fairlead.peer.config import PeerConfig
from fairlead.peer.connection import Connection
from fairlead.peer.counters import Counters
from fairlead.peer.handlers import Handlers
from fairlead.peer.handshake import Hello, Identity
from fairlead.peer.tls import TlsContexts


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all connections of one transport share.

    Attributes:
        contexts: None where nothing was said of TLS: then https URLs are dialled as any client would.
        on_round_trip: told of each measured round trip: the member, and seconds.
        on_unreachable: told of a member for which something was not sent, or whose connection is lost.
    """

    config: PeerConfig
    handlers: Handlers
    contexts: TlsContexts
    counters: Counters
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    on_round_trip: Callable[[int, float], None]
    on_unreachable: Callable[[int], None]
    on_removed: Callable[[str], None]

    @property
    def identity(self) -> Identity:
        """Who we are."""
        return Identity(self.config.version, self.config.cluster_id, self.config.member_id)

    def connection(self, hello: Hello | None) -> Connection:
        """Return one end of a new connection; without ``hello`` the one that is dialled."""
        return Connection(
            self.identity,
            hello,
            is_removed=self.handlers.is_removed,
            frame_bytes_max=self.config.frame_bytes_max,
            missed_max=self.config.pings_missed_max,
        )
