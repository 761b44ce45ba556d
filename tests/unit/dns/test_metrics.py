"""What was counted, as Prometheus reads it."""

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.dns.site import Site

from fairlead.dns.metrics import DnsCollector
from fairlead.dns.numbers import Numbers
from fairlead.dns.tallies import DURATIONS_MAX_S, Durations, kind_of


def numbers_of(site: Site) -> Numbers:
    return Numbers(
        ready=Counter(dict(site.model.table.count())), parsed=Counter(dict(site.responder.tallies))
    )


def exported(numbers: Numbers) -> dict[tuple[str, tuple[str, ...]], float]:
    registry = CollectorRegistry()
    registry.register(DnsCollector(lambda: numbers, records=lambda: 7, workers=lambda: 2))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_response_is_counted_once_by_what_it_was() -> None:
    site = Site({"web.skydns.test": {"host": "10.0.0.1"}})
    for _ in range(3):
        site.ask("web.skydns.test")
    site.ask("nothing.skydns.test", "AAAA")
    site.send(b"\0\1" + bytes(10))
    found = exported(numbers_of(site))
    assert found["fairlead_dns_responses_total", ("NOERROR", "table", "0", "A")] == 5
    assert found["fairlead_dns_responses_total", ("NOERROR", "parsed", "0", "A")] == 1
    assert found["fairlead_dns_responses_total", ("NXDOMAIN", "parsed", "0", "AAAA")] == 2
    assert found["fairlead_dns_responses_total", ("FORMERR", "parsed", "0", "other")] == 1
    assert found["fairlead_dns_records", ()] == 7
    assert found["fairlead_dns_workers", ()] == 2


def test_skydns_names_are_there_and_its_variables_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site({"web.skydns.test": {"host": "10.0.0.1"}})
    site.ask("web.skydns.test")
    site.ask("nothing.skydns.test")
    numbers = numbers_of(site)
    found = exported(numbers)
    assert found["skydns_skydns_dns_request_count_total", ("auth",)] == 4
    assert found["skydns_skydns_dns_error_count_total", ("nxdomain", "auth")] == 2
    assert found["skydns_skydns_dns_cachemiss_count_total", ("response",)] == 3
    assert found["skydns_skydns_dns_response_size_bytes_bucket", ("+Inf",)] == 4
    monkeypatch.setenv("PROMETHEUS_NAMESPACE", "ours")
    monkeypatch.setenv("PROMETHEUS_SUBSYSTEM", "")
    assert ("ours_dns_request_count_total", ("auth",)) in exported(numbers)


def test_what_is_dropped_from_the_table_stays_counted() -> None:
    site = Site({"web.skydns.test": {"host": "10.0.0.1"}})
    for _ in range(3):
        site.ask("web.skydns.test")
        site.put({"web.skydns.test": {"host": "10.0.0.2"}})
    assert exported(numbers_of(site))["fairlead_dns_responses_total", ("NOERROR", "table", "0", "A")] == 3


def test_queries_that_came_together_share_their_time() -> None:
    durations = Durations()
    durations.add(64 * 4e-6, 64)
    durations.add(1.0, 1)
    assert durations.counts == [64, *[0] * (len(DURATIONS_MAX_S) - 1), 1]
    numbers = Numbers(durations=durations.counts, durations_sum_s=durations.sum_s)
    found = exported(numbers)
    assert found["fairlead_dns_request_duration_seconds_bucket", ("+Inf",)] == 65
    assert found["fairlead_dns_request_duration_seconds_sum", ()] == pytest.approx(1.000256)


def test_numbers_of_processes_add_up_and_of_the_dead_no_gauges_stay() -> None:
    kind = kind_of(1, bytes(50))
    one, other = Numbers(), Numbers()
    one.ready[kind], other.ready[kind] = 2, 3
    one.gauges["tcp_connections"], other.gauges["tcp_connections"] = 4, 5
    one.counters["udp_unsent_responses"] = 1
    total = one + other.without_gauges()
    assert (total.ready[kind], total.gauges["tcp_connections"], total.counters["udp_unsent_responses"]) == (
        5,
        4,
        1,
    )


def test_a_response_code_of_somebody_else_is_a_number() -> None:
    numbers = Numbers()
    numbers.parsed[kind_of(1, b"\0\0\x80\x07" + bytes(8))] = 1
    assert exported(numbers)["fairlead_dns_responses_total", ("7", "parsed", "0", "A")] == 1
