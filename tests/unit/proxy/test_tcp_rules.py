"""Rules of TCP routes: what meets them, and which of several routes a connection takes."""

import pytest

from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.model import END, PASS, PLAIN, Listener, TcpRoute, TlsSettings
from fairlead.proxy.tcp_routes import Callers, Passages, with_routes
from fairlead.proxy.tcp_rule import Caller, compile_tcp_rule, names_in, needs_tls, parse_tcp_rule

DB = Caller("10.0.0.1", is_tls=True, name="db.example", protocols=("postgresql",))
NAMELESS = Caller("::ffff:10.0.0.1", is_tls=True)


@pytest.mark.parametrize(
    ("rule", "meets", "nameless"),
    [
        ("HostSNI(`DB.example.`)", True, False),
        ("HostSNI(`example`)", False, False),
        ("HostSNI(`*`)", True, True),
        ("HostSNI(`*.example`)", True, False),
        ("HostSNI(`*.db.example`)", False, False),
        ("HostSNI(`a`, `db.example`)", True, False),
        ("HostSNIRegexp(`^db[.]`)", True, False),
        ("HostSNIRegexp(`^$`)", False, True),
        ("ClientIP(`10.0.0.0/8`)", True, True),
        ("ClientIP(`10.0.0.2`)", False, False),
        ("ALPN(`postgresql`)", True, False),
        ("alpn(`h2`)", False, False),
        ("!ALPN(`h2`) && (HostSNI(`a`) || ClientIP(`10.0.0.1`))", True, True),
        ("!(HostSNI(`*.example`) && ClientIP(`10.0.0.1`))", False, True),
    ],
)
def test_a_connection_meets_a_rule_or_not(rule: str, *, meets: bool, nameless: bool) -> None:
    test = compile_tcp_rule(parse_tcp_rule(rule))
    assert (test(DB), test(NAMELESS)) == (meets, nameless)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("HostSNI(`a b`)", "character 1: HostSNI: 'a b' is no host name"),
        ("HostSNI(`{x:.*}.example`)", "patterns are for HostSNIRegexp"),
        ("ClientIP(`*`) || ClientIP(`nowhere`)", "write an address or a network"),
        ("ALPN(`acme-tls/1`)", "for the authorities"),
        ("HostSNIRegexp(`(a+)+`)", "repeats what repeats"),
        ("Host(`a`)", "'Host' is not one of HostSNI"),
        ("HostSNI()", "expected a string"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_place(rule: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=r"rule, character") as caught:
        parse_tcp_rule(rule)
    assert said in str(caught.value)


def test_what_only_tls_clients_say_is_known() -> None:
    asking = ["HostSNI(`a`)", "!ALPN(`x`)", "ClientIP(`::1`) && HostSNIRegexp(`a`)"]
    assert all(needs_tls(parse_tcp_rule(each)) for each in asking)
    assert not any(needs_tls(parse_tcp_rule(each)) for each in ("HostSNI(`*`)", "!ClientIP(`::1`)"))


def test_a_rule_that_is_names_is_known_as_such() -> None:
    assert names_in(parse_tcp_rule("HostSNI(`A`) || HostSNI(`*.b.`)")) == ("a", "*.b")
    assert names_in(parse_tcp_rule("HostSNI(`a`) || ClientIP(`::1`)")) == ()
    assert names_in(parse_tcp_rule("!HostSNI(`a`)")) == ()


def route(name: str, *names: str, rule: str = "", tls: str = PASS, priority: int = 0) -> TcpRoute:
    parsed = parse_tcp_rule(rule) if rule else None
    asked = names or (() if parsed is not None else ("*",))
    return TcpRoute(
        id=name, entrypoints=("l",), backend_id="b", names=asked, rule=parsed, tls=tls, priority=priority
    )


def passages(*routes: TcpRoute, own: tuple[TcpRoute, ...] = ()) -> tuple[Passages, dict[str, str]]:
    (listener,), problems = with_routes(
        [Listener(id="l", is_raw=True, tls=TlsSettings(), routes=own)], routes, has_backend=lambda _: True
    )
    return Passages(listener.routes), problems


def found(kept: Passages, caller: Caller) -> str | None:
    route = kept.find(caller)
    return route.id if route is not None else None


def test_among_equals_a_name_goes_before_its_neighbours_rules_and_everybody() -> None:
    routes = [
        route("everybody"),
        route("rule", rule="ALPN(`postgresql`)"),
        route("beside", "*.example"),
        route("name", "db.example", "*.test"),
    ]
    taken = []
    while routes:
        kept, problems = passages(*routes)
        assert problems == {}
        taken.append(found(kept, DB))
        routes = [each for each in routes if each.id != taken[-1]]
    assert taken == ["name", "beside", "rule", "everybody"]


def test_a_higher_priority_goes_first_whatever_it_says() -> None:
    kept, problems = passages(
        route("name", "db.example"), route("rule", rule="ClientIP(`10.0.0.1`)", priority=1)
    )
    assert (found(kept, DB), problems) == ("rule", {})
    kept, problems = passages(route("name", "db.example"), route("all", priority=1))
    assert found(kept, DB) == "all"
    assert problems == {"name": "on listener l another route for db.example goes first"}
    kept, problems = passages(route("q", rule="ALPN(`a`)"), route("all", priority=1))
    assert problems == {"q": "listener l has another route for all of its connections, which goes first"}


def test_what_a_listener_says_itself_goes_first() -> None:
    kept, problems = passages(route("other", "db.example", priority=9), own=(route("", "*.example"),))
    assert found(kept, DB) == ""
    assert list(problems) == ["other"]


def test_a_plain_route_gets_tls_clients_too_when_nobody_else_does() -> None:
    kept, problems = passages(
        route("plain", tls=PLAIN, rule="ClientIP(`10.0.0.1`)", priority=9), route("ended", "a.test", tls=END)
    )
    assert problems == {}
    assert kept.needs_hello
    assert found(kept, DB) == "plain"
    assert found(kept, DB._replace(name="a.test")) == "ended"
    assert found(kept, Caller("10.0.0.1")) == "plain"
    assert found(kept, Caller("10.0.0.2")) is None
    assert not passages(route("plain", tls=PLAIN))[0].needs_hello


def test_callers_are_counted_by_route_and_client() -> None:
    callers = Callers()
    assert callers.enter("r", "a", connections_max=1)
    assert not callers.enter("r", "a", connections_max=1)
    assert callers.enter("r", "b", connections_max=1)
    assert callers.enter("q", "a", connections_max=0)
    callers.leave("r", "a")
    assert callers.enter("r", "a", connections_max=1)
