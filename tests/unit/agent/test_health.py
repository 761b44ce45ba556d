import pytest
from prometheus_client import CollectorRegistry, Gauge

from fairlead.agent import Asked, Page
from fairlead.agent.health import HealthPages


def pages(*, is_ready: bool = True) -> HealthPages:
    metrics = CollectorRegistry()
    Gauge("fairlead_test_things_count", "Things.", registry=metrics).set(3)
    own = {"/own": lambda query: Page(body=query["of"].encode())}
    return HealthPages(is_ready=lambda: is_ready, metrics=metrics, extra=own)


def get(path: str, **query: str) -> Asked:
    return Asked(path=path, query=query, fields={})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 404),
        ("POST", "/healthz", 405),
    ],
)
def test_each_request_has_its_status(method: str, path: str, status: int) -> None:
    assert pages().answer(Asked(method=method, path=path, query={}, fields={})).status == status


def test_an_agent_that_is_not_ready_is_alive_but_gets_no_traffic() -> None:
    not_ready = pages(is_ready=False)

    assert not_ready.answer(get("/readyz")).status == 503
    assert not_ready.answer(get("/healthz")).status == 200


def test_metrics_are_in_the_format_that_prometheus_reads() -> None:
    answer = pages().answer(get("/metrics"))

    assert answer.kind.startswith("text/plain; version=0.0.4")
    assert b"\nfairlead_test_things_count 3.0\n" in answer.body


def test_an_agent_has_pages_of_its_own_and_says_which() -> None:
    assert pages().answer(get("/own", of="mine")).body == b"mine"
    assert pages().answer(get("/other")).body == b"try /healthz, /readyz, /own or /metrics\n"
