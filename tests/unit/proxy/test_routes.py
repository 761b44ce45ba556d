"""Keys to snapshots: whole revisions, problems that cost only themselves, state that stays."""

import json
from collections.abc import Mapping

import pytest
from tests.unit.proxy.harness import Board
from tests.unit.proxy.test_router import Asked

from fairlead.agent import parse_go_duration_s
from fairlead.proxy.config import Limits
from fairlead.proxy.keys import Kind, ObjectId, object_of, watched_prefixes
from fairlead.proxy.middleware.world import World
from fairlead.proxy.model import Backend, Server, read_object
from fairlead.proxy.plan import Plan
from fairlead.proxy.request import Request
from fairlead.proxy.routes import Routes
from fairlead.proxy.state import Snapshot

PREFIXES = watched_prefixes("/vulcand")


class Configured:
    """Routes over keys, and what is in force."""

    def __init__(self) -> None:
        self.board = Board()
        self.snapshots: list[Snapshot] = []
        self.routes = Routes(
            PREFIXES, limits=Limits(), board=self.board, switch=self.snapshots.append, tools=World().tools
        )

    @property
    def now(self) -> Snapshot:
        return self.snapshots[-1]

    def put(self, values: Mapping[str, object], *, delete: tuple[str, ...] = ()) -> None:
        puts = {
            key.encode(): (v if isinstance(v, str) else json.dumps(v)).encode() for key, v in values.items()
        }
        self.routes.apply(self.board.revision + 1, puts, [key.encode() for key in delete])

    def servers(self, backend: str) -> list[str]:
        return [state.server.id for state in self.now.groups[backend].servers]

    def frontend(self, path: str) -> str | None:
        found = self.now.router.find(Asked(path))
        return found.id if found else None


def frontend(path: str, **more: object) -> dict[str, object]:
    return {"Type": "http", "BackendId": "b", "Route": f'Path("{path}")', **more}


def server(number: int) -> dict[str, object]:
    return {"URL": f"http://10.0.0.{number}:80"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("/vulcand/frontends/f1/frontend", ObjectId(Kind.FRONTEND, "", "f1")),
        ("vulcand/frontends/f1/frontend", ObjectId(Kind.FRONTEND, "", "f1")),
        ("/vulcand/frontends/f1", ObjectId(Kind.FRONTEND, "", "f1")),
        ("/vulcand/backends/b-1/backend", ObjectId(Kind.BACKEND, "", "b-1")),
        ("/vulcand/backends/b/servers/s.1", ObjectId(Kind.SERVER, "b", "s.1")),
        ("/vulcand/frontends/f1/middlewares/m", ObjectId(Kind.MIDDLEWARE, "f1", "m")),
        ("/vulcand/frontends/f1/middlewares/m/x", None),
        ("/vulcand/hosts/a.example/host", ObjectId(Kind.HOST, "", "a.example")),
        ("/vulcand/hosts/a.example", ObjectId(Kind.HOST, "", "a.example")),
        ("vulcand/listeners/l1", ObjectId(Kind.LISTENER, "", "l1")),
        ("vulcand/listeners/l1/listener", ObjectId(Kind.LISTENER, "", "l1")),
        ("/vulcand/backends/b/servers/", None),
        ("/vulcandx/frontends/f1", None),
        ("/other/frontends/f1", None),
    ],
)
def test_keys_are_vulcands_with_and_without_a_leading_slash(key: str, expected: ObjectId | None) -> None:
    assert object_of(key.encode(), PREFIXES) == expected


def test_a_name_that_begins_another_is_another() -> None:
    """vulcand's delete of f1 took f10 along (1.6, fault 3)."""
    config = Configured()
    pairs = {f"/vulcand/frontends/{name}/frontend": frontend(f"/{name}") for name in ("f1", "f10")}
    config.put(pairs | {f"/vulcand/backends/b/servers/{name}": server(1) for name in ("s1", "s10")})
    config.put({"/vulcand/backends/b-c/backend": {}, "/vulcand/backends/b/backend": {}})
    gone = ("/vulcand/frontends/f1/frontend", "/vulcand/backends/b/servers/s1", "/vulcand/backends/b/backend")
    config.put({}, delete=gone)
    assert (config.frontend("/f1"), config.frontend("/f10")) == (None, "f10")
    assert config.servers("b") == ["s10"]
    assert "b-c" in config.now.groups


def test_a_transaction_is_one_switch() -> None:
    """Ten servers move from a to b: nobody sees nine or eleven (8.5)."""
    config = Configured()
    config.put({f"/vulcand/backends/a/servers/s{n}": server(n) for n in range(10)})
    before = len(config.snapshots)
    config.put(
        {f"/vulcand/backends/b/servers/s{n}": server(n) for n in range(10)},
        delete=tuple(f"/vulcand/backends/a/servers/s{n}" for n in range(10)),
    )
    assert len(config.snapshots) == before + 1
    assert "a" not in config.now.groups
    assert len(config.servers("b")) == 10
    assert config.now.revision == config.board.revision == 2


@pytest.mark.parametrize(
    ("key", "good", "bad", "said"),
    [
        ("/vulcand/frontends/f/frontend", frontend("/"), "{", "not JSON"),
        ("/vulcand/frontends/f/frontend", frontend("/"), "[]", "must be a JSON object"),
        ("/vulcand/frontends/f/frontend", frontend("/"), {"BackendId": "b"}, "Route is missing"),
        ("/vulcand/frontends/f/frontend", frontend("/"), {"Route": 'Path("/")'}, "BackendId is missing"),
        ("/vulcand/frontends/f/frontend", frontend("/"), frontend("/", Route="Pat("), "character 1"),
        (
            "/vulcand/frontends/f/frontend",
            frontend("/"),
            frontend("/", Route='PathRegexp("(a+)+")'),
            "repeats",
        ),
        ("/vulcand/frontends/f/frontend", frontend("/"), frontend("/", Type="tcp"), 'Type must be "http"'),
        (
            "/vulcand/frontends/f/frontend",
            frontend("/"),
            frontend("/", Priority="1"),
            "Priority must be a whole",
        ),
        (
            "/vulcand/frontends/f/frontend",
            frontend("/"),
            frontend("/", Settings=[]),
            "Settings must be an object",
        ),
        (
            "/vulcand/backends/b/backend",
            {},
            {"Settings": {"Timeouts": {"Read": "5"}}},
            "a duration looks like",
        ),
        ("/vulcand/backends/b/backend", {}, "nonsense", "not JSON"),
        ("/vulcand/backends/b/servers/s", server(1), {"URL": "10.0.0.1:80"}, "URL must look like"),
        ("/vulcand/backends/b/servers/s", server(1), {"URL": "gopher://10.0.0.1"}, "URL must look like"),
        ("/vulcand/backends/b/servers/s", server(1), {"URL": "http://h:99999"}, "URL"),
        ("/vulcand/backends/b/servers/s", server(1), "", "not JSON"),
    ],
)
def test_a_bad_value_costs_only_itself_and_its_last_good_one_stays(
    key: str, good: dict[str, object], bad: object, said: str
) -> None:
    config = Configured()
    base = {
        "/vulcand/frontends/f/frontend": frontend("/"),
        "/vulcand/backends/b/backend": {},
        "/vulcand/backends/b/servers/s": server(1),
        "/vulcand/frontends/g/frontend": frontend("/g"),
    }
    config.put(base | {key: good})
    assert config.board.problems == {}
    config.put({key: bad})
    assert (config.frontend("/"), config.frontend("/g"), config.servers("b")) == ("f", "g", ["s"])
    assert list(config.board.problems) == [key.encode()]
    assert said in config.board.problems[key.encode()]
    assert "the last good value stays" in config.board.problems[key.encode()]
    config.put({key: good})
    assert config.board.problems == {}
    config.put({key: bad})
    config.put({}, delete=(key,))
    assert key.encode() not in config.board.problems


def test_a_value_that_was_never_good_is_off_and_healed_by_a_good_one() -> None:
    config = Configured()
    config.put({"/vulcand/frontends/f/frontend": "{", "/vulcand/backends/b/backend": {}})
    assert config.frontend("/") is None
    assert "stays in force" not in config.board.problems[b"/vulcand/frontends/f/frontend"]
    config.put({"/vulcand/frontends/f/frontend": frontend("/")})
    assert (config.frontend("/"), config.board.problems) == ("f", {})


def test_a_frontend_without_its_backend_is_named_until_the_backend_comes() -> None:
    config = Configured()
    config.put({"/vulcand/frontends/f/frontend": frontend("/")})
    assert "no backend b" in config.board.problems[b"/vulcand/frontends/f/frontend"]
    config.put({"/vulcand/backends/b/servers/s": server(1)})
    assert config.board.problems == {}, "servers make a backend of their own"


def test_two_frontends_with_one_route_are_said_not_swallowed() -> None:
    """vulcand let the last one win without a word (1.6, fault 7)."""
    config = Configured()
    config.put({f"/vulcand/frontends/{name}/frontend": frontend("/") for name in "ab"})
    config.put({"/vulcand/backends/b/backend": {}})
    assert config.frontend("/") == "a"
    assert list(config.board.problems) == [b"/vulcand/frontends/b/frontend"]
    config.put({"/vulcand/frontends/b/frontend": frontend("/", Priority=1)})
    assert (config.frontend("/"), config.board.problems) == ("b", {})


def test_one_object_at_two_keys_is_said_and_the_slash_wins() -> None:
    config = Configured()
    config.put({"vulcand/backends/b/servers/s": server(1), "/vulcand/backends/b/servers/s": server(2)})
    assert config.now.groups["b"].servers[0].server.host == "10.0.0.2"
    assert list(config.board.problems) == [b"vulcand/backends/b/servers/s"]


def test_the_id_in_the_key_wins_over_the_one_in_the_value() -> None:
    config = Configured()
    config.put({"/vulcand/frontends/f/frontend": frontend("/", Id="other")})
    assert config.frontend("/") == "f"


def test_state_is_carried_over_by_id() -> None:
    """vulcand began anew at each change: position, pools and counts were lost (1.6, fault 1)."""
    config = Configured()
    config.put({f"/vulcand/backends/b/servers/s{n}": server(n) for n in (1, 2, 3)})
    group = config.now.groups["b"]
    plan = Plan(Request(), config.now, peer=b"", port=b"")
    turns = [group.balancer.choose(plan, (), 0.0) for _ in range(2)]
    config.put({"/vulcand/backends/b/servers/s4": server(4), "/vulcand/frontends/f/frontend": frontend("/")})
    after = config.now.groups["b"]
    assert after.servers[:3] == group.servers, "the same objects: pools and counts go on"
    assert after.balancer.choose(plan, (), 0.0) not in turns, "and it is still the same turn"
    config.put({"/vulcand/backends/b/servers/s1": server(9)})
    moved = config.now.groups["b"].servers[0]
    assert moved is not group.servers[0], "another address is another server"
    assert group.servers[0].pool.is_retired
    config.put({}, delete=("/vulcand/backends/b/servers/s2",))
    assert group.servers[1].pool.is_retired


def test_a_server_that_is_told_otherwise_keeps_its_connections() -> None:
    config = Configured()
    config.put({"/vulcand/backends/b/servers/s": server(1)})
    state = config.now.groups["b"].servers[0]
    config.put({"/vulcand/backends/b/servers/s": server(1) | {"Weight": 3, "State": "drain"}})
    config.put({"/vulcand/backends/b/backend": {"Settings": {"KeepAlive": {"MaxIdleConnsPerHost": 7}}}})
    assert config.now.groups["b"].servers == (state,)
    assert (state.server.weight, state.server.state, state.pool.idle_max) == (3, "drain", 7)
    assert not state.pool.is_retired


def test_a_heartbeat_switches_nothing() -> None:
    """vulcand's proxies were flooded by servers that say every few seconds that they are there (1.6, fault 5)."""
    config = Configured()
    config.put({f"/vulcand/backends/b/servers/s{n}": server(n) for n in range(10)})
    config.put({f"/vulcand/backends/b/servers/s{n}": server(n) for n in range(10)})
    assert len(config.snapshots) == 1
    assert config.board.revision == 2


def test_a_change_touches_only_what_it_says() -> None:
    """What makes one change among ten thousand objects cheap (8.10), said without a clock: all else is shared."""
    config = Configured()
    config.put(
        {f"/vulcand/frontends/f{n}/frontend": frontend(f"/{n}") for n in range(5)}
        | {f"/vulcand/backends/b{n}/servers/s": server(n) for n in range(5)}
    )
    before = config.now
    config.put(
        {"/vulcand/frontends/f1/frontend": frontend("/x"), "/vulcand/backends/b1/servers/s": server(9)}
    )
    after = config.now
    assert {name for name in after.targets if after.targets[name] is not before.targets[name]} == {"f1"}
    assert {name for name in after.groups if after.groups[name] is not before.groups[name]} == {"b1"}
    assert (before.router.find(Asked("/1")), after.router.find(Asked("/1"))) != (None, None)
    assert after.router.find(Asked("/2")) is before.router.find(Asked("/2"))


def test_problems_between_objects_follow_both_sides() -> None:
    config = Configured()
    key = b"/vulcand/frontends/f/frontend"
    wide = frontend("/", Fallback="spare", Canary=[{"BackendId": "new", "Percent": 1}])
    config.put({"/vulcand/frontends/f/frontend": wide, "/vulcand/backends/b/backend": {}})
    assert config.board.problems[key].endswith("there is no backend new; it does without")
    config.put({"/vulcand/backends/new/servers/s": server(1)})
    assert config.board.problems[key].endswith("there is no backend spare; it does without")
    config.put({"/vulcand/backends/spare/backend": {}}, delete=("/vulcand/backends/b/backend",))
    assert config.board.problems[key].endswith("there is no backend b; it answers 503")
    config.put({"/vulcand/frontends/f/frontend": frontend("/", BackendId="dns:web.svc")})
    assert config.board.problems == {}
    config.put({"/vulcand/frontends/a/frontend": frontend("/", BackendId="dns:web.svc")})
    assert "frontend a has the same route" in config.board.problems[key]
    config.put({}, delete=("/vulcand/frontends/a/frontend",))
    assert config.board.problems == {}


def test_the_index_is_made_anew_only_when_a_frontend_changes() -> None:
    """Servers come and go by heartbeat; a thousand routes must not be filed again for each."""
    config = Configured()
    config.put({"/vulcand/frontends/f/frontend": frontend("/")})
    router = config.now.router
    config.put({"/vulcand/backends/b/servers/s": server(1)})
    assert config.now.router is router
    config.put({"/vulcand/frontends/f/frontend": frontend("/", Settings={"PassHostHeader": True})})
    assert config.now.router is not router


def test_settings_are_read_as_vulcand_writes_them() -> None:
    fields = {
        "Type": "http",
        "Settings": {
            "Timeouts": {"Read": "1m30s", "Dial": "250ms", "TLSHandshake": "10s"},
            "KeepAlive": {"Period": "30s", "MaxIdleConnsPerHost": 3},
        },
    }
    read = read_object(ObjectId(Kind.BACKEND, "", "b"), json.dumps(fields).encode())
    assert read == Backend(
        id="b", dial_s=0.25, read_s=90.0, tls_handshake_s=10.0, keep_alive_s=30.0, idle_max=3
    )
    url = json.dumps({"URL": "http://[::1]:81/ignored"}).encode()
    read = read_object(ObjectId(Kind.SERVER, "b", "s"), url)
    assert read == Server(id="s", backend_id="b", host="::1", port=81)
    assert isinstance(read, Server)
    assert read.authority == "[::1]:81"


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("1h2m", 3720), ("1.5s", 1.5), ("10us", 1e-5)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert parse_go_duration_s(text) == pytest.approx(seconds)
