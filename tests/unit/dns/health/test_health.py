"""Checks in keys: what they say, when they are made, what they find, and whose finding counts."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from tests.support.ports import free_port
from tests.unit.dns.site import Site

from fairlead.checks import Prober
from fairlead.dns import names
from fairlead.dns.errors import BadRecordError
from fairlead.dns.health.check import Check, parse_check
from fairlead.dns.health.doctor import GRACE_S, down_key, owner_of, target_of
from fairlead.dns.health.findings import Findings
from fairlead.dns.health.probe import new_prober, probe
from fairlead.dns.health.schedule import Schedule, Target
from fairlead.dns.health.state import Verdict

OWNER = names.from_text("a.web.skydns.test")


def test_a_check_is_read_with_its_defaults() -> None:
    assert parse_check({}) is None
    assert parse_check({"check": {"http": "/healthz", "interval": "2s"}}) == Check(path="/healthz")
    assert parse_check(
        {"check": {"tcp": True, "timeout": "250ms", "fall": 3, "rise": 1, "port": 99}}
    ) == Check(timeout_s=0.25, fall=3, rise=1, port=99)
    assert parse_check({"check": {"https": "/", "host": "www.example", "interval": "1m"}}) == Check(
        path="/", is_tls=True, host="www.example", interval_s=60
    )
    fast = parse_check({"check": {"tcp": True, "interval": "1ms"}})
    assert fast is not None
    assert fast.interval_s == 0.5, "no faster than that"


@pytest.mark.parametrize(
    "check",
    [
        "http",
        {},
        {"http": "/", "tcp": True},
        {"http": "healthz"},
        {"http": "/a b"},
        {"http": "/\r\nX: y"},
        {"tcp": True, "interval": "soon"},
        {"tcp": True, "interval": "0s"},
        {"tcp": True, "fall": 0},
        {"tcp": True, "port": 70000},
        {"http": "/", "host": "a\r\nb"},
    ],
)
def test_a_check_that_is_none_costs_its_record(check: object) -> None:
    with pytest.raises(BadRecordError, match="check"):
        parse_check({"check": check})


def test_a_server_is_ill_after_some_failures_in_a_row_and_well_after_some_successes() -> None:
    check, verdict = Check(fall=3, rise=2), Verdict()
    story = ["", "x", "x", "", "x", "x", "x", "", "x", "", ""]
    turns = [number for number, failure in enumerate(story) if verdict.take(failure, check=check)]
    assert turns == [6, 10]


def test_who_has_never_been_seen_well_is_ill_at_the_first_failure() -> None:
    verdict = Verdict()
    assert verdict.take("refused", check=Check(fall=3))
    assert not verdict.is_up


def targets(count: int, **fields: object) -> dict[bytes, Target]:
    return {
        bytes((1, n, 0)): Target(bytes((1, n, 0)), "10.0.0.1", 80, Check(**fields))  # type: ignore[arg-type]
        for n in range(count)
    }


def test_probes_are_spread_over_the_interval_and_come_once_in_each() -> None:
    schedule = Schedule(rng=random.Random(1))
    schedule.set(targets(200, interval_s=2.0), now_s=0)
    per_tenth = [len(schedule.take_due(now_s=tenth / 10)) for tenth in range(1, 101)]
    assert 900 <= sum(per_tenth) <= 1100
    assert max(per_tenth) < 30


def test_a_target_that_changes_or_goes_is_not_probed_as_it_was() -> None:
    schedule = Schedule(rng=random.Random(1))
    schedule.set(targets(3), now_s=0)
    changed = targets(2)
    changed[b"\1\0\0"] = Target(b"\1\0\0", "10.0.0.9", 80, Check())
    schedule.set(changed, now_s=0)
    due = schedule.take_due(now_s=10)
    assert sorted((target.owner, target.host) for target in due) == [
        (b"\1\0\0", "10.0.0.9"),
        (b"\1\1\0", "10.0.0.1"),
    ]
    schedule.set(targets(2), now_s=10)
    assert len(schedule) == 2


def test_only_records_with_an_address_and_a_port_can_be_probed() -> None:
    def target(**fields: object) -> Target | None:
        site = Site({"a.skydns.test": {"check": {"tcp": True}, **fields}})
        record = site.model.tree.own(names.from_text("a.skydns.test"))
        assert record is not None
        return target_of(record)

    assert target(host="10.0.0.1") is None
    assert target(host="b.skydns.test", port=80) is None
    found = target(host="2001:db8::1", port=80)
    assert found is not None
    assert (found.host, found.port) == ("2001:db8::1", 80)


class Web:
    """A server that answers as it is told."""

    def __init__(self) -> None:
        self.response: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            if self.response is None:
                await asyncio.sleep(5)
            else:
                writer.write(self.response)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def web() -> AsyncIterator[tuple[Web, int]]:
    made = Web()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    made = new_prober()
    yield made
    await made.close()


async def test_http_is_well_by_its_status(web: tuple[Web, int], prober: Prober) -> None:
    server, port = web
    target = Target(OWNER, "127.0.0.1", port, Check(path="/healthz", host="www.example"))
    assert await probe(prober, target) == ""
    assert b"GET /healthz " in server.heads[0]
    assert b"Host: www.example" in server.heads[0]
    server.response = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    assert await probe(prober, target) == "status 503"
    server.response = b"HTTP/1.1 302 There\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
    assert await probe(prober, target) == "", "and is not followed"
    server.response = b"garbage\r\n\r\n"
    assert await probe(prober, target) != ""


async def test_silence_and_a_closed_port_are_failures(web: tuple[Web, int], prober: Prober) -> None:
    server, port = web
    server.response = None
    assert "within 0.1 s" in await probe(
        prober, Target(OWNER, "127.0.0.1", port, Check(path="/", timeout_s=0.1))
    )
    assert await probe(prober, Target(OWNER, "127.0.0.1", free_port(), Check())) != ""
    assert await probe(prober, Target(OWNER, "127.0.0.1", port, Check())) == ""


def test_findings_count_while_their_prober_lives_and_for_a_grace_after_it() -> None:
    findings, key = Findings(), down_key(OWNER)
    assert owner_of(key) == OWNER
    assert findings.take({key: b'{"reason": "refused"}'}, [], has_prober=True, now_s=0) == {OWNER}
    assert findings.down == {OWNER: "refused"}
    assert findings.take({}, [key], has_prober=False, now_s=1) == set(), (
        "its prober is gone: nobody knows better"
    )
    assert findings.expire(now_s=GRACE_S) == set()
    assert findings.take({key: b"?"}, [], has_prober=True, now_s=2) == set(), "the next one says so too"
    assert findings.expire(now_s=99) == set()
    assert findings.take({}, [key], has_prober=True, now_s=100) == {OWNER}, "found well"
    assert findings.down == {}


def test_findings_nobody_confirms_are_over_after_the_grace() -> None:
    findings, key = Findings(), down_key(OWNER)
    findings.take({key: b"{}"}, [], has_prober=True, now_s=0)
    findings.take({}, [key], has_prober=False, now_s=1)
    assert findings.expire(now_s=1 + GRACE_S) == {OWNER}
