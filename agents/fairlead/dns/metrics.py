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
        self._responder = responder
        self._counters: dict[str, tuple[str, Callable[[], int]]] = {
            "table_answers": (
                "Queries answered straight from the table.",
                lambda: responder.answered_from_table,
            ),
            "truncated_answers": ("Answers sent with TC.", lambda: responder.truncated),
            "udp_unsent_answers": (
                "UDP answers that the system did not take.",
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
        }

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as of now."""
        answers = CounterMetricFamily(
            "fairlead_dns_parsed_answers", "Queries that were parsed, by response code.", labels=["rcode"]
        )
        for rcode, count in sorted(self._responder.rcodes.items()):
            answers.add_metric([Rcode(rcode).name], count)
        yield answers
        for name, (text, read) in self._counters.items():
            yield CounterMetricFamily(f"fairlead_dns_{name}", text, value=read())
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"fairlead_dns_{name}", text, value=read())
