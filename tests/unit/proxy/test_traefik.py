"""Traefik's keys: what its routers, services and middlewares become, and what one bad key costs."""

import json
from typing import Any

import pytest
from tests.unit.proxy.harness import Board
from tests.unit.proxy.test_router import Asked

from fairlead.proxy.config import Limits
from fairlead.proxy.keys import watched_prefixes
from fairlead.proxy.middleware.world import World
from fairlead.proxy.routes import Routes
from fairlead.proxy.state import Snapshot
from fairlead.proxy.traefik import Translator

RULE = "Host(`a.example`) && PathPrefix(`/api`)"
ROUTER = {"http/routers/r/rule": RULE, "http/routers/r/service": "s"}
SERVICE = {"http/services/s/loadbalancer/servers/0/url": "http://10.0.0.1:80"}


class Traefik:
    """Routes over Traefik's keys, and what they came to."""

    def __init__(self) -> None:
        self.board = Board()
        self.snapshots: list[Snapshot] = []
        self.translator = Translator("traefik")
        self.routes = Routes(
            watched_prefixes("/vulcand"),
            limits=Limits(),
            board=self.board,
            switch=self.snapshots.append,
            tools=World().tools,
            translator=self.translator,
        )

    @property
    def now(self) -> Snapshot:
        return self.snapshots[-1]

    @property
    def problems(self) -> dict[str, str]:
        return {key.decode(): text for key, text in self.board.problems.items() if isinstance(key, bytes)}

    def put(self, *several: dict[str, str], delete: tuple[str, ...] = ()) -> None:
        puts = {f"traefik/{key}".encode(): value.encode() for each in several for key, value in each.items()}
        self.routes.apply(self.board.revision + 1, puts, [f"traefik/{key}".encode() for key in delete])

    def found(self, path: str = "/api", host: str = "a.example") -> str | None:
        frontend = self.now.router.find(Asked(path, host=host))
        return frontend.id if frontend else None

    def object(self, kind: str, name: str) -> Any:
        return getattr(self.routes.catalog, kind)[name]

    def settings(self, router: str) -> list[tuple[str, dict[str, Any]]]:
        """The middlewares of a router in their order."""
        found = self.routes.catalog.middlewares.get(router, {}).values()
        ordered = sorted(found, key=lambda each: (each.priority, each.id))
        return [(each.type, dict(each.settings)) for each in ordered]


def test_a_router_and_its_service_become_a_frontend_and_its_backend() -> None:
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE, {"http/services/s/loadbalancer/servers/1/url": "http://10.0.0.2:81"})
    assert traefik.problems == {}
    assert (traefik.found(), traefik.found("/other"), traefik.found(host="b")) == ("r", None, None)
    assert [state.server.port for state in traefik.now.groups["s"].servers] == [80, 81]
    frontend = traefik.object("frontends", "r")
    assert (frontend.priority, frontend.pass_host_header) == (len(RULE), True)
    traefik.put(delete=("http/routers/r/rule", "http/routers/r/service"))
    assert traefik.found() is None
    assert (traefik.translator._uses, traefik.translator._users) == ({}, {})
    traefik.put(delete=(*tuple(SERVICE), "http/services/s/loadbalancer/servers/1/url"))
    assert dict(traefik.now.groups) == {}


def test_keys_match_whatever_their_case_and_with_a_leading_slash_too() -> None:
    traefik = Traefik()
    traefik.put({"HTTP/Routers/r/Rule": RULE, "http/ROUTERS/r/Service": "s@file"})
    traefik.routes.apply(2, {b"/traefik/http/services/s/loadBalancer/servers/0/URL": b"http://10.0.0.1"}, [])
    assert traefik.found() == "r"
    assert len(traefik.now.groups["s"].servers) == 1


def test_the_options_of_a_load_balancer_take_effect() -> None:
    traefik = Traefik()
    base = "http/services/s/loadbalancer"
    traefik.put(
        ROUTER,
        {
            f"{base}/servers/0/url": "http://10.0.0.1", f"{base}/servers/0/weight": "3",
            f"{base}/passhostheader": "false", f"{base}/strategy": "leasttime",
            f"{base}/sticky/cookie/name": "sid", f"{base}/sticky/cookie/secure": "true",
            f"{base}/sticky/cookie/maxage": "60",
            f"{base}/healthcheck/path": "/up", f"{base}/healthcheck/interval": "10", f"{base}/healthcheck/port": "81",
            f"{base}/healthcheck/timeout": "1500ms", f"{base}/healthcheck/status": "204",
            f"{base}/passivehealthcheck/maxfailedattempts": "4", f"{base}/passivehealthcheck/failurewindow": "20s",
        },
    )  # fmt: skip
    assert traefik.problems == {}
    backend = traefik.object("backends", "s")
    assert (backend.balance, backend.sticky.cookie, backend.sticky.ttl_s, backend.sticky.is_secure) == (
        "p2c", "sid", 60.0, True,
    )  # fmt: skip
    health = backend.health
    assert (health.path, health.interval_s, health.port, health.timeout_s, health.statuses) == (
        "/up", 10.0, 81, 1.5, (204, 204),
    )  # fmt: skip
    assert (backend.outlier.failures_max, backend.outlier.eject_s) == (4, 20.0)
    assert traefik.now.groups["s"].servers[0].server.weight == 3
    assert not traefik.object("frontends", "r").pass_host_header
    traefik.put({f"{base}/passhostheader": "true"})
    assert traefik.object("frontends", "r").pass_host_header, "a router follows its service"


def test_weighted_services_share_the_requests_of_a_router() -> None:
    traefik = Traefik()
    base = "http/services/w/weighted/services"
    traefik.put(
        {**ROUTER, "http/routers/r/service": "w"},
        {f"{base}/0/name": "s", f"{base}/0/weight": "3", f"{base}/1/name": "t", f"{base}/1/weight": "1"},
        SERVICE,
        {"http/services/t/loadbalancer/servers/0/url": "http://10.0.0.2"},
    )
    frontend = traefik.object("frontends", "r")
    assert frontend.backend_id == "s"
    assert [(each.backend_id, each.ratio) for each in frontend.canaries] == [("t", 0.25)]
    traefik.put({f"{base}/0/weight": "1", f"{base}/1/weight": "9"})
    frontend = traefik.object("frontends", "r")
    assert (frontend.backend_id, frontend.canaries[0].ratio) == ("t", pytest.approx(0.1))


def test_mirrors_and_failovers_are_followed() -> None:
    traefik = Traefik()
    traefik.put(
        {**ROUTER, "http/routers/r/service": "m"},
        {"http/services/m/mirroring/service": "f", "http/services/m/mirroring/mirrors/0/name": "t"},
        {"http/services/m/mirroring/mirrors/0/percent": "10"},
        {"http/services/f/failover/service": "s", "http/services/f/failover/fallback": "u"},
        SERVICE,
        {f"http/services/{each}/loadbalancer/servers/0/url": "http://10.0.0.2" for each in "tu"},
    )
    frontend = traefik.object("frontends", "r")
    assert (frontend.backend_id, frontend.fallback) == ("s", "u")
    assert [(each.backend_id, each.ratio) for each in frontend.mirrors] == [("t", 0.1)]
    assert traefik.problems == {}


def test_middlewares_are_passed_in_the_routers_order_and_chains_are_taken_apart() -> None:
    traefik = Traefik()
    traefik.put(
        ROUTER,
        SERVICE,
        {"http/routers/r/middlewares/0": "all", "http/routers/r/middlewares/1": "limit@file"},
        {"http/middlewares/all/chain/middlewares": "strip, secure"},
        {"http/middlewares/strip/stripprefix/prefixes/0": "/api"},
        {"http/middlewares/secure/redirectscheme/scheme": "https"},
        {"http/middlewares/secure/redirectscheme/permanent": "true"},
        {"http/middlewares/limit/ratelimit/average": "100", "http/middlewares/limit/ratelimit/burst": "50"},
    )
    assert traefik.problems == {}
    assert traefik.settings("r") == [
        ("stripprefix", {"Prefixes": ["/api"]}),
        ("redirect", {"Scheme": "https", "Port": 0, "Permanent": True}),
        ("ratelimit", {"Requests": 100, "PeriodSeconds": 1, "Burst": 50, "Variable": "client.ip"}),
    ]
    traefik.put({"http/middlewares/limit/ratelimit/average": "200"})
    assert traefik.settings("r")[2][1]["Requests"] == 200, "a router follows its middlewares"
    traefik.put({"http/middlewares/all/chain/middlewares": "strip"})
    assert [kind for kind, _ in traefik.settings("r")] == ["stripprefix", "ratelimit"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"addprefix/prefix": "/v1"}, [("addprefix", {"Prefix": "/v1"})]),
        ({"compress": "true"}, [("compress", {})]),
        ({"buffering/maxrequestbodybytes": "9"}, [("buffer", {"MaxBodyBytes": 9})]),
        (
            {"circuitbreaker/expression": "NetworkErrorRatio() > 0.5"},
            [
                (
                    "cbreaker",
                    {
                        "Condition": "NetworkErrorRatio() > 0.5",
                        "Fallback": {
                            "Type": "response",
                            "Action": {"StatusCode": 503, "Body": "", "ContentType": "text/plain"},
                        },
                    },
                )
            ],
        ),
        (
            {"inflightreq/amount": "3", "inflightreq/sourcecriterion/requesthost": "true"},
            [("connlimit", {"Connections": 3, "Variable": "request.host"})],
        ),
        ({"ipallowlist/sourcerange/0": "10.0.0.0/8"}, [("ipallow", {"SourceRange": ["10.0.0.0/8"]})]),
        (
            {"redirectregex/regex": "^http://a/(.*)", "redirectregex/replacement": "http://b/${1}"},
            [("redirect", {"Regexp": "^http://a/(.*)", "Replacement": "http://b/${1}", "Permanent": False})],
        ),
        (
            {"headers/customrequestheaders/X-A": "1", "headers/customresponseheaders/Server": ""},
            [
                (
                    "headers",
                    {
                        "Request": {"Set": {"x-a": "1"}, "Remove": []},
                        "Response": {"Set": {}, "Remove": ["server"]},
                    },
                )
            ],
        ),
        (
            {"headers/accesscontrolalloworiginlist/0": "https://a", "headers/accesscontrolmaxage": "9"},
            [("cors", {"AllowOrigins": ["https://a"], "AllowCredentials": False, "MaxAge": 9})],
        ),
        (
            {"forwardauth/address": "http://10.0.0.9/", "forwardauth/authresponseheaders": "X-User, X-Group"},
            [
                (
                    "forwardauth",
                    {
                        "Address": "http://10.0.0.9/",
                        "AuthRequestHeaders": [],
                        "AuthResponseHeaders": ["X-User", "X-Group"],
                    },
                )
            ],
        ),
    ],
)
def test_middlewares_become_ours(options: dict[str, str], expected: list[tuple[str, dict[str, Any]]]) -> None:
    traefik = Traefik()
    traefik.put(
        ROUTER,
        SERVICE,
        {"http/routers/r/middlewares/0": "m"},
        {f"http/middlewares/m/{k}": v for k, v in options.items()},
    )
    assert traefik.problems == {}
    assert traefik.settings("r") == expected


def test_a_guard_that_cannot_be_made_closes_its_router() -> None:
    traefik = Traefik()
    traefik.put(
        ROUTER,
        SERVICE,
        {"http/routers/r/middlewares/0": "m", "http/middlewares/m/digestauth/users/0": "a:b:c"},
    )
    assert [kind for kind, _ in traefik.settings("r")] == ["respond"]
    (text,) = traefik.problems.values()
    assert "answers 503" in text
    missing = Traefik()
    missing.put(ROUTER, SERVICE, {"http/routers/r/middlewares/0": "m"})
    assert missing.found() is None, "as in Traefik: who knows what it was to keep out"
    assert "there is no middleware m" in missing.problems["traefik/http/routers/r"]
    missing.put({"http/middlewares/m/addprefix/prefix": "/x"})
    assert (missing.found(), missing.problems) == ("r", {})


@pytest.mark.parametrize(
    ("bad", "named", "said"),
    [
        ({"http/routers/bad/rule": "Nonsense(", "http/routers/bad/service": "s"}, "routers/bad/rule", "character"),
        ({"http/routers/bad/rule": RULE}, "routers/bad", "service is missing"),
        ({"http/routers/bad/service": "s"}, "routers/bad", "rule is missing"),
        (
            {"http/routers/bad/rule": "a", "http/routers/bad/service": "s", "http/routers/bad/rulesyntax": "v2"},
            "routers/bad",
            "ruleSyntax 'v2'",
        ),
        (
            {"http/routers/bad/rule": RULE, "http/routers/bad/service": "s", "http/routers/bad/priority": "high"},
            "routers/bad",
            "priority must be a whole number",
        ),
        ({"http/services/bad/loadbalancer/strategy": "magic"}, "services/bad", "strategy must be one of"),
        ({"http/services/bad/loadbalancer/passhostheader": "maybe", "http/services/bad/loadbalancer/servers/0/url": "x"},
         "services/bad/loadBalancer/servers/0", "URL must look like"),
        ({"http/services/bad/loadbalancer/servers/0/weight": "1"}, "services/bad", "url is missing"),
        ({"http/middlewares/bad/ratelimit/average": "1", "http/middlewares/bad/compress": ""}, "middlewares/bad", "exactly one type"),
    ],
)  # fmt: skip
def test_one_bad_key_costs_only_itself(bad: dict[str, str], named: str, said: str) -> None:
    """Traefik drops its whole configuration; here the others go on."""
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE, bad)
    assert traefik.found() == "r"
    assert said in traefik.problems[f"traefik/http/{named}"]
    traefik.put(delete=tuple(bad))
    assert traefik.problems == {}


def test_what_was_good_stays_in_force_until_it_is_good_again() -> None:
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE)
    traefik.put({"http/routers/r/priority": "x"})
    assert traefik.found() == "r"
    assert "what it was before stays in force" in traefik.problems["traefik/http/routers/r"]
    traefik.put({"http/routers/r/priority": "7"})
    assert (traefik.problems, traefik.object("frontends", "r").priority) == ({}, 7)


def test_services_in_a_circle_are_named() -> None:
    traefik = Traefik()
    traefik.put(
        {**ROUTER, "http/routers/r/service": "a"},
        {"http/services/a/failover/service": "b", "http/services/a/failover/fallback": "b"},
        {"http/services/b/failover/service": "a", "http/services/b/failover/fallback": "a"},
    )
    assert "leads in a circle" in traefik.problems["traefik/http/routers/r"]


def test_tcp_and_udp_routers_are_said_not_to_be_served() -> None:
    traefik = Traefik()
    traefik.put({"tcp/routers/t/rule": "HostSNI(`*`)"})
    assert "only HTTP" in traefik.problems["traefik/tcp/routers/t/rule"]


def test_a_transaction_over_many_keys_is_one_switch() -> None:
    """Traefik sees a new router before its service, or half of its options."""
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE)
    switched = len(traefik.snapshots)
    traefik.put(
        {"http/routers/q/rule": "Path(`/q`)", "http/routers/q/service": "t"},
        {f"http/services/t/loadbalancer/servers/{n}/url": f"http://10.0.1.{n}" for n in range(1, 9)},
    )
    assert len(traefik.snapshots) == switched + 1
    assert len(traefik.now.groups["t"].servers) == 8
    before = traefik.now.targets["r"]
    traefik.put({"http/services/t/loadbalancer/servers/0/url": "http://10.0.1.99"})
    assert traefik.now.targets["r"] is before, "and nobody else is touched"


def test_entry_points_are_listeners() -> None:
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE, {"http/routers/r/entrypoints/0": "internal"})
    asked = Asked("/api", host="a.example")
    assert traefik.now.router.find(asked) is None
    asked.entrypoint = "internal"
    assert traefik.now.router.find(asked) is not None


def test_both_layouts_are_read_at_once() -> None:
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE)
    value = json.dumps({"BackendId": "s", "Route": 'Path("/v")'}).encode()
    traefik.routes.apply(9, {b"/vulcand/frontends/f/frontend": value}, [])
    assert (traefik.found(), traefik.found("/v")) == ("r", "f")
