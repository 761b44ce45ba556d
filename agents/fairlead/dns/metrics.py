"""The name server's numbers for /metrics, read when they are asked for: the hot path counts in plain integers."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fairlead.dns.message import Rcode
from fairlead.dns.numbers import Numbers
from fairlead.dns.tallies import DURATIONS_MAX_S, SIZES_MAX, Kind

_COUNTERS: Final = {
    "udp_unsent_responses": "UDP responses that the system did not take.",
    "tcp_refused_connections": "Connections beyond the limits.",
    "faults": "Queries answered SERVFAIL for a fault of ours; the log says which.",
    "tls_failed_handshakes": "TLS connections that came to nothing.",
    "rate_limited_dropped": "Responses that rate limits kept back.",
    "rate_limited_truncated": "Responses that rate limits sent truncated.",
    "signatures_made": "RRSIG records made.",
    "signatures_reused": "RRSIG records found in the signature cache.",
    "transfers_served": "Whole zones given.",
    "transfers_refused": "Whole zones refused.",
    "notifications_acknowledged": "Changes that a secondary has acknowledged.",
    "notifications_given_up": "Changes that a secondary never acknowledged.",
    "suppressed_log_lines": "Lines of the query log beyond what is written in a second.",
    "forward_cache_hits": "Forwarded questions that the cache answered.",
    "forward_cache_misses": "Forwarded questions that it did not.",
    "forward_stale_answers": "Answers given after their end, since no upstream answered.",
    "forward_failures": "Questions that no upstream has answered.",
    "forward_refused": "Questions that were not forwarded, since too much was under way.",
    "forward_bogus_answers": "Packets from upstreams that were no answer to what was asked.",
    "forward_loops": "Questions that came back to us.",
    "health_probes": "Probes of servers.",
}
_GAUGES: Final = {
    "table_entries": "Compiled answers kept.",
    "tcp_connections": "Open connections, by TCP, TLS and HTTPS.",
    "forwarding": "Questions being answered elsewhere.",
    "rate_limit_accounts": "Clients and answers that rate limits count.",
    "forward_cache_answers": "Answers of others that are kept.",
    "forward_cache_bytes": "Memory that they take.",
    "forward_in_flight": "Questions to upstreams under way.",
}


class DnsCollector(Collector):
    """Exports what all processes of one name server have counted.

    Args:
        read: gives the numbers.
        records: gives how many records are served.
        workers: gives how many processes answer.
    """

    def __init__(
        self, read: Callable[[], Numbers], *, records: Callable[[], int], workers: Callable[[], int]
    ) -> None:
        self._read = read
        self._records = records
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as of now."""
        numbers = self._read()
        yield _responses(numbers)
        yield _histogram("fairlead_dns_response_size_bytes", "Sizes of responses.", _sizes(numbers), None)
        yield _durations("fairlead_dns_request_duration_seconds", numbers)
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"fairlead_dns_{name}", text, value=numbers.counters[name])
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"fairlead_dns_{name}", text, value=numbers.gauges[name])
        yield GaugeMetricFamily("fairlead_dns_records", "Records served.", value=self._records())
        yield GaugeMetricFamily("fairlead_dns_workers", "Processes that answer.", value=self._workers())
        yield from _skydns(numbers)


def _responses(numbers: Numbers) -> Metric:
    responses = CounterMetricFamily(
        "fairlead_dns_responses",
        "Responses, by whether they were ready, type of question and response code.",
        labels=["source", "type", "rcode", "truncated"],
    )
    for source, counts in (("table", numbers.ready), ("parsed", numbers.parsed)):
        sums: Counter[tuple[str, ...]] = Counter()
        for kind, count in counts.items():
            sums[source, kind.qtype, _rcode(kind.rcode), str(int(kind.is_truncated))] += count
        for labels, count in sorted(sums.items()):
            responses.add_metric(labels, count)
    return responses


def _skydns(numbers: Numbers) -> Iterator[Metric]:
    """Yield SkyDNS's metrics under its names, so that dashboards made for it go on working.

    As with SkyDNS, PROMETHEUS_NAMESPACE and PROMETHEUS_SUBSYSTEM change what the names begin with.
    """
    prefix = "_".join(
        part
        for part in (
            os.environ.get("PROMETHEUS_NAMESPACE", "skydns"),
            os.environ.get("PROMETHEUS_SUBSYSTEM", "skydns"),
            "dns",
        )
        if part
    )
    both: Counter[Kind] = numbers.ready + numbers.parsed
    requests = CounterMetricFamily(f"{prefix}_request_count", "Responses.", labels=["system"])
    requests.add_metric(["auth"], both.total())
    yield requests
    errors = CounterMetricFamily(
        f"{prefix}_error_count", "Responses with an error.", labels=["system", "cause"]
    )
    for rcode in sorted({kind.rcode for kind in both if kind.rcode}):
        cause = _rcode(rcode).lower()
        errors.add_metric(["auth", cause], sum(n for kind, n in both.items() if kind.rcode == rcode))
    yield errors
    misses = CounterMetricFamily(f"{prefix}_cachemiss_count", "Responses not ready.", labels=["cache"])
    misses.add_metric(["response"], numbers.parsed.total())
    yield misses
    yield _histogram(f"{prefix}_response_size_bytes", "Sizes of responses.", _sizes(numbers), None)
    yield _durations(f"{prefix}_request_duration_seconds", numbers)


def _durations(name: str, numbers: Numbers) -> Metric:
    buckets = list(zip((*map(str, DURATIONS_MAX_S), "+Inf"), numbers.durations, strict=True))
    return _histogram(
        name,
        "Time spent on a UDP query; what came together is timed together.",
        buckets,
        numbers.durations_sum_s,
    )


def _sizes(numbers: Numbers) -> list[tuple[str, int]]:
    sizes: Counter[int] = Counter()
    for kind, count in (numbers.ready + numbers.parsed).items():
        sizes[kind.size_max] += count
    return [*((str(most), sizes[most]) for most in SIZES_MAX), ("+Inf", 0)]


def _histogram(name: str, text: str, buckets: list[tuple[str, int]], total: float | None) -> Metric:
    cumulative, count = [], 0
    for most, here in buckets:
        count += here
        cumulative.append((most, float(count)))
    return HistogramMetricFamily(name, text, buckets=cumulative, sum_value=total)


def _rcode(rcode: int) -> str:
    try:
        return Rcode(rcode).name
    except ValueError:  # somebody else's answer may have any
        return str(rcode)
