"""Which route wins: vulcand's own tables, its rule over generated ones, and the look-up against trying all."""

import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.proxy.keys import Kind, ObjectId
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model import Frontend, read_object
from fairlead.proxy.router import Router, in_order_of_precedence


class Asked:
    """A request as routing sees it."""

    def __init__(
        self, target: str = "/", *, method: str = "GET", host: str = "", peer: str = "", **headers: str
    ) -> None:
        self.method, self.host, self.target, self.peer = (x.encode() for x in (method, host, target, peer))
        self.entrypoint = "web"
        self.is_secure = False
        self.path = self.target.partition(b"?")[0]
        self._headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}

    def header(self, name: bytes) -> bytes:
        return self._headers.get(name, b"")

    def header_values(self, name: bytes) -> list[bytes]:
        return [self._headers[name]] if name in self._headers else []


def frontend(route: str, *, name: str = "", priority: int = 0) -> Frontend:
    value = json.dumps({"Type": "http", "BackendId": "b", "Route": route, "Priority": priority})
    made = read_object(ObjectId(Kind.FRONTEND, "", name or route), value.encode())
    assert isinstance(made, Frontend)
    return made


def winner(routes: list[str], asked: Asked) -> str | None:
    found = Router([frontend(route) for route in routes]).find(asked)
    return found.route if found else None


JSON = "application/json"


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ('Path("/helloworld")', Asked("/helloworld")),
        ('Path("/hello/<world>")', Asked("/hello/world")),
        ('Method("POST") &&  Path("/helloworld%2F")', Asked("/helloworld%2F", method="POST")),
        ('Method("POST") && Path("/helloworld/<name>")', Asked("/helloworld/%2F", method="POST")),
        ('Path("/escaped/<path:name>")', Asked("/escaped/some%2Fpath/x")),
        ('Host("<sub1>.<sub2>.localhost") && Path("/h")', Asked("/h", host="a.b.localhost")),
        ('Host("LOCALHOST")', Asked(host="localhost")),
        ('Header("Content-Type", "application/<string>")', Asked(content_type=JSON)),
        ('HeaderRegexp("Content-Type", "application/.+")', Asked(content_type=JSON)),
        (
            'HostRegexp("[^\\\\.]+\\\\.localhost") && PathRegexp("/hello.*")',
            Asked("/helloworld", host="a.localhost"),
        ),
        ('MethodRegexp("POST|PUT") && Path("/")', Asked(method="PUT")),
        ('Path("/a") || Path("/b")', Asked("/b")),
        ('(Path("/a") || Path("/b")) && Host("h")', Asked("/b", host="h")),
    ],
)
def test_these_match(route: str, asked: Asked) -> None:
    assert winner([route], asked) == route


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ('Path("/r1")', Asked("/r3")),
        ('Path("/r1")', Asked("/r1/")),
        ('Host("<sub>.localhost")', Asked(host="a.b.localhost")),
        ('Host("h1") && Method("POST") && Path("/r1")', Asked("/r1", method="1POST", host="h")),
        ('(Path("/a") || Path("/b")) && Host("h")', Asked("/b", host="i")),
        ('PathRegexp("a")', Asked("/" + "a" * 5000)),  # too long to be searched
    ],
)
def test_these_do_not(route: str, asked: Asked) -> None:
    assert winner([route], asked) is None


def test_routes_are_tried_in_reverse_lexicographic_order() -> None:
    """vulcand's rule, surprises included: ``<`` sorts above digits, so that <x> beats /1."""
    everything = [
        f'{matcher}{kind}("{text}")'
        for matcher, kind, texts in (
            ("Path", "", ("/abc", "/<x>", "/1", "/<path:p>")),
            ("Path", "Regexp", ("/.*",)),
            ("Method", "", ("GET",)),
            ("Host", "", ("abc", "<x>")),
        )
        for text in texts
    ] + ['Header("X", "<x>")']
    ordered = [each.route for each in in_order_of_precedence([frontend(route) for route in everything])]
    assert ordered == sorted(everything, reverse=True)
    for first, second in itertools.combinations(ordered, 2):
        asked = Asked("/1", host="abc", x="y")
        if winner([first], asked) and winner([second], asked):
            assert winner([second, first], asked) == first
    assert winner(['Path("/1")', 'Path("/<x>")'], Asked("/1")) == 'Path("/<x>")'
    assert winner(['PathRegexp("/1")', 'Path("/1")'], Asked("/1")) == 'PathRegexp("/1")'


def test_a_priority_goes_before_the_order_of_the_text() -> None:
    low, high = frontend('Path("/1")', priority=1), frontend('Path("/<x>")')
    found = Router([high, low]).find(Asked("/1"))
    assert found is low


def test_equal_routes_go_to_the_first_id_on_every_replica() -> None:
    twins = [frontend('Path("/")', name=name) for name in ("b", "a", "c")]
    for order in itertools.permutations(twins):
        found = Router(order).find(Asked("/"))
        assert found is not None
        assert found.id == "a"


_hosts = st.sampled_from(
    ["", ' && Host("a")', ' && Host("b")', ' && Host("<x>.c")', ' && HostRegexp("[ab]")']
)
_paths = st.sampled_from(
    [
        "/",
        "/a",
        "/a/b",
        "/<x>",
        "/a/<x>",
        "/<x>/b",
        "/<int:n>",
        "/a/<path:p>",
        "/<x>/<int:n>",
        "/x<y>/b",
        "/a/",
    ]
)
_route = st.builds(
    lambda path, host, method, other: f'Path("{path}"){host}{method}{other}',
    _paths,
    _hosts,
    st.sampled_from(["", ' && Method("GET")', ' && MethodRegexp("P.*")']),
    st.sampled_from(["", ' || Path("/other")', ' || PathRegexp("^/a")', ' || Host("b")']),
)


@given(
    routes=st.lists(_route, max_size=12, unique=True),
    path=st.sampled_from(
        ["/", "/a", "/a/b", "/b", "/7", "/a/7", "/xy/b", "/a/", "/a/b/c", "/other", "/a%2Fb"]
    ),
    host=st.sampled_from(["", "a", "b", "q.c"]),
    method=st.sampled_from(["GET", "PUT"]),
)
def test_the_index_finds_what_trying_all_finds(routes: list[str], path: str, host: str, method: str) -> None:
    asked = Asked(path, host=host, method=method)
    frontends = [frontend(route) for route in routes]
    expected = next(
        (
            each
            for each in in_order_of_precedence(frontends)
            for way in compile_expression(each.expression)
            if all(condition.test(asked) for condition in way)
        ),
        None,
    )
    assert Router(frontends).find(asked) is expected


_asked = st.builds(
    Asked,
    st.sampled_from(
        [
            "/",
            "/a",
            "/a/b",
            "/b",
            "/7",
            "/a/7",
            "/xy/b",
            "/a/",
            "/a/b/c",
            "/other",
            "/a?q=1",
            "/%61",
            "/a%2Fb",
        ]
    ),
    host=st.sampled_from(["", "a", "b", "q.c", ".c"]),
    method=st.sampled_from(["GET", "PUT"]),
)
_wider = _route | st.sampled_from(
    [
        'PathRegexp("^/a/") && Host("a")', 'PathRegexp("^/a")', 'PathRegexp("^/ab?")',
        'PathPrefix("/a")', 'PathPrefix("/")', 'PathPrefix("/a/b") && Host("a")', '!Path("/a")',
        '!(Path("/a") || Host("b"))', 'Query("q", "1") && PathPrefix("/a")', 'Host("<x>.c") && PathPrefix("/a")',
    ]
)  # fmt: skip


@given(
    steps=st.lists(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | _wider), max_size=4), max_size=6
    ),
    requests=st.lists(_asked, max_size=4),
)
def test_a_router_that_was_changed_is_the_one_that_would_be_made_anew(
    steps: list[list[tuple[str, str | None]]], requests: list[Asked]
) -> None:
    """And those before it stay as they were."""
    there: dict[str, Frontend] = {}
    routers = [Router()]
    states = [dict(there)]
    for step in steps:
        wanted = dict(step)
        removed = [there.pop(name) for name in wanted if name in there]
        added = [frontend(route, name=name) for name, route in wanted.items() if route]
        there |= {each.id: each for each in added}
        routers.append(routers[-1].changed(removed=removed, added=added))
        states.append(dict(there))
    for router, state in zip(routers, states, strict=True):
        anew = Router(state.values())
        for request in requests:
            assert router.find(request) is anew.find(request)


def test_nothing_is_left_of_routes_that_are_gone() -> None:
    gone = [
        frontend(route)
        for route in (
            'Host("a") && Path("/a")', 'Host("<x>.a")', 'PathPrefix("/p")', 'Path("/a/<x>/<path:y>")', 'Path("/<x>/b")',
            'PathRegexp("a") || Path("/c")',
        )
    ]  # fmt: skip
    router = Router(gone).changed(removed=gone)
    assert (router._hosts, router._domains, router._anywhere.is_empty) == ({}, {}, True)
    assert not router._anywhere._lengths


def test_a_thousand_routes_are_not_tried_one_by_one() -> None:
    """Literal routes of other hosts and paths are never looked at: counted, not timed."""
    counted = 0

    class Counting(bytes):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal counted
            counted += 1
            return bytes(self) == other

        __hash__ = bytes.__hash__

    rng = random.Random(1)
    routes = [f'Host("h{n}.example") && Path("/p{rng.random()}/<x>")' for n in range(500)]
    routes += [f'Path("/q{n}") && Method("GET")' for n in range(500)]
    router = Router([frontend(route) for route in routes])
    asked = Asked("/q77", host="h3.example")
    asked.method = Counting(b"GET")
    found = router.find(asked)
    assert found is not None
    assert found.route == 'Path("/q77") && Method("GET")'
    assert counted == 1
