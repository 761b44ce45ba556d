"""The rules of HTTP that the proxy keeps, each with the tests that hold it; those without another place are below.

The numbers are those of the specification of the data path: framing, fields, limits, timeouts, bodies, pools,
retries, forwarding, paths, TLS, expressions.  A test that is renamed has to be renamed here.
"""

import ast
import asyncio
import contextlib
import functools
import socket
import ssl
from pathlib import Path

import pytest
from tests.unit.proxy.harness import OK, Peer, Upstream, fields_of, running, status_of

from fairlead.proxy.certificates import Certificates
from fairlead.proxy.model import TlsSettings

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HERE = Path(__file__).parent
REFUSED = "request.these_are_refused"

RULES = {
    1: {
        "one length, in digits, or chunked alone, or 400": REFUSED,
        "sizes of chunks are hexadecimal digits alone": "body.broken_chunks_are_refused",
        "the same of answers, or 502": "failures.an_answer_that_is_not_http_is_502",
        "whatever is let through reads alike everywhere": "smuggling.mutated_streams_are_refused_or_read_alike",
    },
    2: {
        "framed anew": "forwarding.bodies_are_framed_anew_in_both_directions",
        "extensions are dropped": "body.extensions_are_dropped_and_trailers_set_aside",
        "trailers by a list": "trailers.the_list_is_the_frontends",
        "trailers only for who reads them": "trailers.a_client_that_has_not_asked_gets_none",
        "trailers never stand in a head": "trailers.a_client_that_reads_trailers_gets_those_on_the_list",
        "some never go on": "trailers.no_list_lets_a_forbidden_field_trail",
        "one Host, well formed, and the target's": REFUSED,
        "OPTIONS * and the absolute form": "request.these_targets_are_understood",
        "no CONNECT and no TRACE": REFUSED,
    },
    3: {
        "names are tokens, no folding, no NUL, no bare LF": REFUSED,
        "no other control character": "rules.control_characters_stand_in_no_field",
        "nor in answers": "rules.control_characters_in_an_answer_are_502",
        "names with _ are dropped": "forwarding.what_a_client_says_of_its_origin_is_believed_only_when_told_to",
    },
    4: {
        "fields of the hop stay": "forwarding.fields_of_this_hop_stay_here",
        "in answers too": "forwarding.a_response_loses_the_fields_of_its_hop_and_keeps_the_rest",
        "Connection takes off nothing of the proxy's": (
            "middleware.on_the_wire.connection_takes_nothing_off_that_a_middleware_has_put_there"
        ),
        "of TE, trailers alone": "trailers.a_server_is_told_that_trailers_are_welcome_only_if_they_are",
    },
    5: {
        "line 414, number of fields 431, bytes of a target 400": REFUSED,
        "size of a head 431": "rules.a_head_that_is_too_large_is_431_whether_it_ends_or_not",
        "bodies 413, before and while they come": "failures.bodies_beyond_the_limit_are_413_by_length_and_by_count",
    },
    6: {
        "head, body, idle": "failures.slow_heads_and_slow_bodies_are_408_and_idle_clients_are_let_go",
        "a head has one patience": "failures.a_head_that_trickles_in_gets_no_more_time_for_it",
        "a body has a rate": "client_limits.a_body_that_trickles_is_answered_408",
        "over HTTP/2 too": "client_limits.a_stream_of_http_2_that_trickles_is_answered_408",
        "connecting": "rules.a_server_that_takes_no_connection_in_time_is_504",
        "first byte": "failures.a_server_that_stays_silent_is_504_and_the_client_goes_on",
        "in all": "retry.the_time_for_all_of_a_request_ends_it_wherever_it_is",
        "a client that does not read": "streaming.a_client_that_never_reads_is_cut_off",
        "requests of a connection": "client_limits.a_connection_ends_after_its_last_request_and_says_so",
        "age of a connection": "client_limits.a_connection_that_is_too_old_ends_after_the_next_answer",
        "GOAWAY": "client_limits.http_2_says_goaway_after_its_last_request_and_answers_what_is_under_way",
        "one wheel": "timers.only_the_last_deadline_counts_and_it_is_never_early",
    },
    7: {
        "Expect goes on": "forwarding.a_client_that_expects_100_sends_its_body_once_the_server_says_so",
        "a limit answers before the body": "rules.a_body_that_is_too_large_is_refused_before_it_is_asked_for",
        "a server may refuse": "forwarding.a_server_may_refuse_before_the_body_comes",
        "1xx go on": "forwarding.interim_responses_pass_through",
        "never the body twice": "rules.a_server_that_ignores_expect_gets_the_body_once",
        "not in HTTP/1.0": "rules.expect_means_nothing_in_http_1_0",
        "anything else 417": REFUSED,
    },
    8: {
        "both sides agree": "failures.an_answer_that_is_not_http_is_502",
        "what was sent behind the heads passes": (
            "streaming.an_upgraded_connection_passes_bytes_both_ways_and_outlives_its_route"
        ),
        "declined": "streaming.an_upgrade_that_the_server_declines_is_an_ordinary_request",
        "no h2c": "request.a_parser_serves_one_head_after_another_whatever_they_ask_for",
        "a patience of its own": "streaming.a_silent_tunnel_ends",
        "1001 when the proxy goes": "websocket.both_sides_of_a_websocket_are_told_that_the_proxy_goes",
    },
    9: {
        "HEAD, 204, 304": "forwarding.what_has_no_body_has_none_whatever_its_length_says",
        "until the end of the connection": (
            "forwarding.a_response_without_length_reaches_old_clients_until_close_and_new_ones_in_chunks"
        ),
        "no clean end of what is cut": "failures.a_body_cut_short_never_ends_cleanly",
        "nor by a reset": (
            "failures.a_reset_in_a_body_that_ends_with_the_connection_is_a_reset_for_the_client"
        ),
    },
    10: {
        "a slow client": "streaming.a_slow_client_stops_the_reading_of_the_server",
        "a slow server": "streaming.a_slow_server_stops_the_reading_of_the_client",
        "events at once": "streaming.events_reach_the_client_as_they_come",
        "an early answer": "failures.an_answer_before_the_request_is_whole_ends_the_connection",
        "and no more than so much after it": "rules.what_comes_after_an_early_answer_is_bounded",
    },
    11: {
        "last in, first out; so many": "rules.the_connection_used_last_is_used_next_and_so_many_are_kept",
        "seen to be dead": "failures.a_connection_that_the_server_closed_is_not_kept",
        "once more if safe": "failures.a_get_on_a_connection_that_had_died_is_sent_again_once",
        "else not": "failures.a_post_is_never_sent_twice",
        "unasked bytes": "failures.bytes_on_an_idle_connection_end_it",
        "and behind an answer": "failures.bytes_after_a_response_reach_nobody",
        "a backend's alone": "rules.backends_with_one_address_share_no_connection",
    },
    12: {
        "another server": "retry.a_request_that_one_server_drops_is_answered_by_another",
        "a budget": "retry.the_budget_is_a_fifth_of_the_requests_and_three_a_second",
        "a storm": "retry.a_storm_of_failures_is_not_multiplied",
        "a try's time": "retry.a_server_that_is_slow_is_left_for_another_after_its_part_of_the_time",
        "not once it is answered; Retry-After": "retry.without_a_predicate_failures_are_repeated_where_that_is_safe",
        "refused 502": "failures.a_server_that_refuses_is_502",
        "no name 502": "rules.a_server_whose_name_is_unknown_is_502",
        "nobody 503": "failures.no_route_no_server_and_no_backend_have_their_own_answers",
        "the client left, 499": "seams.every_request_leaves_one_record_with_the_reason",
    },
    13: {
        "what this hop adds": "forwarding.a_request_is_forwarded_with_what_this_hop_adds",
        "strangers are not believed": (
            "forwarding.what_a_client_says_of_its_origin_is_believed_only_when_told_to"
        ),
        "nor where networks are named": (
            "trusted_proxies.a_stranger_is_not_believed_whatever_a_frontend_says"
        ),
        "proxies of ours are": "trusted_proxies.a_proxy_of_ours_is_believed_whatever_a_frontend_says",
        "Forwarded, IPv6 in quotes": (
            "trusted_proxies.servers_get_forwarded_with_quotes_where_they_belong"
        ),
        "a circle 508": "failures.a_request_that_comes_back_is_508",
        "Date and Server are the server's": "rules.date_and_server_are_the_servers",
        "traceparent": "middleware.tracecontext.a_valid_trace_goes_on_and_any_other_begins_here",
        "X-Request-Id": "middleware.edits.requests_get_a_name",
    },
    14: {
        "forwarded as it was matched": "ambiguity.what_is_forwarded_is_what_was_matched_byte_by_byte",
        "refused where wanted": "ambiguity.an_ambiguous_path_is_400_where_that_is_wanted_and_reaches_nobody",
        "NUL always": "ambiguity.nul_is_refused_always_and_plain_paths_never",
    },
    15: {
        "in order": "forwarding.pipelined_requests_are_answered_in_order_over_one_connection",
        "bounded": "streaming.what_is_sent_ahead_without_bound_is_not_read",
        "nothing behind an error": "forwarding.what_follows_a_request_that_can_be_read_in_two_ways_is_never_read",
    },
    16: {
        "1.2 at least": "edge.versions_before_1_2_are_not_spoken_and_the_key_may_ask_for_more",
        "421": "edge.a_request_for_a_host_of_another_certificate_is_421",
        "ALPN": "http2.curl_speaks_http2_over_tls_and_in_clear_text",
        "no renegotiation": "rules.nobody_may_renegotiate",
        "a pair is tried before it serves": "edge.a_pair_that_does_not_fit_never_replaces_one_that_does",
        "sealed": "secretbox.what_is_sealed_opens_with_the_same_key_only",
        "operators elsewhere": "admin.admin.only_operators_are_answered",
        "and with a token": "admin.admin.an_admin_open_to_others_wants_a_token",
    },
    17: {
        "bombs of fields": REFUSED,
        "no expression that takes for ever": (
            "expression.regular_expressions_that_could_take_for_ever_are_refused"
        ),
        "nor a subject": "rules.a_path_that_is_too_long_matches_no_expression",
    },
}  # fmt: skip


@functools.cache
def _tests_of(module: str) -> frozenset[str]:
    *folders, name = module.split(".")
    tree = ast.parse(HERE.joinpath(*folders, f"test_{name}.py").read_text())
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions)


def test_no_rule_is_left_out() -> None:
    assert list(RULES) == list(range(1, 18))


@pytest.mark.parametrize("number", RULES)
def test_what_holds_a_rule_exists(number: int) -> None:
    for sentence, where in RULES[number].items():
        module, _, name = where.rpartition(".")
        assert f"test_{name}" in _tests_of(module), (number, sentence)


CONTROLS = [bytes([each]) for each in (*range(9), *range(10, 32), 127)]


async def test_control_characters_stand_in_no_field() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        for each in CONTROLS:
            client = await proxy.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: a" + each + b"b\r\n\r\n")
            assert status_of(await client.head()) == 400, each
            client.close()
    assert upstream.heads == []


async def test_control_characters_in_an_answer_are_502() -> None:
    left = [each for each in CONTROLS if each not in b"\r\n"]

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a" + left.pop() + b"b\r\n\r\n")

    async with running(Upstream(serve)) as proxy:
        while left:
            assert status_of((await proxy.get())[0]) == 502


async def test_a_head_that_is_too_large_is_431_whether_it_ends_or_not() -> None:
    upstream = Upstream()
    async with running(upstream, head_bytes_max=1000) as proxy:
        for end in (b"\r\n\r\n", b""):
            client = await proxy.connect()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1000 + end)
            assert status_of(await client.head()) == 431
    assert upstream.heads == []


async def test_a_server_that_takes_no_connection_in_time_is_504() -> None:
    """Its queue of connections is full, so that the kernel answers none that is new."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with running(dial_s=0.1) as proxy:
            proxy.put({"backends/b/servers/s": {"URL": f"http://127.0.0.1:{full.getsockname()[1]}"}})
            head, body = await proxy.get()
            assert status_of(head) == 504
            assert b"cannot be reached in time" in body


async def test_a_server_whose_name_is_unknown_is_502() -> None:
    async with running() as proxy:
        proxy.put({"backends/b/servers/s": {"URL": "http://nobody.invalid:80"}})
        assert status_of((await proxy.get())[0]) == 502


async def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"Limits": {"MaxBodyBytes": 3}})
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        head, _ = await client.response()
        assert status_of(head) == 413
        assert upstream.heads == []


async def test_a_server_that_ignores_expect_gets_the_body_once() -> None:
    """The client is tired of waiting and sends; the answer comes without an interim one."""
    seen = asyncio.get_running_loop().create_future()

    async def serve(peer: Peer) -> None:
        await peer.head()
        body = await peer.exactly(4)
        await peer.send(OK)
        seen.set_result(body + await peer.rest())

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        await client.send(b"body")
        assert (await client.response())[1] == b"ok"
        proxy.put({}, delete=("backends/b/servers/s0",))
        assert await asyncio.wait_for(seen, 5) == b"body"


async def test_expect_means_nothing_in_http_1_0() -> None:
    async def serve(peer: Peer) -> None:
        upstream.heads.append(await peer.head())
        await peer.exactly(4)
        await peer.send(OK)

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 4\r\n\r\nbody")
        assert status_of(await client.head()) == 200
    assert "expect" not in fields_of(upstream.heads[0])


async def test_what_comes_after_an_early_answer_is_bounded() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await peer.rest()

    async with running(Upstream(serve), linger_bytes_max=10_000, linger_s=60) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        assert status_of((await client.response())[0]) == 403
        with pytest.raises(ConnectionError):
            await _send_without_end(client)


async def _send_without_end(client: Peer) -> None:
    while True:
        await client.send(b"x" * 5_000)
        await asyncio.sleep(0)


async def test_the_connection_used_last_is_used_next_and_so_many_are_kept() -> None:
    arrived: list[Peer] = []
    gate = asyncio.Event()

    async def serve(peer: Peer) -> None:
        while True:
            await peer.head()
            arrived.append(peer)
            await gate.wait()
            await peer.send(OK)

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        proxy.serve(upstream, backend={"KeepAlive": {"MaxIdleConnsPerHost": 2}})
        asking = [asyncio.create_task(proxy.get()) for _ in range(3)]
        while len(arrived) < 3:  # noqa: ASYNC110  it is a list
            await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(*asking)
        assert len(proxy.service.snapshot.groups["b"].servers[0].pool) == 2
        for _ in range(3):
            await proxy.get()
        assert len(set(arrived[-3:])) == 1, "one is used again and again, so that the other can age"
        assert upstream.connections == 3


async def test_backends_with_one_address_share_no_connection() -> None:
    """What a backend says of TLS holds for its connections, and for nobody else's."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        url = {"URL": f"http://127.0.0.1:{upstream.port}"}
        route = {"Type": "http", "BackendId": "other", "Route": "Path(`/other`)", "Priority": 1}
        proxy.put({"backends/other/servers/s0": url, "frontends/g/frontend": route})
        for _ in range(3):
            await proxy.get("/")
            await proxy.get("/other")
        assert upstream.connections == 2


async def test_date_and_server_are_the_servers() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK.replace(b"\r\n\r\n", b"\r\nDate: then\r\nServer: theirs\r\n\r\n"))

    async with running(Upstream(serve)) as proxy:
        fields = fields_of((await proxy.get())[0])
        assert (fields["date"], fields["server"]) == (["then"], ["theirs"])


def test_nobody_may_renegotiate() -> None:
    context = Certificates(None).listening_context(TlsSettings())
    assert context.options & ssl.OP_NO_RENEGOTIATION


async def test_a_path_that_is_too_long_matches_no_expression() -> None:
    async with running(Upstream()) as proxy:
        assert status_of((await proxy.get("/" + "a" * 1000))[0]) == 200
        assert status_of((await proxy.get("/" + "a" * 2000))[0]) == 404
