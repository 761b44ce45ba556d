"""What passes through the proxy, byte by byte, in both directions."""

import asyncio

import pytest
from tests.unit.proxy.harness import OK, Peer, Upstream, eventually, fields_of, running, status_of

GET = b"GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n"


async def test_a_request_is_forwarded_with_what_this_hop_adds() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        client = await proxy.connect()
        head, body = await client.ask(
            b"GET /x?y=1 HTTP/1.1\r\nHost: A.example:81\r\nUser-Agent: t\r\nVia: 1.0 other\r\n\r\n"
        )
    assert (status_of(head), body) == (200, b"ok")
    assert upstream.heads[0].startswith(b"GET /x?y=1 HTTP/1.1\r\n")
    fields = fields_of(upstream.heads[0])
    assert fields["host"] == [f"127.0.0.1:{upstream.port}"]
    assert fields["user-agent"] == ["t"]
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["http"]
    assert fields["x-forwarded-host"] == ["A.example:81"]
    assert fields["x-forwarded-port"] == [str(proxy.port)]
    assert fields["x-real-ip"] == ["127.0.0.1"]
    assert fields["via"][0].startswith("1.0 other, 1.1 fairlead-")
    assert "connection" not in fields


async def test_what_a_client_says_of_its_origin_is_believed_only_when_told_to() -> None:
    upstream = Upstream()
    spoof = (
        "X-Forwarded-For: 9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX_Forwarded_For: 8\r\n"
    )
    async with running(upstream) as proxy:
        await proxy.get(extra=spoof)
        proxy.serve(upstream, settings={"TrustForwardHeader": True})
        await proxy.get(extra=spoof)
    plain, trusting = (fields_of(head) for head in upstream.heads)
    assert (plain["x-forwarded-for"], plain["x-real-ip"]) == (["127.0.0.1"], ["127.0.0.1"])
    assert not {"forwarded", "x_forwarded_for"} & plain.keys()
    assert (trusting["x-forwarded-for"], trusting["x-real-ip"]) == (["9.9.9.9, 127.0.0.1"], ["9.9.9.9"])
    assert trusting["forwarded"] == ["for=9.9.9.9"]


async def test_what_servers_believe_beyond_our_own_fields_comes_from_trusted_clients_only() -> None:
    upstream = Upstream()
    names = [
        "Prefix",
        "Uri",
        "Method",
        "Ssl",
        "Scheme",
        "Client-Cert",
        "Tls-Client-Cert",
        "Tls-Client-Cert-Info",
    ]
    said = {**{f"X-Forwarded-{name}": name for name in names}, "X-Scheme": "https"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    async with running(upstream) as proxy:
        await proxy.get(extra=f"{lines}Connection: X-Forwarded-Prefix\r\nX-Forwarded-User: kept\r\n")
        proxy.serve(upstream, settings={"TrustForwardHeader": True})
        await proxy.get(extra=f"{lines}Connection: X-Forwarded-Prefix\r\n")
    plain, trusting = (fields_of(head) for head in upstream.heads)
    assert not {name.lower() for name in said} & plain.keys()
    assert plain["x-forwarded-user"] == ["kept"]
    assert {name: trusting[name.lower()] for name in said} == {name: [value] for name, value in said.items()}


async def test_of_what_a_trusted_client_says_twice_the_first_goes_on() -> None:
    """As vulcand has it: the lists of hops are joined, and scheme and host are those of the first line."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"TrustForwardHeader": True})
        lines = [
            ("For", "a, b"),
            ("For", "c"),
            ("Proto", "d, e"),
            ("Proto", "f"),
            ("Host", "g"),
            ("Host", "h"),
        ]
        await proxy.get(extra="".join(f"X-Forwarded-{name}: {value}\r\n" for name, value in lines))
    fields = fields_of(upstream.heads[0])
    assert fields["x-forwarded-for"] == ["a, b, c, 127.0.0.1"]
    assert (fields["x-forwarded-proto"], fields["x-forwarded-host"]) == (["d, e"], ["g"])


async def test_the_host_field_follows_the_setting_from_one_request_to_the_next() -> None:
    """vulcand compared frontends without this setting, so that a live change did nothing (1.6, fault 2)."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        client = await proxy.connect()
        await client.ask(GET)
        proxy.serve(upstream, settings={"PassHostHeader": True})
        await client.ask(GET)
        proxy.serve(upstream, settings={"PassHostHeader": False, "Hostname": "edge-1"})
        await client.ask(GET)
    address = f"127.0.0.1:{upstream.port}"
    assert [fields_of(head)["host"] for head in upstream.heads] == [[address], ["a.example"], [address]]
    assert fields_of(upstream.heads[2])["x-forwarded-server"] == ["edge-1"]


async def test_fields_of_this_hop_stay_here() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        await proxy.get(
            extra="Connection: keep-alive, X-Mine, Cookie, X-Forwarded-For\r\nKeep-Alive: 5\r\nX-Mine: 1\r\nCookie: c\r\n"
            "TE: gzip\r\nProxy-Authorization: x\r\nProxy: evil\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
        )
    fields = fields_of(upstream.heads[0])
    gone = {
        "connection",
        "keep-alive",
        "x-mine",
        "te",
        "proxy-authorization",
        "proxy",
        "upgrade",
        "http2-settings",
    }
    assert not gone & fields.keys()
    assert fields["cookie"] == ["c"], "Connection cannot take away what is not of this hop"
    assert fields["x-forwarded-for"] == ["127.0.0.1"]


async def test_a_response_loses_the_fields_of_its_hop_and_keeps_the_rest() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 201 Made It\r\nServer: s\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\n"
            b"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi"
        )

    async with running(Upstream(serve)) as proxy:
        head, body = await proxy.get()
    assert head == (
        b"HTTP/1.1 201 Made It\r\nServer: s\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n"
    )
    assert body == b"hi"


async def test_pipelined_requests_are_answered_in_order_over_one_connection() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            path = (await peer.head()).split(b" ")[1]
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        client = await proxy.connect()
        paths = [b"/%d" % number for number in range(200)]
        await client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths))
        assert [(await client.response())[1] for _ in paths] == paths
    assert upstream.connections == 1


async def test_many_pipelined_refusals_need_no_stack() -> None:
    """Each is answered at once; taken one inside the other they would run out of frames."""
    async with running() as proxy:
        proxy.put({}, delete=("frontends/f/frontend",))
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5000)
        for _ in range(5000):
            head, body = await client.response()
            assert (status_of(head), body) == (404, b'{"error":"not found"}')


async def test_bodies_are_framed_anew_in_both_directions() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def serve(peer: Peer) -> None:
        await peer.head()
        seen.set_result(await peer.until(b"0\r\n\r\n"))
        await peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4;ext=1\r\nwiki\r\n0005\r\npedia\r\n0\r\nX-Trailer: t\r\n\r\n"
        )

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;a=b\r\nabc\r\n00A\r\n0123456789\r\n0\r\nHost: evil\r\n\r\n"
        )
        assert b"\r\nTransfer-Encoding: chunked\r\n" in await client.head()
        assert await client.until(b"0\r\n\r\n") == b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n"
    assert await seen == b"3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"


async def test_a_response_without_length_reaches_old_clients_until_close_and_new_ones_in_chunks() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.0 200 OK\r\n\r\nto the end")
        peer.close()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        assert b"\r\nTransfer-Encoding: chunked\r\n" in await client.head()
        assert await client.until(b"0\r\n\r\n") == b"a\r\nto the end\r\n0\r\n\r\n"
        old = await proxy.connect()
        await old.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head = await old.head()
        assert b"Transfer-Encoding" not in head
        assert b"\r\nConnection: close\r\n" in head
        assert await old.rest() == b"to the end"


async def test_an_old_client_may_keep_its_connection() -> None:
    async with running(Upstream()) as proxy:
        client = await proxy.connect()
        for _ in range(2):
            head, body = await client.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (fields_of(head)["connection"], body) == (["keep-alive"], b"ok")
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.rest()).endswith(b"Connection: close\r\n\r\nok")


async def test_what_has_no_body_has_none_whatever_its_length_says() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            head = await peer.head()
            status = {b"/304": b"304 Not Modified", b"/204": b"204 No Content"}.get(
                head.split(b" ")[1], b"200 OK"
            )
            await peer.send(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        for line, expected in (
            (b"HEAD / HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            (b"GET /304 HTTP/1.1", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            (b"GET /204 HTTP/1.1", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ):
            await client.send(line + b"\r\nHost: a\r\n\r\n")
            assert await client.head() == expected


async def test_equal_heads_mean_different_things_after_get_and_head() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            head = await peer.head()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + b"ok" * head.startswith(b"GET"))

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            assert (await client.ask(GET))[1] == b"ok"
            await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


async def test_interim_responses_pass_through() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + OK)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n"
        assert (await client.response())[1] == b"ok"


async def test_a_client_that_expects_100_sends_its_body_once_the_server_says_so() -> None:
    async def serve(peer: Peer) -> None:
        head = await peer.head()
        assert fields_of(head)["expect"] == ["100-continue"]
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.exactly(4) == b"body"
        await peer.send(OK)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        request = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        await client.send(request)
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await client.response())[1] == b"ok"


async def test_a_server_may_refuse_before_the_body_comes() -> None:
    """The connection ends then: nobody could tell whether the body still follows."""

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await peer.rest()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        request = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        await client.send(request)
        assert (
            await client.rest()
        ) == b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_servers_take_turns() -> None:
    upstreams = [Upstream() for _ in range(3)]
    async with running(*upstreams) as proxy:
        client = await proxy.connect()
        for _ in range(9):
            await client.ask(GET)
        assert [len(each.heads) for each in upstreams] == [3, 3, 3]
        assert [each.connections for each in upstreams] == [1, 1, 1], "kept alive"


async def test_draining_finishes_what_is_under_way_and_says_so() -> None:
    gate = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await gate.wait()
        await peer.send(OK)

    async with running(Upstream(serve)) as proxy:
        idle, busy = await proxy.connect(), await proxy.connect()
        await busy.send(GET)
        await eventually(lambda: proxy.service.stats.clients == 2)
        await eventually(lambda: proxy.service.snapshot.groups["b"].servers[0].in_flight == 1)
        draining = asyncio.create_task(proxy.service.drain())
        assert await idle.rest() == b""
        assert not draining.done()
        gate.set()
        assert b"\r\nConnection: close\r\n" in await busy.head()
        await draining


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "attack",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n1\r\nZ",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 34\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0_2\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 34\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
async def test_what_follows_a_request_that_can_be_read_in_two_ways_is_never_read(attack: bytes) -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        client = await proxy.connect()
        await client.send(attack + SMUGGLED)
        answer = await client.rest()
        assert status_of(answer) == 400
        assert answer.count(b"HTTP/1.1 ") == 1
        assert not any(b"smuggled" in head for head in upstream.heads)


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (b'Transfer-Encoding: chunked\r\n\r\n3;x="\x0d"\r\n', None),
        (b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"Content-Length: 5\r\nX: Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ],
)
async def test_what_is_forwarded_has_one_reading(sent: bytes, body: bytes | None) -> None:
    """A strict server reads the request as the proxy does, and the next one after it."""
    bodies: list[bytes] = []
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        while True:
            head = await peer.head()
            fields = fields_of(head)
            assert not {"transfer-encoding", "transfer_encoding"} & fields.keys()
            bodies.append(await peer.exactly(int(fields.get("content-length", ["0"])[0])))
            await peer.send(OK)

    upstream.handler = serve
    async with running(upstream) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + sent)
        if body is None:
            assert status_of(await client.rest()) == 400
            return
        assert (await client.response())[1] == b"ok"
        assert (await client.ask(SMUGGLED))[1] == b"ok"
    assert bodies == [body, b""]
