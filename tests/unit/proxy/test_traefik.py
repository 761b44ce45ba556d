"""Traefik's keys: what its routers, services and middlewares become, and what one bad key costs."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.proxy.balance.asking import plan
from tests.unit.proxy.harness import Board
from tests.unit.proxy.test_router import Asked

from fairlead.proxy.balance.sticky import StickyCookies
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.expression import parse_rule
from fairlead.proxy.keys import watched_prefixes
from fairlead.proxy.match import compile_expression
from fairlead.proxy.middleware.world import World
from fairlead.proxy.model import Host, Listener, TlsSettings
from fairlead.proxy.routes import Routes
from fairlead.proxy.state import Snapshot
from fairlead.proxy.traefik import Translator
from fairlead.proxy.traefik.rules import version_3_of

RULE = "Host(`a.example`) && PathPrefix(`/api`)"
ROUTER = {"http/routers/r/rule": RULE, "http/routers/r/service": "s"}
SERVICE = {"http/services/s/loadbalancer/servers/0/url": "http://10.0.0.1:80"}


class Traefik:
    """Routes over Traefik's keys, and what they came to."""

    def __init__(self) -> None:
        self.board = Board()
        self.snapshots: list[Snapshot] = []
        self.listeners: dict[str, Listener] = {}
        self.translator = Translator("traefik")
        self.routes = Routes(
            watched_prefixes("/vulcand"),
            limits=Limits(),
            board=self.board,
            switch=self.snapshots.append,
            tools=World().tools,
            translator=self.translator,
            edge=self._edge,
        )

    def _edge(self, listeners: Iterable[Listener], _: Iterable[Host]) -> None:
        self.listeners = {each.id: each for each in listeners}

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
            f"{base}/healthcheck/path": "up", f"{base}/healthcheck/scheme": "HTTPS",
            f"{base}/healthcheck/unhealthyinterval": "3s", f"{base}/healthcheck/headers/X-Who": "me",
            f"{base}/healthcheck/mode": "http", f"{base}/healthcheck/interval": "10", f"{base}/healthcheck/port": "81",
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
    assert (health.scheme, health.headers, health.follows, health.interval_ill_s) == (
        "https", (("x-who", "me"),), True, 3.0,
    )  # fmt: skip
    assert (backend.outlier.failures_max, backend.outlier.eject_s) == (4, 20.0)
    assert traefik.now.groups["s"].servers[0].server.weight == 3
    assert not traefik.object("frontends", "r").pass_host_header
    traefik.put({f"{base}/passhostheader": "true"})
    assert traefik.object("frontends", "r").pass_host_header, "a router follows its service"
    traefik.put({f"{base}/healthcheck/mode": "grpc", f"{base}/healthcheck/followredirects": "false"})
    assert traefik.object("backends", "s").health is None, "plain HTTP would find it ill"
    assert (
        "those of gRPC alone are not"
        in traefik.problems["traefik/http/services/*/loadbalancer/healthcheck/mode"]
    )


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


def test_clients_stay_with_their_part_of_a_weighted_service() -> None:
    traefik = Traefik()
    base = "http/services/w/weighted"
    traefik.put(
        {**ROUTER, "http/routers/r/service": "w"},
        {f"{base}/services/0/name": "s", f"{base}/services/1/name": "t"},
        SERVICE,
        {"http/services/t/loadbalancer/servers/0/url": "http://10.0.0.2"},
    )
    assert traefik.object("frontends", "r").sticky is None
    traefik.put({f"{base}/sticky/cookie/maxage": "60", f"{base}/sticky/cookie/httponly": "true"})
    sticky = traefik.object("frontends", "r").sticky
    assert (len(sticky.cookie), sticky.ttl_s) == (7, 60.0)
    traefik.put({f"{base}/sticky/cookie/name": "part"})
    assert traefik.object("frontends", "r").sticky.cookie == "part"
    assert traefik.problems == {}
    traefik.put({"http/services/o/weighted/services/0/name": "w", "http/routers/r/service": "o"})
    assert traefik.object("frontends", "r").sticky is None
    assert "put it inside them" in traefik.problems["traefik/http/routers/*/service"]


def test_the_part_of_a_weighted_service_that_is_down_goes_to_the_next_one() -> None:
    traefik = Traefik()
    base = "http/services/w/weighted/services"
    traefik.put(
        {**ROUTER, "http/routers/r/service": "w"},
        {f"{base}/0/name": "t", f"{base}/0/weight": "0", f"{base}/1/name": "s", f"{base}/1/weight": "3"},
        SERVICE,
        {"http/services/t/loadbalancer/servers/0/url": "http://10.0.0.2"},
    )
    assert traefik.object("frontends", "r").fallback == "", "one that is to get nothing gets nothing"
    traefik.put({f"{base}/0/weight": "1"})
    assert traefik.object("frontends", "r").fallback == "t"
    traefik.put({"http/services/f/failover/service": "w", "http/services/f/failover/fallback": "u"})
    traefik.put(
        {"http/services/u/loadbalancer/servers/0/url": "http://10.0.0.3", "http/routers/r/service": "f"}
    )
    assert traefik.object("frontends", "r").fallback == "u"
    assert traefik.problems == {}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, b"; Path=/; HttpOnly; SameSite=Lax"),
        ({"httponly": "false", "samesite": "NONE", "secure": "true"}, b"; Path=/; SameSite=None; Secure"),
        (
            {"path": "/a", "domain": "a.b", "samesite": "strict"},
            b"; Path=/a; Domain=a.b; HttpOnly; SameSite=Strict",
        ),
    ],
)
def test_a_sticky_cookie_is_what_the_service_says(options: dict[str, str], line: bytes) -> None:
    traefik = Traefik()
    base = "http/services/s/loadbalancer/sticky/cookie"
    traefik.put(SERVICE, {f"{base}/name": "c"}, {f"{base}/{name}": text for name, text in options.items()})
    sticky = traefik.object("backends", "s").sticky
    cookies = StickyCookies(sticky, traefik.now.groups["s"].servers)
    set_cookie = cookies.line_for(plan(), traefik.now.groups["s"].servers[0])
    assert set_cookie.startswith(b"Set-Cookie: c=")
    assert set_cookie.endswith(line + b"\r\n")
    assert traefik.problems == {}


@pytest.mark.parametrize(
    "options", [{"samesite": "often"}, {"path": "a"}, {"path": "/a;b"}, {"domain": "a; Secure"}]
)
def test_a_sticky_cookie_that_browsers_would_not_keep_is_named(options: dict[str, str]) -> None:
    traefik = Traefik()
    base = "http/services/s/loadbalancer/sticky/cookie"
    traefik.put(SERVICE, {f"{base}/name": "c"}, {f"{base}/{name}": text for name, text in options.items()})
    assert "Sticky." in traefik.problems["traefik/http/services/s/loadBalancer"]


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
        ("stripprefix", {"Prefixes": ["/api"], "WholeSegments": False}),
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
        ({"addprefix/prefix": "v1"}, [("addprefix", {"Prefix": "/v1"})]),
        ({"stripprefixregex/regex/0": "^/v[0-9]"}, [("stripprefix", {"Regexps": ["^/v[0-9]"]})]),
        ({"replacepath/path": "/x"}, [("replacepath", {"Path": "/x"})]),
        (
            {"replacepathregex/regex": "^/a/(.*)", "replacepathregex/replacement": "/b/$1"},
            [("replacepath", {"Regexp": "^/a/(.*)", "Replacement": "/b/$1"})],
        ),
        ({"compress": "true"}, [("compress", {})]),
        (
            {"compress/minresponsebodybytes": "9", "compress/excludedcontenttypes": "text/event-stream"},
            [("compress", {"MinBytes": 9, "ExcludedTypes": ["text/event-stream", "application/grpc"]})],
        ),
        ({"contenttype/autodetect": "false"}, []),
        ({"ratelimit/average": "0"}, []),
        (
            {"ratelimit/average": "6", "ratelimit/period": "1m", "ratelimit/burst": "3"},
            [("ratelimit", {"Requests": 6, "PeriodSeconds": 60, "Burst": 3, "Variable": "client.ip"})],
        ),
        (
            {
                "ratelimit/average": "2",
                "ratelimit/period": "100ms",
                "ratelimit/sourcecriterion/ipstrategy/depth": "2",
                "ratelimit/sourcecriterion/ipstrategy/ipv6subnet": "64",
            },
            [
                (
                    "ratelimit",
                    {"Requests": 20, "PeriodSeconds": 1, "Burst": 1, "Variable": "client.ip", "Depth": 2}
                    | {"IPv6Subnet": 64},
                )
            ],
        ),
        (
            {"ipallowlist/sourcerange": "10.0.0.1", "ipallowlist/rejectstatuscode": "404"}
            | {"ipallowlist/ipstrategy/excludedips/0": "10.0.0.0/8"},
            [("ipallow", {"SourceRange": ["10.0.0.1"], "ExcludedIPs": ["10.0.0.0/8"], "StatusCode": 404})],
        ),
        ({"buffering/maxrequestbodybytes": "99999999999"}, [("bodylimit", {"MaxBodyBytes": 99999999999})]),
        (
            {"headers/stsseconds": "60", "headers/stspreload": "true", "headers/framedeny": "true"}
            | {"headers/contenttypenosniff": "true", "headers/browserxssfilter": "true"}
            | {
                "headers/permissionspolicy": "microphone=()",
                "headers/customresponseheaders/x-frame-options": "SAMEORIGIN",
            },
            [
                (
                    "headers",
                    {
                        "Scheme": "https",
                        "Response": {"Set": {"Strict-Transport-Security": "max-age=60; preload"}},
                    },
                ),
                (
                    "headers",
                    {
                        "Response": {
                            "Set": {
                                "Permissions-Policy": "microphone=()",
                                "X-Content-Type-Options": "nosniff",
                                "X-XSS-Protection": "1; mode=block",
                                "x-frame-options": "SAMEORIGIN",
                            },
                            "Remove": [],
                        }
                    },
                ),
            ],
        ),
        (
            {
                "headers/stsseconds": "1",
                "headers/forcestsheader": "true",
                "headers/stsincludesubdomains": "true",
            },
            [
                (
                    "headers",
                    {"Response": {"Set": {"Strict-Transport-Security": "max-age=1; includeSubDomains"}}},
                )
            ],
        ),
        (
            {"headers/sslredirect": "true", "headers/sslhost": "a.example"},
            [("redirect", {"Scheme": "https", "Host": "a.example", "Permanent": True})],
        ),
        (
            {"headers/accesscontrolalloworiginlist": "*", "headers/accesscontrolallowcredentials": "true"},
            [("cors", {"AllowOrigins": ["*"], "AllowCredentials": False, "MaxAge": 0})],
        ),
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
        (
            {
                "forwardauth/address": "http://10.0.0.9/",
                "forwardauth/addauthcookiestoresponse/0": "session",
                "forwardauth/preserverequestmethod": "true",
            },
            [
                (
                    "forwardauth",
                    {
                        "Address": "http://10.0.0.9/",
                        "AuthRequestHeaders": [],
                        "AuthResponseHeaders": [],
                        "AddAuthCookiesToResponse": ["session"],
                        "PreserveRequestMethod": True,
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


def test_error_pages_of_a_service_come_from_its_servers() -> None:
    traefik = Traefik()
    traefik.put(
        ROUTER,
        SERVICE,
        {"http/routers/r/middlewares": "e", "http/middlewares/e/errors/service": "pages@file"},
        {
            "http/middlewares/e/errors/query": "/{status}.html",
            "http/middlewares/e/errors/status/0": "500-599",
        },
    )
    assert "service pages is no loadBalancer with servers" in traefik.problems["traefik/http/routers/r"]
    traefik.put({"http/services/pages/loadbalancer/servers/0/url": "http://10.0.0.9"})
    assert traefik.problems == {}
    expected = {"From": ["http://10.0.0.9"], "Query": "/{status}.html", "Statuses": ["500-599"]}
    assert traefik.settings("r") == [("errorpages", expected)]
    traefik.put({"http/services/pages/loadbalancer/servers/1/url": "http://10.0.0.8"})
    assert traefik.settings("r")[0][1]["From"] == ["http://10.0.0.9", "http://10.0.0.8"], (
        "a router follows it"
    )


def test_retries_belong_to_the_router_itself() -> None:
    traefik = Traefik()
    traefik.put(
        ROUTER,
        SERVICE,
        {"http/routers/r/middlewares": "again, hold"},
        {
            "http/middlewares/again/retry/attempts": "3",
            "http/middlewares/again/retry/initialinterval": "100ms",
        },
        {"http/middlewares/hold/buffering/memrequestbodybytes": "9"},
    )
    assert "a little longer" in traefik.problems["traefik/http/middlewares/*/retry/initialinterval"]
    frontend = traefik.object("frontends", "r")
    assert (frontend.retry.attempts_max, frontend.failover, frontend.memory_bytes_max) == (3, "", 9)
    assert frontend.pass_host_header
    traefik.put({"http/middlewares/again/retry/status": "503, 520-530"})
    assert traefik.object("frontends", "r").failover == (
        "(IsNetworkError() || ResponseCode() == 503 || (ResponseCode() >= 520 && ResponseCode() <= 530))"
        " && Attempts() < 3"
    )
    traefik.put({"http/middlewares/hold/buffering/retryexpression": "IsNetworkError() && Attempts() < 2"})
    assert traefik.object("frontends", "r").failover == "IsNetworkError() && Attempts() < 2"
    traefik.put({"http/middlewares/again/retry/attempts": "0"})
    assert "retry/attempts is missing" in traefik.problems["traefik/http/routers/r"]


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
            {"http/routers/bad/rule": "a", "http/routers/bad/service": "s", "http/routers/bad/rulesyntax": "v9"},
            "routers/bad",
            "ruleSyntax 'v9'",
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


def test_udp_and_tls_objects_are_refused_by_name() -> None:
    traefik = Traefik()
    keys = {
        "udp/routers/u/service": "s",
        "udp/routers/u/entrypoints/0": "e",
        "udp/services/s/loadbalancer/servers/0/address": "10.0.0.1:53",
        "tls/options/default/minversion": "VersionTLS12",
        "tls/certificates/0/certfile": "/a.pem",
    }
    traefik.put(ROUTER, SERVICE, keys)
    assert traefik.found() == "r"
    assert traefik.problems == {
        "traefik/udp/routers/u": "router u: UDP is not served here; this has no effect",
        "traefik/udp/services/s": "service s: UDP is not served here; this has no effect",
        "traefik/tls/options/default": (
            "option default: listeners say which TLS is spoken (Settings.TLS); this has no effect"
        ),
        "traefik/tls/certificates/0": "certificate 0: certificates are those of hosts; this has no effect",
    }
    traefik.put(delete=tuple(keys))
    assert traefik.problems == {}


@pytest.mark.parametrize("name", ["mtls", "default"])
def test_a_router_for_clients_with_certificates_is_not_opened_to_all(name: str) -> None:
    traefik = Traefik()
    wanted = f"tls/options/{name}/clientauth/clientauthtype"
    router = (
        {"http/routers/r/tls": "true"}
        if name == "default"
        else {"http/routers/r/tls/options": f"{name}@redis"}
    )
    traefik.put(SERVICE, {wanted: "RequireAndVerifyClientCert"}, {**ROUTER, **router})
    assert "want certificates of clients" in traefik.problems["traefik/http/routers/r"]
    assert "r" not in traefik.routes.catalog.frontends
    traefik.put({wanted: "VerifyClientCertIfGiven"})
    assert "r" in traefik.routes.catalog.frontends
    assert "traefik/http/routers/r" not in traefik.problems
    traefik.put({wanted: "RequireAnyClientCert"})
    assert "stays in force" in traefik.problems["traefik/http/routers/r"]
    traefik.put({"http/routers/r/tls": "false"}, delete=tuple(router.keys() - {"http/routers/r/tls"}))
    assert "traefik/http/routers/r" not in traefik.problems, "without TLS nobody wants certificates"


def test_a_tcp_router_for_clients_with_certificates_is_not_opened_to_all_unless_its_servers_ask_them() -> (
    None
):
    traefik = Traefik()
    listening(traefik, secure="https")
    wanted = {"tls/options/mtls/clientauth/clientauthtype": "RequireAnyClientCert"}
    router = tcp("db", "HostSNI(`db`)", "secure", tls="true")
    traefik.put(TCP_SERVICE, wanted, router, {"tcp/routers/db/tls/options": "mtls"})
    assert "want certificates of clients" in traefik.problems["traefik/tcp/routers/db"]
    traefik.put({"tcp/routers/db/tls/passthrough": "true"})
    assert "traefik/tcp/routers/db" not in traefik.problems


def listening(traefik: Traefik, **protocols: str) -> None:
    """Open listeners: Traefik's entry points are none of its keys."""
    puts = {
        f"/vulcand/listeners/{name}".encode(): json.dumps(
            {"Protocol": protocol, "Address": {"Address": f"127.0.0.1:{port}"}}
        ).encode()
        for port, (name, protocol) in enumerate(protocols.items(), 1000)
    }
    traefik.routes.apply(traefik.board.revision + 1, puts, [])


def tcp(name: str, rule: str, *entrypoints: str, service: str = "s", **options: str) -> dict[str, str]:
    keys = {f"tcp/routers/{name}/rule": rule, f"tcp/routers/{name}/service": service}
    keys |= {f"tcp/routers/{name}/entrypoints/{n}": each for n, each in enumerate(entrypoints)}
    return keys | {f"tcp/routers/{name}/{option}": value for option, value in options.items()}


TCP_SERVICE = {"tcp/services/s/loadbalancer/servers/0/address": "10.0.0.9:5432"}


def test_tcp_routers_become_routes_of_listeners() -> None:
    traefik = Traefik()
    listening(traefik, db="tcp", secure="https")
    passing = {"tls/passthrough": "true"}
    traefik.put(
        TCP_SERVICE,
        tcp("all", "HostSNI(`*`)", "db"),
        tcp("a", "HostSNI(`a.example`) || hostsni(`*.B.example`)", "secure", **passing),
        tcp("c", "HostSNI(`c.example`, `d.example`)", "secure", tls="true", ruleSyntax="v2"),
        {"tcp/services/s/loadbalancer/proxyprotocol/version": "1"},
    )
    assert traefik.problems == {}
    assert [(each.names, each.tls) for each in traefik.listeners["db"].routes] == [(("*",), "plain")]
    found = {each.names[0]: (each.tls, each.backend_id) for each in traefik.listeners["secure"].routes}
    assert found == {
        "a.example": ("pass", "tcp:s"),
        "*.b.example": ("pass", "tcp:s"),
        "c.example": ("end", "tcp:s"),
        "d.example": ("end", "tcp:s"),
    }
    group = traefik.now.groups["tcp:s"]
    assert [(each.server.host, each.server.port) for each in group.servers] == [("10.0.0.9", 5432)]
    assert group.backend.proxy_protocol == 1
    traefik.put(delete=tuple(tcp("all", "", "db")))
    assert traefik.listeners["db"].routes == ()


@pytest.mark.parametrize(
    ("keys", "named", "said"),
    [
        (tcp("bad", "HostSNI(`*`)"), "tcp/routers/bad", "entryPoints are missing"),
        (tcp("bad", "HostSNI(`*`)", "web"), "tcp/routers/bad", "the socket of --listen speaks HTTP"),
        (tcp("bad", "HostSNI(`*`)", "secure"), "tcp/routers/bad", "this would take all of it"),
        (tcp("bad", "HostSNI(`a`)", "db"), "tcp/routers/bad", "only TLS clients say a name"),
        (tcp("bad", "HostSNIRegexp(`a`)", "db"), "tcp/routers/bad", "only TLS clients say a name"),
        (tcp("bad", "HostSNI(`*`", "db"), "tcp/routers/bad", "rule, character"),
        (tcp("bad", "HostSNI(`*`)", "db", ruleSyntax="v9"), "tcp/routers/bad", "ruleSyntax 'v9'"),
        (tcp("bad", "HostSNI(`*`)", "db", **{"middlewares/0": "m"}), "tcp/routers/bad", "no middleware m"),
        ({"tcp/middlewares/m/ratelimit/average": "1"}, "tcp/middlewares/m", "TCP has ipAllowList"),
        ({"tcp/middlewares/m/inflightconn/amount": "0"}, "tcp/middlewares/m", "must be at least 1"),
        ({"tcp/middlewares/m/ipallowlist/sourcerange": "x"}, "tcp/middlewares/m", "write an address"),
        (
            {**TCP_SERVICE, "tcp/services/s/loadbalancer/serverstransport": "t"},
            "tcp/services/s",
            "no serversTransport t",
        ),
        (tcp("bad", "HostSNI(`*`)", "db", service="none"), "tcp/routers/bad", "there is no backend tcp:none"),
        ({"tcp/services/bad/mirroring/service": "s"}, "tcp/services/bad", "loadBalancer or weighted"),
        (
            {"tcp/services/bad/loadbalancer/servers/0/address": "nowhere at all"},
            "tcp/services/bad/loadBalancer/servers/0",
            "URL must look like",
        ),
        (
            {**TCP_SERVICE, "tcp/services/s/loadbalancer/terminationdelay": "100"},
            "tcp/services/*/loadbalancer/terminationdelay",
            "each side may end its half",
        ),
    ],
)
def test_a_bad_key_for_tcp_costs_only_itself(keys: dict[str, str], named: str, said: str) -> None:
    traefik = Traefik()
    listening(traefik, db="tcp", secure="https")
    traefik.put(TCP_SERVICE, tcp("good", "HostSNI(`good`)", "secure", tls="true"), keys)
    assert said in traefik.problems[f"traefik/{named}"]
    assert [each.names for each in traefik.listeners["secure"].routes] == [("good",)]
    traefik.put(delete=tuple(keys.keys() - TCP_SERVICE.keys()))
    assert traefik.problems == {}


def test_an_option_without_effect_is_said_once_however_many_objects_have_it() -> None:
    traefik = Traefik()
    option = {f"http/routers/r{n}/tls/certresolver": "le" for n in range(3)}
    for n in range(3):
        traefik.put({f"http/routers/r{n}/rule": f"Path(`/{n}`)", f"http/routers/r{n}/service": "s"})
    traefik.put(SERVICE, option, {"http/services/s/loadbalancer/servers/0/preservepath": "true"})
    traefik.put({"http/routers/r0/observability/metrics": "true", "http/routers/r1/misspelt/7/x": "1"})
    assert traefik.problems == {
        "traefik/http/routers/*/tls/certresolver": (
            "has no effect here: hosts say which certificates are ordered (AutoCert)"
        ),
        "traefik/http/services/*/loadbalancer/servers/*/preservepath": "has no effect here",
        "traefik/http/routers/*/misspelt/*/x": "has no effect here",
    }
    first, *others = option
    traefik.put(delete=(first, "http/routers/r1/misspelt/7/x"))
    assert "traefik/http/routers/*/tls/certresolver" in traefik.problems
    traefik.put(delete=(*others, "http/services/s/loadbalancer/servers/0/preservepath"))
    assert traefik.problems == {}


def test_a_router_for_tls_serves_nobody_else_and_may_stay_out_of_the_log() -> None:
    traefik = Traefik()
    traefik.put(ROUTER, SERVICE, {"http/routers/r/tls": "true"})
    secured = Asked("/api", host="a.example")
    secured.is_secure = True
    assert traefik.found() is None
    assert traefik.now.router.find(secured) is traefik.object("frontends", "r")
    traefik.put({"http/routers/r/tls": "false"})
    assert traefik.found() == "r"
    traefik.put({"http/routers/r/observability/accesslogs": "false"}, delete=("http/routers/r/tls",))
    assert not traefik.object("frontends", "r").is_logged
    traefik.put({"http/routers/r/tls/options": "modern"})
    assert traefik.found() is None, "to have TLS options is to be for TLS"


def test_several_mirrors_get_their_parts_and_are_lost_inside_weighted_services() -> None:
    traefik = Traefik()
    base = "http/services/m/mirroring"
    traefik.put(
        {**ROUTER, "http/routers/r/service": "m"},
        SERVICE,
        {f"{base}/service": "s", f"{base}/mirrors/0/name": "t", f"{base}/mirrors/0/percent": "10"},
        {f"{base}/mirrors/1/name": "u", f"{base}/mirrors/1/percent": "50", f"{base}/mirrorbody": "true"},
        {f"http/services/{each}/loadbalancer/servers/0/url": "http://10.0.0.2" for each in "tu"},
    )
    mirrors = traefik.object("frontends", "r").mirrors
    assert [(each.backend_id, each.ratio) for each in mirrors] == [("t", 0.1), ("u", 0.5)]
    assert traefik.problems == {}
    traefik.put({"http/services/n/mirroring/service": "m", "http/services/n/mirroring/mirrors/0/name": "t"})
    traefik.put({"http/routers/r/service": "n"})
    assert len(traefik.object("frontends", "r").mirrors) == 3, "mirrors inside mirrors"
    traefik.put({"http/services/w/weighted/services/0/name": "m", "http/routers/r/service": "w"})
    assert "put it inside them" in traefik.problems["traefik/http/routers/*/service"]
    assert traefik.found() == "r"
    traefik.put({"http/routers/r/service": "m"})
    assert traefik.problems == {}


def test_a_transport_says_how_servers_are_spoken_to() -> None:
    traefik = Traefik()
    transport = {
        "insecureskipverify": "true", "rootcas/0": "/etc/ca.pem", "rootcas/1": "-----BEGIN CERTIFICATE-----",
        "servername": "inner.example", "maxidleconnsperhost": "7",
        "certificates/0/certfile": "/c.pem", "certificates/0/keyfile": "/k.pem",
        "forwardingtimeouts/dialtimeout": "3", "forwardingtimeouts/responseheadertimeout": "1m",
    }  # fmt: skip
    use = {"http/services/s/loadbalancer/serverstransport": "t@file"}
    traefik.put(ROUTER, SERVICE, use)
    assert "there is no serversTransport t" in traefik.problems["traefik/http/services/s"]
    traefik.put({f"http/serversTransports/t/{name}": value for name, value in transport.items()})
    assert traefik.problems == {}
    backend = traefik.object("backends", "s")
    assert backend.tls == TlsSettings(
        verify=False,
        ca_files=("/etc/ca.pem", "-----BEGIN CERTIFICATE-----"),
        server_name="inner.example",
        client_cert_file="/c.pem",
        client_key_file="/k.pem",
    )
    assert (backend.dial_s, backend.read_s, backend.idle_max) == (3.0, 60.0, 7)
    traefik.put({"http/serversTransports/t/insecureskipverify": "false"})
    assert traefik.object("backends", "s").tls.verify, "a service follows its transport"
    traefik.put({"http/serversTransports/t/insecureskipverify": "perhaps"})
    said = "insecureskipverify must be true or false"
    assert said in traefik.problems["traefik/http/serverstransports/t"]
    assert said in traefik.problems["traefik/http/services/s"]
    assert traefik.object("backends", "s").tls.verify, "and stays what it was"
    traefik.put({"http/serversTransports/t/insecureskipverify": "false"})
    assert traefik.problems == {}
    traefik.put({"http/serversTransports/t/forwardingtimeouts/idleconntimeout": "90s"})
    assert list(traefik.problems) == ["traefik/http/serverstransports/*/forwardingtimeouts/idleconntimeout"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("Host(`a.example`)", 'Host("a.example")'),
        ("Host(`a`, `b`) && Path(`/x`)", '((Host("a") || Host("b")) && Path("/x"))'),
        ("HostHeader(`a`)", 'Host("a")'),
        ("HostRegexp(`{sub:[a-z]{2,3}}.a.example`)", r'HostRegexp("(?i)^(?:[a-z]{2,3})\\.a\\.example$")'),
        ("HostRegexp(`{sub}.a`, `b`)", r'(HostRegexp("(?i)^(?:[^.]+)\\.a$") || HostRegexp("(?i)^b$"))'),
        ("Path(`/a/{id:[0-9]+}/{rest}`)", 'PathRegexp("^/a/(?:[0-9]+)/(?:[^/]+)$")'),
        ("PathPrefix(`/a`, `/{x:b|c}`)", '(PathPrefix("/a") || PathRegexp("^/(?:b|c)"))'),
        ("Method(`GET`, `post`)", '(Method("GET") || Method("post"))'),
        ("Headers(`X-A`, `b`)", 'Header("X-A", "b")'),
        ("Headers(`X-A`, ``)", 'HeaderRegexp("X-A", "^")'),
        ("headersregexp(`X-A`, `^b`)", 'HeaderRegexp("X-A", "^b")'),
        ("Query(`a=b`, `c={n:[0-9]+}`)", '(Query("a", "b") && QueryRegexp("c", "^(?:[0-9]+)$"))'),
        ("Query(`a=`)", 'QueryRegexp("a", "^")'),
        ("!ClientIP(`10.0.0.0/8`, `::1`)", '!((ClientIP("10.0.0.0/8") || ClientIP("::1")))'),
        ('Path(`/a\\b"c`)', r'Path("/a\\b\"c")'),
    ],
)
def test_rules_of_version_2_say_the_same_in_version_3(rule: str, says: str) -> None:
    assert version_3_of(rule) == says
    compile_expression(parse_rule(says))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("Header(`a`, `b`)", "'Header' is not one of"),
        ("Headers(`a`)", "headers come in pairs"),
        ("Query(`a`)", "name=value"),
        ("Path(`/{a`)", "a brace has no other"),
        ("Path(`/a}/{b}`)", "a brace has no other"),
        ("Path(`/}{`)", "a brace has no other"),
        ("Path(`/{}`)", "a placeholder is written as"),
        ("Path(`/a`", "expected )"),
    ],
)
def test_what_is_no_rule_of_version_2_is_named_with_its_place(rule: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        version_3_of(rule)
    assert said in str(caught.value)
    assert str(caught.value).startswith("rule, character ")


def test_a_router_may_be_written_in_version_2() -> None:
    traefik = Traefik()
    rule = "Host(`a.example`, `b.example`) && PathPrefix(`/{kind:api|web}/`) && !Headers(`X-No`, ``)"
    traefik.put(
        {"http/routers/r/rule": rule, "http/routers/r/service": "s", "http/routers/r/ruleSyntax": "V2"}
    )
    traefik.put(SERVICE)
    assert (traefik.found("/api/x"), traefik.found("/web/", "b.example")) == ("r", "r")
    assert (traefik.found("/other/x"), traefik.found("/api/x", "c.example")) == (None, None)
    asked = Asked("/api/x", host="a.example", x_no="")
    assert traefik.now.router.find(asked) is None
    assert traefik.object("frontends", "r").priority == len(rule)
    assert traefik.problems == {}


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


def test_weighted_services_of_tcp_have_their_parts() -> None:
    traefik = Traefik()
    listening(traefik, db="tcp")
    weighted = "tcp/services/w/weighted/services"
    traefik.put(
        tcp("r", "HostSNI(`*`)", "db", service="w"),
        {f"tcp/services/{name}/loadbalancer/servers/0/address": "10.0.0.9:1" for name in "ab"},
        {f"{weighted}/0/name": "a", f"{weighted}/0/weight": "3", f"{weighted}/1/name": "b"},
    )
    assert traefik.problems == {}
    (route,) = traefik.listeners["db"].routes
    parts = [(each.backend_id, each.ratio) for each in route.canaries]
    assert (route.backend_id, parts) == ("tcp:a", [("tcp:b", 0.25)])
    traefik.put({f"{weighted}/1/weight": "5"})
    assert traefik.listeners["db"].routes[0].backend_id == "tcp:b"


def test_guards_of_tcp_want_what_all_of_them_want() -> None:
    traefik = Traefik()
    listening(traefik, db="tcp")
    guarded = {f"middlewares/{n}": name for n, name in enumerate(("wide", "narrow", "many", "few"))}
    traefik.put(
        TCP_SERVICE,
        tcp("r", "HostSNI(`*`)", "db", **guarded),
        {
            "tcp/middlewares/wide/ipallowlist/sourcerange": "10.0.0.0/8, ::1",
            "tcp/middlewares/narrow/ipallowlist/sourcerange": "10.1.0.0/16, 192.0.2.1",
            "tcp/middlewares/many/inflightconn/amount": "9",
            "tcp/middlewares/few/inflightconn/amount": "3",
        },
    )
    assert traefik.problems == {}
    (route,) = traefik.listeners["db"].routes
    assert repr(route.allowed) == "Networks(10.1.0.0/16)"
    assert route.connections_max == 3
    traefik.put({"tcp/middlewares/narrow/ipallowlist/sourcerange": "192.0.2.1"})
    assert repr(traefik.listeners["db"].routes[0].allowed) == "Networks()", "nobody, and not everybody"


def test_a_guard_of_tcp_that_turns_bad_leaves_what_it_was_in_force() -> None:
    traefik = Traefik()
    listening(traefik, db="tcp")
    key = "tcp/middlewares/m/ipallowlist/sourcerange"
    traefik.put(TCP_SERVICE, tcp("r", "HostSNI(`*`)", "db", **{"middlewares/0": "m"}), {key: "10.0.0.0/8"})
    traefik.put({key: "nobody"})
    assert repr(traefik.listeners["db"].routes[0].allowed) == "Networks(10.0.0.0/8)"
    assert set(traefik.problems) == {"traefik/tcp/middlewares/m", "traefik/tcp/routers/r"}
    traefik.put({key: "192.0.2.0/24"})
    assert repr(traefik.listeners["db"].routes[0].allowed) == "Networks(192.0.2.0/24)"
    assert traefik.problems == {}


def test_a_transport_says_how_servers_of_tcp_are_spoken_to() -> None:
    traefik = Traefik()
    listening(traefik, db="tcp")
    balancer = "tcp/services/s/loadbalancer"
    traefik.put(
        tcp("r", "HostSNI(`*`)", "db"),
        {f"{balancer}/servers/0/address": "10.0.0.9:5432", f"{balancer}/servers/0/tls": "true"},
        {
            f"{balancer}/serverstransport": "t",
            "tcp/serverstransports/t/dialtimeout": "2s",
            "tcp/serverstransports/t/dialkeepalive": "15s",
            "tcp/serverstransports/t/tls/servername": "db.example",
        },
    )
    assert traefik.problems == {}
    group = traefik.now.groups["tcp:s"]
    assert group.servers[0].server.scheme == "https"
    assert (group.dial_s, group.backend.keep_alive_s) == (2.0, 15.0)
    assert group.servers[0].tls is not None
    assert group.servers[0].tls.server_name == "db.example"


def test_rules_of_tcp_go_by_priority_by_length_and_everybody_last() -> None:
    traefik = Traefik()
    listening(traefik, secure="https")
    traefik.put(
        TCP_SERVICE,
        tcp("all", "HostSNI(`*`)", "secure", tls="true"),
        tcp("two", "HostSNIRegexp(`{sub:[a-z]+}.example`)", "secure", tls="true", ruleSyntax="v2"),
        tcp("long", "HostSNI(`a.example`) && ClientIP(`10.0.0.0/8`)", "secure", tls="true"),
        tcp("first", "ALPN(`h2`)", "secure", tls="true", priority="500"),
    )
    assert traefik.problems == {}
    assert [each.id for each in traefik.listeners["secure"].routes] == ["first", "long", "two", "all"]
