"""What operators are shown: explanations, tables, vulcand's API, and who may read it."""

import json
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

import pytest
from tests.unit.proxy.harness import Proxy, Upstream, running

from fairlead.agent import Address, Asked, ConfigError, Page
from fairlead.proxy.admin import Numbers, Sources, Tallies, Views, check_closed, guarded
from fairlead.proxy.commands.looking import explained


def views_of(proxy: Proxy, *others: Numbers, worker: int | None = None) -> Views:
    tallies = Tallies()
    proxy.service.observers += (lambda record: tallies.note(record, now_s=perf_counter()),)
    return Views(
        Sources(
            routes=proxy.routes,
            tallies=tallies,
            snapshot=lambda: proxy.service.snapshot,
            status=lambda: {"problems": {}},
            parser=proxy.service.request_parser,
            worker=worker,
        ),
        others,
    )


def asked(method: str, target: str, body: bytes = b"") -> Asked:
    path, _, query = target.partition("?")
    return Asked(method=method, path=path, query=dict(parse_qsl(query)), fields={}, body=body)


def read(views: Views, target: str, *, post: object = None) -> Any:
    body = json.dumps(post).encode() if post is not None else b""
    made = views.answer(asked("POST" if post is not None else "GET", target, body), now_s=perf_counter())
    assert made.status == 200, made
    return json.loads(made.body)


def configure(proxy: Proxy, upstream: Upstream) -> None:
    proxy.put(
        {
            "frontends/a/frontend": {
                "Type": "http",
                "BackendId": "b",
                "Route": 'Host("a.example") && Path("/x")',
            },
            "frontends/p/frontend": {
                "Type": "http",
                "BackendId": "b",
                "Route": 'Path("/x") && Method("POST")',
            },
            "frontends/n/frontend": {
                "Type": "http",
                "BackendId": "none",
                "Route": 'Path("/n")',
                "Priority": 7,
            },
            "frontends/a/middlewares/m": {
                "Type": "ratelimit",
                "Middleware": {"Requests": 5, "PeriodSeconds": 60, "Burst": 5},
            },
            "frontends/a/middlewares/u": {
                "Type": "basicauth",
                "Priority": -1,
                "Middleware": {"Users": ["alice:$2b$10$" + "O" * 53]},
            },
            "backends/b/servers/s10": {"URL": f"http://127.0.0.1:{upstream.port}", "State": "drain"},
        }
    )


async def test_an_explanation_says_who_matched_why_others_lost_and_who_is_asked() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        configure(proxy, upstream)
        told = read(views_of(proxy), "/explain", post={"url": "http://A.example/x", "headers": {"X": "y"}})
        assert [each["frontend"] for each in told["matched"]] == ["f", "a"]
        assert told["matched"][1]["verdict"] == "an earlier one has matched"
        verdicts = {each["frontend"]: each["verdict"] for each in told["lost"]}
        assert verdicts == {
            "n": "Path is to be /n, and is /x",
            "p": "Method is to be POST, and is GET",
        }
        assert (told["frontend"], told["backend"], told["server"]) == ("f", "b", "s0")
        proxy.put({}, delete=("frontends/f/frontend",))
        told = read(views_of(proxy), "/explain?url=http://a.example/x&method=GET")
        assert told["frontend"] == "a"
        assert [each["type"] for each in told["middlewares"]] == ["basicauth", "ratelimit"]
        assert told["middlewares"][1]["now"] == {"clients": 0, "refused": 0}
        states = {each["id"]: each["state"] for each in told["servers"]}
        assert states == {"s0": "up", "s10": "drain"}
        assert all(each["in_flight"] == 0 for each in told["servers"])
        nobody = read(views_of(proxy), "/explain?url=http://a.example/n")
        assert (nobody["frontend"], nobody["server"], nobody["answer"]) == ("n", None, 503)
        assert read(views_of(proxy), "/explain?url=/nowhere")["answer"] == 404


async def test_an_explanation_knows_of_entry_points() -> None:
    async with running(Upstream()) as proxy:
        route = {
            "Type": "http",
            "BackendId": "b",
            "Route": 'Path("/e")',
            "Priority": 9,
            "Entrypoints": ["inner"],
        }
        proxy.put({"frontends/e/frontend": route})
        assert read(views_of(proxy), "/explain", post={"url": "/e", "entrypoint": "inner"})["frontend"] == "e"
        told = read(views_of(proxy), "/explain", post={"url": "/e"})
        assert told["frontend"] == "f"
        assert [each["verdict"] for each in told["lost"]] == ["only on inner, not on web"]
        proxy.put({"frontends/e/frontend": {**route, "Entrypoints": [], "TLS": True}})
        told = read(views_of(proxy), "/explain", post={"url": "http://a.example/e"})
        assert [each["verdict"] for each in told["lost"]] == ["only over TLS"]
        told = read(views_of(proxy), "/explain", post={"url": "https://a.example/e"})
        assert told["frontend"] == "e"


async def test_what_would_be_refused_is_told() -> None:
    async with running() as proxy:
        told = read(views_of(proxy), "/explain", post={"url": "/x", "headers": {"Content-Length": "+1"}})
        assert told["answer"] == 400
        injected = read(views_of(proxy), "/explain", post={"url": "/x HTTP/1.1\r\nX: y"})
        assert injected["answer"] == 400


async def test_explaining_takes_nothing_from_anybody() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        views = views_of(proxy)
        for _ in range(3):
            read(views, "/explain?url=/a")
        assert proxy.service.stats.connects == 0
        (server,) = proxy.service.snapshot.groups["b"].servers
        assert (server.in_flight, server.requests) == (0, 0)


async def test_the_tables_show_what_passed() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        configure(proxy, upstream)
        views = views_of(proxy)
        for path in ("/x", "/x", "/n"):
            await proxy.get(path)
        top = read(views, "/top")
        assert {each["id"]: each["total"] for each in top["frontends"]} == {"f": 2, "n": 1}
        rows = {each["id"]: each for each in top["servers"]}
        assert (rows["s0"]["total"], rows["s10"]["total"]) == (2, 0)
        assert top["flags"] == {"UH": 1}
        routes = read(views, "/routes")
        assert [each["frontend"] for each in routes["routes"]] == ["n", "f", "p", "a"]
        assert routes["routes"][3]["middlewares"] == ["basicauth", "ratelimit"]
        assert routes["revision"] == proxy.service.snapshot.revision


TRIPPED = {"state": "tripped", "trips": 1}


def elsewhere(*, is_available: int) -> Numbers:
    """What another worker tells."""
    facts = {"in_flight": 3, "idle": 1, "requests": 7, "failures": 2, "is_available": is_available}
    return Numbers(servers={("b", "s0"): facts}, middlewares={("f", "m"): TRIPPED})


async def test_what_several_workers_think_is_told_as_theirs() -> None:
    async with running(Upstream()) as proxy:
        breaker = {
            "Condition": "NetworkErrorRatio() > 0.5",
            "Fallback": {"Type": "response", "Action": {"StatusCode": 503}},
        }
        proxy.put({"frontends/f/middlewares/m": {"Type": "cbreaker", "Middleware": breaker}})
        views = views_of(proxy, elsewhere(is_available=0), elsewhere(is_available=1), worker=2)
        (row,) = read(views, "/top")["servers"]
        assert (row["in_flight"], row["requests"], row["workers"], row["out_in"]) == (6, 14, 3, 1)
        told = read(views, "/explain?url=/")
        assert (told["worker"], told["workers"]) == (2, 3)
        assert (told["servers"][0]["out_in"], told["servers"][0]["in_flight"]) == (1, 6)
        (middleware,) = told["middlewares"]
        assert middleware["now"]["state"] == "standby"
        assert middleware["elsewhere"] == [TRIPPED, TRIPPED]
        assert read(views, "/status")["worker"] == 2
        lines = explained(told)
        assert "middlewares: m (cbreaker, standby in 1 of 3 workers, tripped in 2 of 3 workers)" in lines
        assert any("out in 1 of 3 workers" in line for line in lines)
        assert lines[-1] == "choice, weights and latencies are those of worker 2 of 3"


async def test_a_proxy_of_one_process_does_not_speak_of_workers() -> None:
    async with running(Upstream()) as proxy:
        (server,) = proxy.service.snapshot.groups["b"].servers
        server.standing.ejected_until_s = perf_counter() + 60
        told = read(views_of(proxy), "/explain?url=/")
        assert "worker" not in told
        assert (told["servers"][0]["workers"], told["servers"][0]["out_in"]) == (1, 1)
        assert not any("worker" in line for line in explained(told))


async def test_workers_tell_each_other_how_their_middlewares_are() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        configure(proxy, upstream)
        numbers = views_of(proxy).numbers(now_s=perf_counter())
        assert numbers.middlewares == {("a", "m"): {"clients": 0, "refused": 0}}
        assert numbers.servers["b", "s0"]["is_available"] == 1


async def test_vulcands_scripts_can_read_on() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        configure(proxy, upstream)
        proxy.put(
            {"listeners/l": {"Protocol": "http", "Address": {"Network": "tcp", "Address": "127.0.0.1:0"}}}
        )
        views = views_of(proxy)
        await proxy.get("/x")
        assert read(views, "/v2/status") == {"Status": "ok"}
        assert {each["Id"] for each in read(views, "/v2/frontends")["Frontends"]} == {"a", "f", "n", "p"}
        frontend = read(views, "/v2/frontends/a")
        assert (frontend["Id"], frontend["BackendId"], frontend["Type"]) == ("a", "b", "http")
        assert frontend["Route"] == 'Host("a.example") && Path("/x")'
        middlewares = read(views, "/v2/frontends/a/middlewares")["Middlewares"]
        assert {each["Id"] for each in middlewares} == {"m", "u"}
        assert "O" * 20 not in json.dumps(middlewares)
        server = read(views, "/v2/backends/b/servers/s0")
        assert server["URL"] == f"http://127.0.0.1:{upstream.port}"
        assert read(views, "/v2/listeners/l")["Address"]["Network"] == "tcp"
        assert read(views, "/v2/hosts") == {"Hosts": []}
        assert read(views, "/v2/backends")["Backends"][0]["Id"] == "b"
        top = read(views, "/v2/top/frontends?limit=1")["Frontends"]
        assert [each["Id"] for each in top] == ["f"]
        stats = top[0]["Stats"]
        assert stats["Counters"]["StatusCodes"] == [{"Code": 200, "Count": 1}]
        assert [each["Quantile"] for each in stats["LatencyBrackets"]] == [50.0, 75.0, 95.0, 99.0, 99.9]
        servers = read(views, "/v2/top/servers?backendId=b")["Servers"]
        assert [each["Id"] for each in servers] == ["s0", "s10"]
        assert servers[0]["Stats"]["Verdict"] == {"IsBad": False, "Anomalies": []}
        for missing in ("/v2/frontends/none", "/v2/backends/b/servers/none", "/v2/nothing", "/nothing"):
            made = views.answer(asked("GET", missing), now_s=0)
            assert made.status == 404
            assert "message" in json.loads(made.body)


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "/routes", b"{}", 405),
        ("DELETE", "/v2/frontends/f", b"", 405),
        ("POST", "/explain", b"{", 400),
        ("POST", "/explain", b"[]", 400),
        ("POST", "/explain", b'{"url": "/", "headers": 7}', 400),
        ("GET", "/explain", b"", 400),
    ],
)
async def test_what_cannot_be_answered_is_told(method: str, target: str, body: bytes, status: int) -> None:
    async with running() as proxy:
        assert views_of(proxy).answer(asked(method, target, body), now_s=0).status == status


@pytest.mark.parametrize(
    ("fields", "token", "status"),
    [
        ({"host": "127.0.0.1"}, "", 200),
        ({"host": "127.0.0.1:1"}, "", 200),
        ({"host": "[::1]:1"}, "", 200),
        ({"host": "localhost"}, "", 200),
        ({"host": "evil.example"}, "", 403),
        ({"host": "127.0.0.1.evil.example:80"}, "", 403),
        ({}, "", 403),
        ({"host": "evil.example", "authorization": "Bearer t"}, "t", 200),
        ({"host": "127.0.0.1"}, "t", 401),
        ({"host": "127.0.0.1", "authorization": "Bearer x"}, "t", 401),
        ({"host": "127.0.0.1", "authorization": "Bearer \xe4"}, "t", 401),
    ],
)
def test_only_operators_are_answered(fields: dict[str, str], token: str, status: int) -> None:
    answer = guarded(lambda each: Page(body=each.path.encode()), token=token)
    made = answer(Asked(path="/a", query={}, fields=fields))
    assert isinstance(made, Page)
    assert made.status == status
    assert (made.body == b"/a") is (status == 200)


def test_an_admin_open_to_others_wants_a_token() -> None:
    anywhere = Address(host="0.0.0.0", port=0)
    with pytest.raises(ConfigError, match="open to others"):
        check_closed(anywhere, token="")
    check_closed(anywhere, token="t")
