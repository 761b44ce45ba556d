"""What Prometheus and the access log say of the requests."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.unit.proxy.harness import Upstream, eventually, running, status_of

from fairlead.proxy.access_log import AccessLog
from fairlead.proxy.record import Refused
from fairlead.proxy.stats import Stats, StatsCollector


def test_requests_are_counted_by_class_and_by_duration() -> None:
    stats = Stats()
    for status, duration_us in ((200, 100), (204, 3000), (404, 5), (502, 10**9), (499, 1)):
        stats.answered(status, duration_us)
    registry = CollectorRegistry()
    registry.register(StatsCollector(stats))
    text = generate_latest(registry).decode()
    assert 'fairlead_proxy_requests_total{code="2xx"} 2.0' in text
    assert 'fairlead_proxy_requests_total{code="client_gone"} 1.0' in text
    assert 'fairlead_proxy_request_duration_seconds_bucket{le="0.000128"} 3.0' in text
    assert 'fairlead_proxy_request_duration_seconds_bucket{le="+Inf"} 5.0' in text
    assert "fairlead_proxy_request_duration_seconds_count 5.0" in text


def test_a_line_says_when_to_the_millisecond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(str(tmp_path / "log"))
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 1_700_000_000.0075)
        log.note(Refused(400, peer=b"127.0.0.1"))
    log.close()
    assert (tmp_path / "log").read_text().startswith('{"time":1700000000.007,')


async def test_the_access_log_has_one_line_for_each_request(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with running(Upstream()) as proxy:
        log = AccessLog(str(path))
        proxy.service.observers = (log.note,)
        proxy.service.on_tick = (lambda _: log.flush(),)
        await proxy.get("/a?b=???", host="H.example")
        await eventually(path.read_text)
        log.close()
    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert line["duration_us"] > 0
    assert {
        name: line[name] for name in ("client", "method", "host", "target", "status", "frontend", "revision")
    } == {
        "client": "127.0.0.1",
        "method": "GET",
        "host": "h.example",
        "target": "/a?b=???",
        "status": 200,
        "frontend": "f",
        "revision": 1,
    }


async def test_what_a_client_writes_cannot_end_its_text_in_the_access_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with running(Upstream()) as proxy:
        log = AccessLog(str(path))
        proxy.service.observers = (log.note,)
        await proxy.get('/a"\\b', extra="X-A: 1\r\n")
        peer = await proxy.connect()
        await peer.ask(b"bad\r\n\r\n")
        log.close()
    good, bad = [json.loads(line) for line in path.read_text().splitlines()]
    assert (good["target"], good["client"]) == ('/a"\\b', "127.0.0.1")
    assert (bad["status"], bad["client"], bad["flag"]) == (400, "127.0.0.1", "DPE")


async def test_lines_of_the_common_log_format_cannot_be_forged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with running(Upstream()) as proxy:
        log = AccessLog(str(path), form="combined")
        proxy.service.observers = (log.note,)
        await proxy.get('/a"b', extra='User-Agent: x" 200 5 "\xff\r\nReferer: \\\r\n')
        moved = tmp_path / "log.1"
        log.flush()
        path.rename(moved)
        log.reopen()
        await proxy.get("/b")
        log.close()
    (line,) = moved.read_text().splitlines()
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\\"b HTTP/1\.1" 200 2'
        r' "\\\\" "x\\" 200 5 \\"\\xc3\\xbf"',
        line,
    ), line
    assert '"GET /b HTTP/1.1" 200 2 "-" "-"' in path.read_text()


async def test_a_frontend_may_stay_out_of_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with running(Upstream()) as proxy:
        log = AccessLog(str(path))
        proxy.service.observers += (log.note,)
        route = {"BackendId": "b", "Route": 'Path("/up")', "Priority": 1, "AccessLog": False}
        proxy.put({"frontends/up/frontend": route})
        for each in ("/up", "/seen", "/up"):
            assert status_of((await proxy.get(each))[0]) == 200
        log.close()
    assert [json.loads(line)["target"] for line in path.read_text().splitlines()] == ["/seen"]
