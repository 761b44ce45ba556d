"""Requests that may go to several backends: canaries, fallbacks, mirrors, and names as backends."""

import json
from collections import Counter
from random import Random

import pytest
from tests.unit.proxy.balance.asking import plan
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, fields_of, running, status_of
from tests.unit.proxy.test_balancing import Named
from tests.unit.proxy.test_routes import Configured

from fairlead.proxy.balance.deck import Deck
from fairlead.proxy.discovery import Discovery
from fairlead.proxy.mirror import Mirroring
from fairlead.proxy.model import Frontend
from fairlead.proxy.split import Split
from fairlead.proxy.state import Group

GET = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n"


def groups(config: Configured, *names: str) -> dict[str, Group]:
    config.put({f"/vulcand/backends/{name}/servers/s": {"URL": "http://h"} for name in names})
    return dict(config.now.groups)


def frontend(**fields: object) -> Frontend:
    config = Configured()
    base = {"BackendId": "main", "Route": 'Path("/")'}
    config.put({"/vulcand/frontends/f/frontend": {**base, **fields}})
    return config.routes.catalog.frontends["f"]


def test_percents_are_parts_of_one_whole() -> None:
    there = groups(Configured(), "main", "c1", "c2")
    split = Split(
        frontend(Canary=[{"BackendId": "c1", "Percent": 10}, {"BackendId": "c2", "Percent": 25}]),
        rng=Random(1),
    )
    for _ in range(3):
        # A twentieth is the largest part that both are made of, so that twenty requests have them exactly.
        seen = Counter(group.backend.id for _ in range(20) if (group := split(plan(), there, 0.0)))
        assert seen == {"c1": 2, "c2": 5, "main": 13}


def test_shares_are_exact_soon_and_in_no_order_to_rely_on() -> None:
    deck = Deck([0.25], rng=Random(7))
    deals = [tuple(deck.random() < 0.25 for _ in range(4)) for _ in range(50)]
    assert {sum(deal) for deal in deals} == {1}
    assert len(set(deals)) == 4, "it is not always the same one of four"
    thirds = Deck([1 / 3, 1 / 3], rng=Random(7))
    assert sorted(int(thirds.random() * 3) for _ in range(9)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    odd = Deck([0.123456789], rng=Random(7))
    assert sum(odd.random() < 0.123456789 for _ in range(100_000)) == pytest.approx(12_345, abs=100)
    assert [Deck([], rng=Random(7)).random(), Deck([0.0, 1.0], rng=Random(7)).random()] == [0.5, 0.5]


def test_who_asks_for_a_canary_gets_it() -> None:
    there = groups(Configured(), "main", "c1", "c2")
    split = Split(
        frontend(
            Canary=[
                {"BackendId": "c1", "Header": "X-Try=1", "Cookie": "try"},
                {"BackendId": "c2", "Header": "X-New"},
            ]
        ),
        rng=Random(1),
    )

    def chosen(**headers: str) -> str:
        group = split(plan(**headers), there, 0.0)
        assert group is not None
        return group.backend.id

    assert chosen() == "main"
    assert (chosen(x_try="1"), chosen(x_try="2"), chosen(cookie="try=0")) == ("c1", "main", "c1")
    assert chosen(x_new="whatever") == "c2"
    there["c1"] = groups(config := Configured(), "c1")["c1"]
    config.put({"/vulcand/backends/c1/backend": {}}, delete=("/vulcand/backends/c1/servers/s",))
    there["c1"] = config.now.groups["c1"]
    assert chosen(x_try="1") == "main", "a canary that has died takes nobody along"


def test_the_fallback_is_asked_when_nobody_else_is_fit() -> None:
    config = Configured()
    there = groups(config, "main", "spare")
    split = Split(frontend(Fallback="spare"), rng=Random(1))

    def chosen() -> str | None:
        group = split(plan(), config.now.groups, 1.0)
        return group.backend.id if group else None

    assert chosen() == "main"
    assert there["main"].servers
    config.put({"/vulcand/backends/main/backend": {"Balance": "leastconn"}})
    state = config.now.groups["main"].servers[0]
    state.standing.is_healthy = False
    config.routes._registry._memories["main"].changed()
    assert chosen() == "spare"
    config.put({}, delete=("/vulcand/backends/spare/servers/s",))
    assert chosen() == "main", "without a fallback it is better than nothing"


async def test_a_canary_and_a_fallback_on_the_data_path() -> None:
    main, canary = Named("main"), Named("canary")
    async with running(main) as proxy:
        await canary.start()
        route = {"BackendId": "b", "Route": 'PathRegexp("/.*")'}
        proxy.put(
            {
                "backends/c/servers/s": {"URL": f"http://127.0.0.1:{canary.port}"},
                "frontends/f/frontend": {**route, "Canary": [{"BackendId": "c", "Cookie": "beta=1"}]},
            }
        )
        client = await proxy.connect()
        assert (await client.ask(GET % b""))[1] == b"main"
        assert (await client.ask(GET % b"Cookie: a=b; beta=1\r\n"))[1] == b"canary"
        proxy.put({"frontends/f/frontend": {**route, "Fallback": "c"}}, delete=("backends/b/servers/s0",))
        assert (await client.ask(GET % b""))[1] == b"canary"
        await canary.stop()


async def test_a_mirror_gets_copies_whose_answers_nobody_sees() -> None:
    bodies: list[bytes] = []

    async def collect(peer: Peer) -> None:
        while True:
            head = await peer.head()
            bodies.append(head.split(b" ")[0] + b" " + (await peer.exactly(5) if b"POST" in head else b""))
            await peer.send(b"HTTP/1.1 500 no\r\nContent-Length: 3\r\n\r\nbad")

    shadow = Upstream(collect)
    async with running(main := Named("main")) as proxy:
        await shadow.start()
        mirroring = Mirroring(proxy.service)
        proxy.service.observers += (mirroring.observe,)
        route = {"BackendId": "b", "Route": 'PathRegexp("/.*")', "Mirror": {"BackendId": "m"}}
        proxy.put(
            {
                "frontends/f/frontend": route,
                "backends/m/servers/s": {"URL": f"http://127.0.0.1:{shadow.port}"},
            }
        )
        client = await proxy.connect()
        assert (await client.ask(GET % b""))[1] == b"main"
        await eventually(lambda: len(bodies) == 1)
        assert main.heads[0].startswith(b"GET / ")
        proxy.put({"frontends/f/frontend": {**route, "BackendId": "m"}})
        head, body = await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert (status_of(head), body) == (500, b"bad"), "its own answer, for the one request that is for it"
        await eventually(lambda: len(bodies) == 3)
        assert bodies == [b"GET ", b"POST hello", b"POST hello"]
        await eventually(lambda: proxy.service.snapshot.groups["m"].servers[0].in_flight == 0)
        assert mirroring.sent == 2
        proxy.put({"frontends/f/frontend": {**route, "Mirror": {"BackendId": "m", "Percent": 0}}})
        await client.ask(GET % b"")
        proxy.put({}, delete=("backends/m/servers/s",))
        proxy.put({"frontends/f/frontend": route})
        await client.ask(GET % b"")
        await eventually(lambda: mirroring.dropped == 1)
        assert mirroring.sent == 2
        await shadow.stop()


async def test_each_of_several_mirrors_gets_its_part() -> None:
    first, second, none = (Upstream() for _ in range(3))
    async with running(main := Named("main")) as proxy:
        shadows = {"m": first, "n": second, "o": none}
        for each in shadows.values():
            await each.start()
        mirroring = Mirroring(proxy.service)
        proxy.service.observers += (mirroring.observe,)
        mirrors = [{"BackendId": "m"}, {"BackendId": "n", "Percent": 50}, {"BackendId": "o", "Percent": 0}]
        proxy.put(
            {
                "frontends/f/frontend": {"BackendId": "b", "Route": 'PathRegexp("/.*")', "Mirror": mirrors},
                **{
                    f"backends/{name}/servers/s": {"URL": f"http://127.0.0.1:{each.port}"}
                    for name, each in shadows.items()
                },
            }
        )
        for _ in range(4):
            assert (await proxy.get())[1] == b"main"
        await eventually(lambda: (len(first.heads), len(second.heads)) == (4, 2))
        assert (len(main.heads), none.heads, mirroring.sent) == (4, [], 6)
        proxy.put({}, delete=("backends/m/servers/s",))
        problem = proxy.board.problems[b"/vulcand/frontends/f/frontend"]
        assert "there is no backend m; it does without" in problem
        for _ in range(2):
            await proxy.get()
        await eventually(lambda: len(second.heads) == 3)
        assert mirroring.dropped == 2
        for each in shadows.values():
            await each.stop()


def put_names(config: Configured | Proxy, values: dict[str, object], *, delete: tuple[str, ...] = ()) -> None:
    puts = {f"/skydns/{key}".encode(): json.dumps(value).encode() for key, value in values.items()}
    config.routes.apply_names(puts, [f"/skydns/{key}".encode() for key in delete])


WEB = "local/skydns/svc/web"


def addresses(config: Configured, backend: str) -> dict[str, tuple[str, int, int, bool]]:
    return {
        each.server.id: (each.server.host, each.server.port, each.server.weight, each.server.is_backup)
        for each in config.now.groups[backend].servers
    }


def test_a_backend_may_be_a_name_of_the_stores_dns() -> None:
    config = Configured()
    put_names(config, {f"{WEB}/1": {"host": "10.0.0.1", "port": 80, "weight": 5}})
    assert not config.routes.names_wanted.is_set()
    config.put({"/vulcand/frontends/f/frontend": {"BackendId": "dns:web.svc", "Route": 'Path("/")'}})
    assert config.routes.names_wanted.is_set()
    assert config.board.problems == {}
    assert addresses(config, "dns:web.svc") == {"1": ("10.0.0.1", 80, 5, False)}
    state = config.now.groups["dns:web.svc"].servers[0]
    switched = len(config.snapshots)
    put_names(config, {"local/skydns/svc/other/1": {"host": "10.0.0.9", "port": 80}})
    assert len(config.snapshots) == switched, "another name's record is nobody's business here"
    put_names(config, {f"{WEB}/eu/2": {"host": "2001:db8::2", "port": 81, "priority": 20}})
    assert addresses(config, "dns:web.svc")["2.eu"] == ("2001:db8::2", 81, 100, True)
    assert config.now.groups["dns:web.svc"].servers[0] is state, "and who was there keeps what is known of it"
    put_names(config, {}, delete=(f"{WEB}/1",))
    assert set(addresses(config, "dns:web.svc")) == {"2.eu"}
    config.put({}, delete=("/vulcand/frontends/f/frontend",))
    assert "dns:web.svc" not in config.now.groups


def test_a_backend_with_settings_may_be_given_its_servers_by_a_name() -> None:
    config = Configured()
    config.put({"/vulcand/backends/b/backend": {"Discover": "dns:web.svc.skydns.local", "Balance": "p2c"}})
    put_names(
        config, {WEB: {"host": "one.example", "port": 80}, f"{WEB}/1": {"host": "10.0.0.1", "port": 80}}
    )
    config.put({"/vulcand/backends/b/servers/1": {"URL": "http://10.9.9.9"}})
    assert {name: each[0] for name, each in addresses(config, "b").items()} == {
        "@": "one.example",
        "1": "10.9.9.9",
    }
    config.put({"/vulcand/backends/b/backend": {}})
    assert set(addresses(config, "b")) == {"1"}


@pytest.mark.parametrize(
    "value",
    ["{", "[]", '{"host":1}', '{"host":"a b","port":1}', '{"host":"10.0.0.1"}', '{"port":80}', "[" * 10_000],
)
def test_a_record_that_is_no_instance_is_no_server(value: str) -> None:
    discovery = Discovery("skydns/", "skydns.local.")
    discovery.apply({b"/skydns/local/skydns/a/1": value.encode()}, [])
    assert discovery.servers_of("a", backend_id="b") == {}


def test_a_name_that_begins_another_is_another() -> None:
    discovery = Discovery("/skydns", "")
    record = b'{"host":"10.0.0.1","port":80}'
    discovery.apply({b"/skydns/a": record, b"/skydns/a/x": record, b"/skydns/ab/y": record}, [])
    assert set(discovery.servers_of("a", backend_id="b")) == {"@", "x"}
    assert discovery.concerns("a", [b"/skydns/a/x"])
    assert not discovery.concerns("a", [b"/skydns/ab/y"])


async def test_clients_stay_with_the_part_that_they_were_dealt_while_it_can_serve() -> None:
    main, new = Named("main"), Named("new")
    where = {
        "Type": "http", "BackendId": "b", "Route": 'PathRegexp("/.*")', "Sticky": {"Cookie": "part", "Path": "/x"},
        "Canary": [{"BackendId": "new", "Percent": 50, "Header": "X-Try"}],
    }  # fmt: skip
    async with running(main) as proxy:
        await new.start()
        server = {"URL": f"http://127.0.0.1:{new.port}"}
        proxy.put({"backends/new/servers/s": server, "frontends/f/frontend": where})
        cookies: dict[bytes, str] = {}
        for _ in range(4):
            head, body = await proxy.get()
            cookies[body] = fields_of(head)["set-cookie"][0]
        assert set(cookies) == {b"main", b"new"}
        sent = {body: f"Cookie: a=b; {cookie.partition(';')[0]}\r\n" for body, cookie in cookies.items()}
        for body, cookie in cookies.items():
            assert cookie.endswith("; Path=/x; HttpOnly; SameSite=Lax")
            for _ in range(5):
                head, answer = await proxy.get(extra=sent[body])
                assert (answer, "set-cookie" in fields_of(head)) == (body, False)
        head, answer = await proxy.get(extra=sent[b"main"] + "X-Try: 1\r\n")
        assert (answer, "set-cookie" in fields_of(head)) == (b"new", False), "who asks for a part gets it"
        head, _ = await proxy.get(extra="Cookie: part=nonsense\r\n")
        assert "set-cookie" in fields_of(head)
        proxy.put({"backends/new/servers/s": {**server, "State": "maintenance"}})
        head, answer = await proxy.get(extra=sent[b"new"])
        assert (answer, fields_of(head)["set-cookie"]) == (b"main", [cookies[b"main"]]), "and is told so"
        await new.stop()


async def test_an_answer_of_the_proxys_own_tells_nobody_where_to_stay() -> None:
    """A head that comes again has the plan of the first; where that one was sent is its own."""
    limit = {
        "Id": "r",
        "Type": "ratelimit",
        "Middleware": {"PeriodSeconds": 3600, "Requests": 1, "Burst": 1, "Variable": "client.ip"},
    }
    where = {
        "Type": "http", "BackendId": "b", "Route": 'PathRegexp("/.*")', "Sticky": {"Cookie": "part"},
        "Canary": [{"BackendId": "new", "Percent": 50}],
    }  # fmt: skip
    async with running(Upstream()) as proxy:
        proxy.put({"frontends/f/frontend": where, "frontends/f/middlewares/r": limit})
        client = await proxy.connect()
        first, _ = await client.ask(GET % b"")
        assert (status_of(first), "set-cookie" in fields_of(first)) == (200, True)
        second, _ = await client.ask(GET % b"")
        assert (status_of(second), "set-cookie" in fields_of(second)) == (429, False)


def test_who_carries_a_later_canarys_header_is_not_dealt_to_an_earlier_one() -> None:
    there = groups(Configured(), "main", "c1", "c2")
    canaries = [{"BackendId": "c1", "Percent": 100}, {"BackendId": "c2", "Header": "X-Two"}]
    split = Split(frontend(Canary=canaries), rng=Random(1))
    for headers, expected in (({}, "c1"), ({"x_two": "yes"}, "c2")):
        group = split(plan(**headers), there, 0.0)
        assert group is not None
        assert group.backend.id == expected
