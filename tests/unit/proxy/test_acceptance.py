"""The acceptance checks of the specification, by number, and the tests that hold each; and those that have no other place.

Names are of this folder, or of ``tests/e2e/proxy`` when they begin with ``e2e``.
"""

import ast
import functools
import itertools
from pathlib import Path

import pytest
from tests.unit.proxy.harness import Upstream, fields_of, running, status_of
from tests.unit.proxy.test_router import Asked, frontend

from fairlead.agent import Networks
from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.router import Router

HERE = Path(__file__).parent
END_TO_END = HERE.parents[1] / "e2e" / "proxy"

CHECKS = {
    1: ["routes.a_name_that_begins_another_is_another"],
    2: [
        "flipping.settings_of_a_frontend",
        "flipping.the_limit_of_a_body",
        "flipping.route_priority_backend_and_entry_points",
        "flipping.times_of_a_backend_and_of_a_frontend",
        "e2e.proxy.a_setting_changes_on_a_connection_that_stays",
    ],
    3: [
        "middleware.on_the_wire.scaling_a_backend_under_a_limit_lets_not_one_request_more_pass",
        "middleware.ratelimit.a_changed_limit_keeps_what_has_been_used",
    ],
    4: [
        "middleware.on_the_wire.a_tripped_breaker_stays_so_when_a_server_is_added",
        "balance.chooser.a_sticky_client_stays_while_others_come_and_go",
    ],
    5: [
        "routes.a_transaction_is_one_switch",
        "e2e.proxy.a_transaction_moves_all_servers_at_once_under_load",
    ],
    6: ["e2e.proxy.a_server_leaves_with_its_lease_and_comes_back"],
    7: [
        "e2e.proxy.it_serves_while_the_store_is_down_and_even_starts_then",
        "e2e.proxy.a_proxy_that_was_away_over_a_compaction_has_what_there_is",
    ],
    8: ["e2e.signed_in.routes_outlive_the_token_and_the_password_and_follow_again_with_the_next"],
    9: [
        "flipping.nonsense_costs_only_its_own_object_of_whatever_kind",
        "e2e.proxy.bad_values_are_named_in_the_status_key_and_heal",
    ],
    10: [
        "routes.a_change_touches_only_what_it_says",
        "routes.a_heartbeat_switches_nothing",
        "e2e.deploying.a_thousand_heartbeats_rebuild_nothing",
    ],
    11: [
        "e2e.proxy.a_websocket_outlives_every_change_of_the_routes",
        "streaming.events_reach_the_client_as_they_come",
        "streaming.a_slow_client_stops_the_reading_of_the_server",
        "e2e.large_bodies.a_gigabyte_costs_no_memory",
    ],
    12: [
        "failures.a_get_on_a_connection_that_had_died_is_sent_again_once",
        "failures.a_post_is_never_sent_twice",
        "failures.a_connection_that_the_server_closed_is_not_kept",
    ],
    13: [
        "failures.bytes_after_a_response_reach_nobody",
        "failures.bytes_on_an_idle_connection_end_it",
    ],
    14: [
        "failures.a_body_cut_short_never_ends_cleanly",
        "failures.a_reset_in_a_body_that_ends_with_the_connection_is_a_reset_for_the_client",
    ],
    15: [
        "forwarding.what_has_no_body_has_none_whatever_its_length_says",
        "forwarding.interim_responses_pass_through",
        "forwarding.a_server_may_refuse_before_the_body_comes",
        "rules.a_body_that_is_too_large_is_refused_before_it_is_asked_for",
        "rules.a_server_that_ignores_expect_gets_the_body_once",
        "rules.expect_means_nothing_in_http_1_0",
    ],
    16: [
        "e2e.slow_heads.two_thousand_half_open_heads_are_cut_and_others_do_not_notice",
        "e2e.neighbours.slow_clients_are_cut_and_others_do_not_notice",
    ],
    17: [
        "acceptance.connection_names_nothing_that_a_server_relies_on",
        "acceptance.two_clients_of_ipv6_have_two_buckets",
        "middleware.on_the_wire.connection_takes_nothing_off_that_a_middleware_has_put_there",
        "middleware.on_the_wire.what_a_client_writes_into_forwarding_fields_moves_no_limit_and_no_gate",
        "trusted_proxies.a_stranger_is_not_believed_whatever_a_frontend_says",
    ],
    18: ["acceptance.hosts_are_taken_in_one_spelling_or_refused"],
    19: [
        "tables.vulcands_routes_find_what_they_find_there",
        "tables.of_any_two_routes_the_one_whose_text_sorts_later_wins",
        "acceptance.equals_are_told_apart_by_their_names_whatever_their_order",
    ],
    20: [
        "e2e.succession.restart_after_restart_at_full_speed_costs_no_request",
        "e2e.proxy.sigterm_finishes_what_is_under_way",
    ],
    21: [
        "proxy_protocol.what_is_written_is_read_again",
        "proxy_protocol.anything_else_is_refused",
        "proxy_protocol.tlvs_are_skipped",
        "proxy_protocol.local_and_unknown_connections_stay_what_they_are",
        "edge.headers_of_those_who_are_not_trusted_are_not_read",
    ],
    22: ["e2e.neighbours.nothing_is_forwarded_that_both_haproxy_and_nginx_refuse"],
    23: [
        "health.verdict.a_server_that_comes_and_goes_stays_out_for_longer_each_time",
        "health.verdict.probes_spread_by_a_tenth_of_the_interval",
        "health.prober.when_all_are_ill_all_are_asked_and_the_operator_is_told",
    ],
    24: ["retry.a_storm_of_failures_is_not_multiplied"],
}


@functools.cache
def _tests_of(module: str) -> frozenset[str]:
    *folders, name = module.split(".")
    root = END_TO_END if folders[:1] == ["e2e"] else HERE
    path = root.joinpath(*(each for each in folders if each != "e2e"), f"test_{name}.py")
    functions = (
        each
        for each in ast.parse(path.read_text()).body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(each.name for each in functions)


def test_no_check_is_left_out() -> None:
    assert list(CHECKS) == list(range(1, 25))


@pytest.mark.parametrize("number", CHECKS)
def test_what_holds_a_check_exists(number: int) -> None:
    for where in CHECKS[number]:
        module, _, name = where.rpartition(".")
        assert f"test_{name}" in _tests_of(module), (number, where)


@pytest.mark.parametrize(
    "connection",
    [
        "close, X-Forwarded-For",
        "Host",
        "close, Authorization, Cookie",
        "X-Real-IP, x-forwarded-proto, Forwarded",
        "Content-Length, Content-Type, Range",
        "Via, X-Forwarded-Host, X-Forwarded-Port",
    ],
)
async def test_connection_names_nothing_that_a_server_relies_on(connection: str) -> None:
    """Check 17: "hop-by-hop abuse" takes a field off that a server trusts the proxy to have set."""
    upstream = Upstream()
    kept = {
        "authorization": "Basic eA==",
        "cookie": "a=b",
        "content-type": "text/plain",
        "range": "bytes=0-1",
    }
    async with running(upstream) as proxy:
        extra = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        head, _ = await proxy.get(extra=f"Connection: {connection}, X-Mine\r\nX-Mine: 1\r\n{extra}")
    assert status_of(head) == 200
    fields = fields_of(upstream.heads[0])
    assert {name: fields[name] for name in kept} == {name: [value] for name, value in kept.items()}
    assert (fields["x-forwarded-for"], fields["x-real-ip"]) == (["127.0.0.1"], ["127.0.0.1"])
    assert (fields["x-forwarded-proto"], fields["x-forwarded-host"]) == (["http"], ["a.example"])
    assert {"host", "via", "x-forwarded-port"} <= fields.keys()
    assert "x-mine" not in fields


async def test_two_clients_of_ipv6_have_two_buckets() -> None:
    """Check 17: to vulcand all of them were one, since it took what stands before the first colon."""
    limit = {"Requests": 1, "PeriodSeconds": 60, "Burst": 1, "Variable": "client.ip"}
    async with running(Upstream(), forwarding=Forwarding(proxies=Networks(["127.0.0.1"]))) as proxy:
        proxy.put({"frontends/f/middlewares/limit": {"Type": "ratelimit", "Middleware": limit}})
        clients = ("2001:db8::1", "2001:db8::2", "[2001:DB8:0::1]:99", "2001:db8::2")
        statuses = [status_of((await proxy.get(extra=f"X-Forwarded-For: {each}\r\n"))[0]) for each in clients]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"EXAMPLE.com:443", 200),
        (b"example.com.", 200),
        (b"EXAMPLE.com.:443", 200),
        (b"example.com", 200),
        (b"other.com", 404),
        (b"[2001:db8::1]", 201),
        (b"[2001:DB8::1]:8080", 201),
        (b"xn--bcher-kva.example", 202),
        (b"EXAMPLE.com:443.", 400),
        (b"example.com..", 404),
        (b"example.com:", 400),
        (b"example.com:65536", 400),
        (b"example.com:80:80", 400),
        (b"example.com:+80", 400),
        (b"user@example.com", 400),
        (b"user:secret@example.com", 400),
        (b"2001:db8::1", 400),
        (b"[2001:db8::1", 400),
        (b"[2001:db8::1]x", 400),
        (b"b\xc3\xbccher.example", 400),
        (b"example.com/x", 400),
        (b"example.com#", 400),
        (b"example.com, other.com", 400),
        (b"exa mple.com", 400),
        (b"example%2ecom", 400),
        (b"", 400),
    ],
)
async def test_hosts_are_taken_in_one_spelling_or_refused(host: bytes, status: int) -> None:
    """Check 18: a host that two programs read in two ways is nobody's."""
    routes = {"example.com": 200, "[2001:db8::1]": 201, "xn--bcher-kva.example": 202}
    async with running(Upstream()) as proxy:
        puts: dict[str, object] = {}
        for name, answer in routes.items():
            puts[f"frontends/{answer}/frontend"] = {"BackendId": "b", "Route": f"Host(`{name}`)"}
            puts[f"frontends/{answer}/middlewares/say"] = {
                "Type": "respond",
                "Middleware": {"StatusCode": answer, "Body": "x"},
            }
        proxy.put(puts, delete=("frontends/f/frontend",))
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert status_of(await client.head()) == status
        # The same in the request target, which has to agree with Host where both are given.
        if host and b" " not in host and status != 400:
            client = await proxy.connect()
            await client.send(b"GET http://" + host + b"/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert status_of(await client.head()) == status
            client = await proxy.connect()
            await client.send(b"GET http://" + host + b"/ HTTP/1.1\r\nHost: else.where\r\n\r\n")
            assert status_of(await client.head()) == 400


def test_equals_are_told_apart_by_their_names_whatever_their_order() -> None:
    """Check 19: every replica decides alike, in whichever order it has read the keys."""
    equals = [frontend('Path("/x")', name=name) for name in ("b", "a10", "a1", "z")]
    winners = set()
    for order in itertools.permutations(equals):
        found = Router(order).find(Asked("/x"))
        assert found is not None
        winners.add(found.id)
    assert winners == {"a1"}
    above = frontend('Path("/x")', name="zz", priority=1)
    found = Router([*equals, above]).find(Asked("/x"))
    assert found is above
