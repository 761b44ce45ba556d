"""What the process that starts the workers makes of what they say; the processes themselves are in the end-to-end tests."""

import asyncio
from pathlib import Path

import pytest

from fairlead.agent import Asked, Page
from fairlead.proxy.admin import Numbers, Tallies, Tally
from fairlead.proxy.middleware.connlimit import make as make_connections
from fairlead.proxy.middleware.ratelimit.limiter import make as make_rate
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.world import World
from fairlead.proxy.rolling import Rolling
from fairlead.proxy.workers.desk import Desk, Health, PageWanted, ask
from fairlead.proxy.workers.pages import WorkerPages
from fairlead.proxy.workers.sums import Sums

TEXT = """# HELP fairlead_x_total Things.
# TYPE fairlead_x_total counter
fairlead_x_total{{code="2xx"}} {count}
# HELP fairlead_agent_mirror_age_seconds Age.
# TYPE fairlead_agent_mirror_age_seconds gauge
fairlead_agent_mirror_age_seconds {age}
# HELP fairlead_proxy_client_connections Open.
# TYPE fairlead_proxy_client_connections gauge
fairlead_proxy_client_connections {clients}
# HELP fairlead_s_seconds Time.
# TYPE fairlead_s_seconds histogram
fairlead_s_seconds_bucket{{le="1.0"}} {count}
fairlead_s_seconds_bucket{{le="+Inf"}} {count}
fairlead_s_seconds_count {count}
fairlead_s_seconds_sum {count}
"""


def said(count: float, *, age: float = 0.0, clients: int = 0) -> str:
    return TEXT.format(count=count, age=age, clients=clients)


def asked(path: str, method: str = "GET") -> Asked:
    return Asked(path=path, method=method, query={}, fields={})


def test_counters_and_connections_add_up_and_ages_are_the_worst() -> None:
    shown = Sums().shown([said(2, age=1.5, clients=3), said(5, age=0.5, clients=4)]).decode()
    assert 'fairlead_x_total{code="2xx"} 7.0\n' in shown
    assert "fairlead_agent_mirror_age_seconds 1.5\n" in shown
    assert "fairlead_proxy_client_connections 7.0\n" in shown
    assert 'fairlead_s_seconds_bucket{le="+Inf"} 7.0\n' in shown
    assert "fairlead_s_seconds_count 7.0\n" in shown
    assert "# TYPE fairlead_s_seconds histogram\n" in shown


def test_what_a_worker_that_is_gone_had_counted_stays_and_its_connections_do_not() -> None:
    sums = Sums()
    sums.shown([said(2, clients=3), said(5, clients=4)])
    sums.retire(said(5, clients=4))
    shown = sums.shown([said(3, clients=3)]).decode()
    assert 'fairlead_x_total{code="2xx"} 8.0\n' in shown
    assert "fairlead_proxy_client_connections 3.0\n" in shown


def test_a_counter_never_goes_back_whatever_was_heard_last() -> None:
    sums = Sums()
    sums.shown([said(10), said(10)])
    sums.retire(said(4))
    assert 'fairlead_x_total{code="2xx"} 20.0\n' in sums.shown([said(10)]).decode()
    assert 'fairlead_x_total{code="2xx"} 21.0\n' in sums.shown([said(17)]).decode()


def test_windows_and_tallies_add_up() -> None:
    mine, theirs = Tallies(), Tallies()
    for tallies, name, status in ((mine, "f", 200), (theirs, "f", 502), (theirs, "g", 200)):
        tallies.frontends.setdefault(name, Tally()).note(status, 1000, now_s=5.0)
        tallies.servers.setdefault(("b", "s"), Tally()).note(status, 1000, now_s=5.0)
        tallies.flags["UF"] = tallies.flags.get("UF", 0) + 1
    mine.add(theirs)
    assert mine.frontends["f"].window.statuses(5.0) == {200: 1, 502: 1}
    assert mine.frontends["f"].by_class == [0, 0, 1, 0, 0, 1]
    assert mine.servers["b", "s"].duration_us == 3000
    assert (sorted(mine.frontends), mine.flags) == (["f", "g"], {"UF": 3})
    empty = Rolling()
    empty.add(mine.frontends["g"].window)
    assert empty.latency_us(50, now_s=5.0) == mine.frontends["g"].window.latency_us(50, now_s=5.0) > 0
    empty.record(200, 1, now_s=5.0)
    assert theirs.frontends["g"].window.total(5.0) == 1, "nothing is shared"


async def test_the_first_worker_that_answers_makes_a_page_of_the_numbers_of_all(tmp_path: Path) -> None:
    desks = [tmp_path / name for name in ("gone", "one", "two")]
    health = Health(metrics=said(1).encode(), is_ready=True, degraded="the store is away")
    one, two = Desk(lambda: health), Desk(lambda: health)
    two.numbers = lambda: Numbers(servers={("b", "s"): {"requests": 7}})
    one.page = lambda told, others: Page(
        body=f"{told.path} {[dict(each.servers) for each in others]}".encode()
    )
    pages = WorkerPages(lambda: desks, count=2)
    assert (await pages.answer_admin(asked("/top"))).status == 503
    async with one.open(desks[1]), two.open(desks[2]):
        made = await pages.answer_admin(asked("/top"))
        assert made.body == b"/top [{('b', 's'): {'requests': 7}}]"
        readiness = pages.answer_health(asked("/readyz"))
        assert not isinstance(readiness, Page)
        assert (await readiness).body == b"ready, the store is away\n"
        metrics = pages.answer_health(asked("/metrics"))
        assert not isinstance(metrics, Page)
        assert b'fairlead_x_total{code="2xx"} 2.0\n' in (await metrics).body
        assert await ask(desks[1], PageWanted(asked("/x"), ())) == Page(body=b"/x []")
    for path, method, status in (("/healthz", "GET", 200), ("/other", "GET", 404), ("/metrics", "POST", 405)):
        answer = pages.answer_health(asked(path, method))
        assert isinstance(answer, Page)
        assert answer.status == status
    readiness = pages.answer_health(asked("/readyz"))
    assert not isinstance(readiness, Page)
    assert (await readiness).status == 503


async def test_a_worker_that_says_nothing_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.proxy.workers.desk.ANSWER_S", 0.05)
    held = []
    server = await asyncio.start_unix_server(lambda *both: held.append(both), tmp_path / "mute")
    assert await ask(tmp_path / "mute", Health) is None
    server.close()
    for _, writer in held:
        writer.close()


async def test_a_worker_has_its_part_of_every_limit() -> None:
    """Of those that all proxies keep together it has what the ledger says."""
    world = World(workers=4)
    settings = {"Requests": 8, "PeriodSeconds": 1, "Burst": 6, "Connections": 10}
    rate = make_rate(Spec(settings, where=""), tools=world.tools, previous=None)
    taken = [rate.take(b"x", rates=rate._rates, now_s=now_s) for now_s in (0.0, 0.0, 0.5, 0.5)]
    assert taken == [0, 500_000_000, 0, 500_000_000], "one at a time, two a second"
    assert make_connections(Spec(settings, where=""), tools=world.tools, previous=None).connections == 2
    shared = Spec({**settings, "Cluster": True}, where="")
    assert make_connections(shared, tools=world.tools, previous=None).connections == 10
    assert make_rate(shared, tools=world.tools, previous=None)._rates[0].burst == 6
    await world.close()
