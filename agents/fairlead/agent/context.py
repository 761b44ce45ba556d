"""What an agent is given to work with, and what it tells its surroundings by."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Gauge

from fairlead.agent.errors import ConfigError
from fairlead.agent.options import AgentOptions
from fairlead.agent.status import Status
from fairlead.client import Client, ClientError, Mirror

if TYPE_CHECKING:
    from fairlead.agent.health import MakePage

DRAIN_S = 30.0
Reload = Callable[[], Awaitable[None] | None]


class AgentContext:
    """One agent's surroundings.

    Attributes:
        kind: the agent, as in ``fairlead dns``.
        client: the store.
        options: what every agent is told.
        log: structlog, bound to the agent.
        metrics: what /metrics serves.
        status: the board that becomes the status key.
        stopping: set when the agent shall finish what it does and return.
    """

    def __init__(
        self,
        *,
        kind: str,
        client: Client,
        options: AgentOptions,
        log: structlog.stdlib.BoundLogger,
        metrics: CollectorRegistry,
        status: Status,
    ) -> None:
        """Made by ``run_agent``, and by tests."""
        self.kind = kind
        self.client = client
        self.options = options
        self.log = log
        self.metrics = metrics
        self.status = status
        self.stopping = asyncio.Event()
        self.addresses: tuple[str, ...] = ()
        self.is_ready = False
        self.degraded = ""  # why /readyz says that it serves, but not as it should; one line
        self.pages: dict[str, MakePage] = {}  # pages of the agent's own beside /metrics, by path
        self.drain_s = 0.0  # who serves nobody has nothing to finish
        self._reloads: list[Reload] = []
        self._gauges: dict[str, Gauge] = {}

    def ready(self, *addresses: object) -> None:
        """Say, once, that the agent serves at ``addresses``: /readyz opens and the line ``ready`` is logged.

        An agent that has been told to stop is not ready any more, whatever it finishes meanwhile.
        """
        if not self.is_ready and not self.stopping.is_set():
            self.is_ready = True
            self.addresses = tuple(str(address) for address in addresses)
            self.log.info("ready", **({"addresses": ", ".join(self.addresses)} if addresses else {}))
            self.status.touch()

    def stop(self) -> None:
        """Have the agent finish what it does: /readyz closes, and ``stopping`` is set."""
        if self.is_ready:
            self.log.info("draining", limit_s=DRAIN_S)
            self.drain_s = DRAIN_S
        self.is_ready = False
        self.stopping.set()

    def on_reload(self, callback: Reload) -> None:
        """Have ``callback`` called at each SIGHUP; what it cannot use it refuses by ConfigError."""
        self._reloads.append(callback)

    async def reload(self) -> None:
        """Call what ``on_reload`` was given; one line for each that fails, and the old settings stay."""
        for callback in self._reloads:
            try:
                outcome = callback()
                if inspect.isawaitable(outcome):
                    await outcome
            except (ConfigError, ClientError, OSError) as error:
                self.log.warning("reload failed; the old settings stay", reason=str(error))
        self.log.info("reloaded")

    def export(self, mirror: Mirror, *, name: str = "main") -> Mirror:
        """Export how fresh ``mirror`` is, under the label ``mirror=name``; return it."""
        facts: dict[str, tuple[str, Callable[[], float]]] = {
            "revision": ("Store revision that the mirror shows.", lambda: mirror.revision),
            "age_seconds": ("Time since the store was last heard of.", lambda: mirror.age_s),
            "live_state": ("1 while the mirror follows the store.", lambda: float(mirror.is_live)),
            "keys": ("Keys in the mirror.", lambda: len(mirror)),
        }
        for fact, (text, read) in facts.items():
            gauge = self._gauges.get(fact)
            if gauge is None:
                gauge = self._gauges[fact] = Gauge(
                    f"fairlead_agent_mirror_{fact}", text, labelnames=["mirror"], registry=self.metrics
                )
            gauge.labels(name).set_function(read)
        return mirror
