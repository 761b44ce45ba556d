"""Whole tables of routes: vulcand's and Traefik's own cases as rows, and the order of precedence for all shapes."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.proxy.test_router import Asked, frontend

from fairlead.proxy.aliases import parse_alias, with_aliases
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import parse_expression, parse_rule
from fairlead.proxy.keys import Kind, ObjectId
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model import Frontend, read_object
from fairlead.proxy.router import Router, in_order_of_precedence

TABLES = Path(__file__).parent / "tables"


def rows(name: str) -> list[Any]:
    loaded: list[Any] = json.loads((TABLES / name).read_text())
    return loaded


def ruled(*rules: str, name: str = "f", priority: int | None = None) -> Frontend:
    value: dict[str, object] = {"BackendId": "b", "Routes": list(rules)}
    if priority is not None:
        value["Priority"] = priority
    made = read_object(ObjectId(Kind.FRONTEND, "", name), json.dumps(value).encode())
    assert isinstance(made, Frontend)
    return made


@pytest.mark.parametrize("row", rows("vulcand_routes.json"), ids=lambda row: row["says"])
def test_vulcands_routes_find_what_they_find_there(row: dict[str, Any]) -> None:
    router = Router([frontend(route, name=name) for name, route in row["routes"].items()])
    for method, host, target, winner, *content_type in row["asks"]:
        headers = {"content_type": content_type[0]} if content_type else {}
        found = router.find(Asked(target, method=method, host=host, **headers))
        assert (found.id if found else None) == winner, target


def test_the_routes_of_a_large_api_find_themselves() -> None:
    named: dict[str, tuple[str, str]] = {}
    for line in (TABLES / "github.txt").read_text().splitlines():
        path, *methods = line.split()
        pattern = re.sub(r":(\w+)", r"<\1>", path)
        named |= {f'Method("{method}") && Path("{pattern}")': (method, path) for method in methods}
    router = Router([frontend(route) for route in named])
    assert len(named) == 202
    for route, (method, path) in named.items():
        found = router.find(Asked(path, method=method))
        assert found is not None
        assert found.route == route


def asked(text: str) -> Asked:
    """Read ``host/path?query``, and then the value of X-Forwarded-Proto or, behind @, the client's address."""
    where, _, more = text.partition(" ")
    host, slash, target = where.partition("/")
    if more.startswith("@"):
        return Asked(slash + target, host=host, peer=more[1:])
    return Asked(slash + target, host=host, **({"x_forwarded_proto": more} if more else {}))


@pytest.mark.parametrize("row", rows("traefik_rules.json"), ids=lambda row: row["rule"])
def test_traefiks_rules_match_what_they_match_there(row: dict[str, Any]) -> None:
    router = Router([ruled(row["rule"])])
    assert [each for each in row["yes"] + row["no"] if router.find(asked(each))] == row["yes"]


@pytest.mark.parametrize("line", (TABLES / "refused.txt").read_text().splitlines())
def test_what_neither_takes_is_refused(line: str) -> None:
    language, _, text = line.partition(" ")
    parse = {"traefik": parse_rule, "vulcand": parse_expression}[language]
    with pytest.raises(KeyProblem):
        compile_expression(parse(text))


def test_a_rule_of_traefiks_has_its_length_as_priority_unless_one_is_given() -> None:
    short, long = "PathPrefix(`/my`)", "PathPrefix(`/mypath`)"

    def winner(*frontends: Frontend) -> str:
        found = {Router(order).find(Asked("/mypath")) for order in itertools.permutations(frontends)}
        (one,) = found
        assert one is not None
        return one.id

    assert winner(ruled(short, name="a"), ruled(long, name="b")) == "b"
    assert (
        winner(ruled(long, name="a"), ruled(short, name="b"), ruled("PathPrefix(`/mypa`)", name="c")) == "a"
    )
    assert winner(ruled(short, name="a", priority=20), ruled(long, name="b", priority=10)) == "a"
    assert winner(ruled(short, name="a", priority=10), ruled(short, name="b", priority=20)) == "b"
    assert winner(frontend('PathPrefix("/my")', name="a"), ruled(short, name="b")) == "b"


def test_a_rule_that_guards_a_path_is_not_passed_by_with_percent_signs() -> None:
    """Servers decode what Traefik decodes, so that its rules look at that; vulcand's look at the bytes that came."""
    router = Router(
        [
            ruled("PathPrefix(`/`)", name="open"),
            ruled("PathPrefix(`/admin`)", name="guarded"),
            ruled("Host(`a.h`) && Path(`/admin`)", name="host"),
            ruled("Host(`*.b`) && Path(`/admin`)", name="domain"),
            frontend('Path("/plain")', name="plain", priority=99),
        ]
    )
    for where, expected in (
        ("h/%61dmin", "guarded"),
        ("h/%61dmin/x", "guarded"),
        ("a.h/adm%69n", "host"),
        ("x.b/%61dmin", "domain"),
        ("h/plain", "plain"),
        ("h/plai%6E", "open"),
        ("h/x%2Fadmin", "open"),
    ):
        found = router.find(asked(where))
        assert found is not None
        assert found.id == expected, where


def test_a_frontend_may_have_several_rules() -> None:
    router = Router([ruled("Path(`/a`)", "Path(`/b`) && Host(`h`)")])
    assert router.find(Asked("/a"))
    assert router.find(Asked("/b", host="h"))
    assert not router.find(Asked("/b", host="i"))


SHAPES = [
    f'{matcher}{kind}({name}"{text}")'
    for matcher, name, texts in (
        ("Path", "", ("/abc", "/<x>", "/1", "/-")),
        ("Method", "", ("GET", "<x>", "1")),
        ("Host", "", ("abc", "<x>", "1")),
        ("Header", '"X", ', ("abc", "<x>", "1")),
    )
    for kind, text in [("", each) for each in texts] + [("Regexp", ".*")]
]


@pytest.mark.parametrize("first", SHAPES)
def test_of_any_two_routes_the_one_whose_text_sorts_later_wins(first: str) -> None:
    """Acceptance check 8.19: vulcand's rule, whichever of its shapes they have, and a priority above it."""
    requests = [
        Asked(path, method=method, host=host, x=header)
        for path in ("/abc", "/1", "/-")
        for method in ("GET", "1")
        for host in ("abc", "1")
        for header in ("abc", "1")
    ]
    for second in SHAPES:
        if first == second:
            continue
        both = [frontend(first), frontend(second)]
        routers = (Router([both[0]]), Router([both[1]]), Router(both), Router(both[::-1]))
        raised = Router([frontend(min(first, second), priority=1), frontend(max(first, second))])
        assert [each.route for each in in_order_of_precedence(both)] == sorted((first, second), reverse=True)
        for request in requests:
            alone = [each for each in (routers[0].find(request), routers[1].find(request)) if each]
            if len(alone) == 2:
                for router in routers[2:]:
                    found = router.find(request)
                    assert found is not None
                    assert found.route == max(first, second)
                found = raised.find(request)
                assert found is not None
                assert found.route == min(first, second)


def test_an_alias_lets_a_route_serve_another_host_too() -> None:
    """vulcand's flag, for machines of developers: Host("localhost")=Host("192.168.1.1")."""
    alias = parse_alias('Host("localhost")=Host("192.168.1.1")')
    one = with_aliases(frontend('Host("localhost") && Path("/a=b")', name="f"), [alias])
    other = frontend('Host("elsewhere")', name="g")
    router = Router([one, with_aliases(other, [alias])])
    assert with_aliases(other, [alias]) is other
    for host, found in (("localhost", "f"), ("192.168.1.1", "f"), ("elsewhere", "g"), ("third", None)):
        winner = router.find(Asked("/a=b", host=host))
        assert (winner.id if winner else None) == found
    assert parse_alias('Path("/a=b")=Path("/c")') == ('Path("/a=b")', 'Path("/c")')


@pytest.mark.parametrize(
    "text", ["", "a=b", 'Host("a")', 'Host("a")=', 'Host("a")=Hos("b")', 'Pat("a")=Host("b")']
)
def test_what_is_no_alias_is_refused(text: str) -> None:
    with pytest.raises(KeyProblem):
        parse_alias(text)
