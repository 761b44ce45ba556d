"""The name server's numbers for /metrics, read when they are asked for: the hot path counts in plain integers."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.dns.message import Rcode
from fairlead.dns.model import Model
from fairlead.dns.responder import Responder
from fairlead.dns.server_tcp import TcpServer
from fairlead.dns.server_udp import UdpServer


class DnsCollector(Collector):
    """Reads the counters of one name server."""

    def __init__(
        self, model: Model, responder: Responder, *, udp: list[UdpServer], tcp: list[TcpServer]
    ) -> None:
        self._model = model
        self._responder = responder
        self._counters: dict[str, tuple[str, Callable[[], int]]] = {
            "udp_unsent_responses": (
                "UDP responses that the system did not take.",
                lambda: sum(s.unsent for s in udp),
            ),
            "tcp_refused_connections": (
                "TCP connections beyond the limits.",
                lambda: sum(s.refused for s in tcp),
            ),
        }
        self._gauges: dict[str, tuple[str, Callable[[], int]]] = {
            "records": ("Records served.", lambda: len(model.tree)),
            "table_entries": ("Compiled answers kept.", lambda: len(model.table.entries)),
            "tcp_connections": ("Open TCP connections.", lambda: sum(map(len, tcp))),
            "forwarding": ("Questions being answered elsewhere.", lambda: responder.forwarding),
        }

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as of now."""
        responses = CounterMetricFamily(
            "fairlead_dns_responses",
            "Responses, by whether they were ready, type of question and response code.",
            labels=["source", "type", "rcode", "truncated"],
        )
        for source, tallies in (("table", self._model.table.count()), ("parsed", self._responder.tallies)):
            sums: dict[tuple[str, str, str, str], int] = {}
            for kind, count in tallies:
                labels = (source, kind.qtype, Rcode(kind.rcode).name, str(int(kind.is_truncated)))
                sums[labels] = sums.get(labels, 0) + count
            for labels, count in sums.items():
                responses.add_metric(labels, count)
        yield responses
        for name, (text, read) in self._counters.items():
            yield CounterMetricFamily(f"fairlead_dns_{name}", text, value=read())
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"fairlead_dns_{name}", text, value=read())
