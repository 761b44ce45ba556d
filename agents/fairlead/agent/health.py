"""/healthz, /readyz and /metrics, for probes and for Prometheus, and the agent's own pages beside them."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from fairlead.agent.pages import Asked, Page

MakePage = Callable[[Mapping[str, str]], Page]
"""Gives a page; takes the fields of the request's query."""


class HealthPages:
    """The pages, without any I/O."""

    def __init__(
        self,
        *,
        is_ready: Callable[[], bool],
        metrics: CollectorRegistry,
        degraded: Callable[[], str] = str,
        extra: Mapping[str, MakePage] | None = None,
    ) -> None:
        """Answer the pages.

        Args:
            is_ready: decides on ``/readyz``.
            metrics: shown on ``/metrics``.
            degraded: why the agent serves, but not as it should; empty: it does.
            extra: the agent's own pages by path; more may come later.
        """
        self._is_ready = is_ready
        self._metrics = metrics
        self._degraded = degraded
        self._extra = {} if extra is None else extra

    def answer(self, asked: Asked) -> Page:
        """Return the page for a request."""
        if not asked.is_reading:
            return Page(status=405, body=b"use GET\n")
        match asked.path:
            case "/healthz":
                return Page(body=b"ok\n")
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return Page(body=generate_latest(self._metrics), kind=CONTENT_TYPE_PLAIN_0_0_4)
            case path if path in self._extra:
                return self._extra[path](asked.query)
            case _:
                known = ", ".join(["/healthz", "/readyz", *sorted(self._extra)])
                return Page(status=404, body=f"try {known} or /metrics\n".encode())

    def _readiness(self) -> Page:
        if not self._is_ready():
            return Page(status=503, body=b"not ready\n")
        degraded = self._degraded()
        return Page(body=f"ready, {degraded}\n".encode() if degraded else b"ready\n")
