"""Fields behind a body (rule 2; RFC 9110, sections 6.5 and 10.1.4): on a list, asked for, and never in a head."""

import asyncio
from collections.abc import Sequence

import h2.events
import pytest
from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, fields_of, running, status_of
from tests.unit.proxy.streams import speaking

from fairlead.proxy.trailers import may_trail, passed_on

SENT = b"Repr-Digest: sha-256=:x:\r\nX-Sum: 1\r\nHost: evil\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Repr-Digest, Host, X-Sum\r\n\r\n"
    b"4\r\nwiki\r\n0\r\n" + SENT + b"\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_TE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n"
POST = (
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Host\r\n\r\n"
    b"3\r\nabc\r\n0\r\n" + SENT + b"\r\n"
)


async def told(peer: Peer) -> None:
    while True:
        await peer.head()
        await peer.send(ANSWER)


async def asked(proxy: Proxy, request: bytes) -> tuple[bytes, bytes]:
    """The head of the answer, and all behind it up to the end of its last chunk."""
    client = await proxy.connect()
    await client.send(request)
    head = await client.head()
    return head, await client.until(b"\r\n\r\n")


async def test_a_client_that_reads_trailers_gets_those_on_the_list() -> None:
    async with running(Upstream(told)) as proxy:
        head, body = await asked(proxy, GET_TE)
        assert body == b"4\r\nwiki\r\n0\r\nRepr-Digest: sha-256=:x:\r\n\r\n"
        assert fields_of(head)["trailer"] == ["repr-digest"]
        assert "repr-digest" not in fields_of(head), "never merged into the head"


async def test_a_client_that_has_not_asked_gets_none() -> None:
    async with running(Upstream(told)) as proxy:
        head, body = await asked(proxy, GET)
        assert body == b"4\r\nwiki\r\n0\r\n\r\n"
        assert "trailer" not in fields_of(head)


async def test_a_client_of_http_1_0_gets_none() -> None:
    async with running(Upstream(told)) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\nwiki")


@pytest.mark.parametrize(
    ("names", "passed"),
    [
        (["X-Sum"], b"X-Sum: 1\r\n"),
        ([], b""),
        (["x-sum", "repr-digest"], b"Repr-Digest: sha-256=:x:\r\nX-Sum: 1\r\n"),
    ],
)
async def test_the_list_is_the_frontends(names: Sequence[str], passed: bytes) -> None:
    upstream = Upstream(told)
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"Trailers": names})
        assert (await asked(proxy, GET_TE))[1] == b"4\r\nwiki\r\n0\r\n" + passed + b"\r\n"


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Set-Cookie", "X-Forwarded-For", "Trailer", "a b", "é"]
)
async def test_a_list_with_a_field_that_may_never_trail_is_named_and_not_taken(name: str) -> None:
    upstream = Upstream(told)
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"Trailers": [name]})
        (problem,) = proxy.board.problems.values()
        assert "Settings.Trailers" in problem
        assert (await asked(proxy, GET_TE))[1].startswith(b"4\r\nwiki\r\n0\r\nRepr-Digest"), (
            "the last good one serves"
        )


async def test_trailers_of_a_request_reach_the_server_by_the_list() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def serve(peer: Peer) -> None:
        head = await peer.head()
        seen.set_result((head, await peer.exactly(len(b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))))
        await peer.send(OK)

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"Trailers": ["X-Sum"]})
        client = await proxy.connect()
        assert status_of((await client.ask(POST))[0]) == 200
    head, body = await seen
    assert body == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert fields_of(head)["trailer"] == ["x-sum"]
    assert "x-sum" not in fields_of(head)


async def test_a_server_is_told_that_trailers_are_welcome_only_if_they_are() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        client = await proxy.connect()
        for request in (GET, GET_TE, GET_TE.replace(b"trailers", b"gzip")):
            await client.ask(request)
        proxy.serve(upstream, settings={"Trailers": []})
        await client.ask(GET_TE)
    assert [fields_of(head).get("te") for head in upstream.heads] == [None, ["trailers"], None, None]
    assert fields_of(upstream.heads[1])["connection"] == ["TE"], "it is of this hop alone (section 10.1.4)"


async def test_trailers_do_not_outlive_the_answer_that_they_were_of() -> None:
    async def failing(peer: Peer) -> None:
        await peer.head()
        await peer.send(ANSWER.replace(b"200 OK", b"503 no"))

    async def bare(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n")

    upstreams = Upstream(failing), Upstream(bare)
    async with running(*upstreams) as proxy:
        proxy.serve(*upstreams, settings={"FailoverPredicate": "ResponseCode() == 503 && Attempts() < 3"})
        for _ in upstreams:
            head, body = await asked(proxy, GET_TE)
            assert (status_of(head), body) == (200, b"4\r\nwiki\r\n0\r\n\r\n")


async def test_trailers_of_a_body_that_was_changed_are_dropped() -> None:
    """A digest of what the server sent is not one of what the client gets."""
    begun = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        head, _, rest = ANSWER.replace(b"Trailer", b"Content-Type: text/plain\r\nTrailer").partition(b"0\r\n")
        await peer.send(head)
        await begun.wait()
        await peer.send(b"0\r\n" + rest)

    async with running(Upstream(serve)) as proxy:
        proxy.put({"frontends/f/middlewares/m": {"Type": "compress", "Middleware": {"MinBytes": 1}}})
        client = await proxy.connect()
        await client.send(GET_TE.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n"))
        head = fields_of(await client.head())
        assert head["content-encoding"] == ["gzip"]
        assert head["transfer-encoding"] == ["chunked"]
        assert "trailer" not in head
        begun.set()
        assert b"Digest" not in await client.until(b"\r\n\r\n")


async def test_a_client_of_http_2_gets_those_of_a_server_of_http_1_by_the_list() -> None:
    async with speaking(Upstream(told)) as (_, peer):
        stream = await peer.ask()
        assert await peer.status(stream) == 200
        event = await peer.event(h2.events.TrailersReceived, stream)
        assert isinstance(event, h2.events.TrailersReceived)
        assert [(bytes(name), bytes(value)) for name, value in event.headers] == [
            (b"repr-digest", b"sha-256=:x:")
        ]


async def test_trailers_pass_a_hop_of_http_2_both_ways() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def serve(peer: Peer) -> None:
        await peer.head()
        seen.set_result(await peer.until(b"\r\n\r\n"))
        await peer.send(ANSWER)

    upstream = Upstream(serve)
    async with running() as front, running(upstream) as back:
        settings = {"Trailers": ["X-Sum"]}
        back.serve(upstream, settings=settings)
        front.serve(settings=settings)
        front.put({"backends/b/servers/s": {"URL": f"h2c://127.0.0.1:{back.port}"}})
        _, body = await asked(front, POST.replace(b"Host: a", b"Host: a\r\nTE: trailers"))
        assert body == b"4\r\nwiki\r\n0\r\nx-sum: 1\r\n\r\n"
    assert await seen == b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"


@pytest.mark.parametrize(
    "name", [b"transfer-encoding", b"te", b"host", b"cookie", b"authorization", b"age", b":status"]
)
def test_no_list_lets_a_forbidden_field_trail(name: bytes) -> None:
    assert not may_trail(name)
    assert passed_on([(name, b"1")], None) == []
    assert passed_on([(name, b"1")], frozenset({name})) == []


@pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\nb", b"\0", b"\x7f"])
def test_no_value_breaks_out_of_its_line(value: bytes) -> None:
    assert passed_on([(b"x-sum", value)], None) == []
