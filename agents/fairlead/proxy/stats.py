"""What the proxy counts, cheaply while it runs and in Prometheus' form when asked."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_BUCKETS: Final = 32


class Stats:
    """Counters of the data path; plain attributes, since they are touched for every request.

    Attributes:
        by_class: requests answered, by the first digit of the status; index 0: the client left first (499).
        latency: requests by bit length of their duration in microseconds: bucket n is 2**(n-1) <= us < 2**n.
    """

    __slots__ = (
        "by_class", "clients", "connects", "connects_failed", "latency", "latency_us", "log_lines_dropped", "refused", "retries", "spliced",
        "switches", "truncated", "tunnels",
    )  # fmt: skip

    def __init__(self) -> None:
        self.by_class = [0] * 6
        self.latency = [0] * _BUCKETS
        self.latency_us = 0
        self.clients = 0
        self.tunnels = 0
        self.connects = 0
        self.connects_failed = 0
        self.retries = 0
        self.refused = 0
        self.truncated = 0
        self.spliced = 0
        self.switches = 0
        self.log_lines_dropped = 0

    def answered(self, status: int, duration_us: int) -> None:
        """Count one request; ``status`` 499 stands for a client that left before the answer."""
        self.by_class[status // 100 if status != 499 else 0] += 1
        self.latency[min(duration_us.bit_length(), _BUCKETS - 1)] += 1
        self.latency_us += duration_us


class StatsCollector(Collector):
    """Shows ``Stats`` to Prometheus at the moment it asks."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; names are fairlead_proxy_<noun>_<unit>."""
        stats = self._stats
        requests = CounterMetricFamily(
            "fairlead_proxy_requests", "Requests answered, by class of status.", labels=["code"]
        )
        for digit, count in enumerate(stats.by_class):
            requests.add_metric([f"{digit}xx" if digit else "client_gone"], count)
        yield requests
        yield self._latency()
        gauges = {
            "client_connections": (stats.clients, "Connections of clients that are open."),
            "tunnel_connections": (stats.tunnels, "Upgraded connections that are open."),
        }
        for name, (value, text) in gauges.items():
            yield GaugeMetricFamily(f"fairlead_proxy_{name}", text, value=value)
        counters = {
            "connects": (stats.connects, "Connections opened to servers."),
            "connects_failed": (stats.connects_failed, "Connections to servers that could not be opened."),
            "retries": (stats.retries, "Requests sent again because a kept connection had died."),
            "requests_refused": (stats.refused, "Requests refused as malformed or out of bounds."),
            "responses_spliced": (stats.spliced, "Large bodies that the kernel passed on by itself."),
            "access_log_lines_dropped": (
                stats.log_lines_dropped,
                "Lines lost, since the file could not be written.",
            ),
            "switches": (stats.switches, "Changes of the routes that were put in force."),
            "responses_truncated": (stats.truncated, "Responses cut short by a server."),
        }
        for name, (value, text) in counters.items():
            yield CounterMetricFamily(f"fairlead_proxy_{name}", text, value=value)

    def _latency(self) -> Metric:
        stats = self._stats
        buckets: list[tuple[str, float]] = []
        total = 0
        for bits, count in enumerate(stats.latency):
            total += count
            buckets.append((str((1 << bits) / 1e6), total))
        buckets[-1] = ("+Inf", total)
        family = HistogramMetricFamily(
            "fairlead_proxy_request_duration_seconds", "From the head of a request to the end of its answer."
        )
        family.add_metric([], buckets=buckets, sum_value=stats.latency_us / 1e6)
        return family
