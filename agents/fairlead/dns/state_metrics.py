"""How things are, for /metrics: what answers are worth, what is held back, who is ill, and the upstreams."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.dns import names
from fairlead.dns.around import Around
from fairlead.dns.outage import Freshness


class StateCollector(Collector):
    """Exports the state of the first process; the upstreams' numbers are as it has seen them."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as of now."""
        around = self._around
        yield GaugeMetricFamily(
            "fairlead_dns_stale_state",
            "1 while the store has been silent for too long: TTLs are cut.",
            value=around.freshness is not Freshness.LIVE,
        )
        yield GaugeMetricFamily(
            "fairlead_dns_held_records", "Deletions that the guard holds back.", value=len(around.guard.held)
        )
        yield GaugeMetricFamily(
            "fairlead_dns_ill_records", "Records that give way.", value=len(around.upkeep.down)
        )
        yield from self._upstreams()

    def _upstreams(self) -> Iterator[Metric]:
        labels = ["zone", "upstream"]
        asked = CounterMetricFamily(
            "fairlead_dns_upstream_queries",
            "Queries to an upstream, by what came of them.",
            labels=[*labels, "outcome"],
        )
        rtt = GaugeMetricFamily(
            "fairlead_dns_upstream_rtt_seconds", "Smoothed round trip of an upstream.", labels=labels
        )
        is_up = GaugeMetricFamily(
            "fairlead_dns_upstream_up_state", "1 unless it has failed several times in a row.", labels=labels
        )
        for zone, pool in self._around.forwarding.routes.pools().items():
            for upstream in pool.upstreams:
                name = [names.to_text(zone), str(upstream.address)]
                asked.add_metric([*name, "answered"], upstream.answered)
                asked.add_metric([*name, "failed"], upstream.failed)
                is_up.add_metric(name, not upstream.is_down)
                if upstream.rtt_s is not None:
                    rtt.add_metric(name, upstream.rtt_s)
        yield from (asked, rtt, is_up)
