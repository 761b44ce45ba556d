"""Error pages of another server: here before they are needed, and no burden to who does not need them."""

import asyncio

import pytest
from tests.unit.proxy.harness import Peer, Upstream, eventually, fields_of, running, status_of
from tests.unit.proxy.middleware.harness import Told, call_of, made, response_of, through, value

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.fetchedpages import FetchedPages, targets_of

SPEC = {"From": ["http://pages:81/"], "Query": "/{status}.html", "Statuses": ["404", "502-504"]}


async def first(middleware: object, call: object) -> None:
    assert isinstance(middleware, FetchedPages)
    verdict = middleware.on_request(call)  # type: ignore[arg-type]
    if verdict is not None:
        assert await verdict is None


async def test_the_first_request_brings_the_pages_and_errors_show_them() -> None:
    kind = [(b"Content-Type", b"text/plain")]
    world = Told(
        (200, kind, b"not here"), (500, [], b"?"), (200, [], b"<p>later</p>"), ConnectionRefusedError()
    )
    pages, call = made("errorpages", SPEC, world=world), call_of()
    await first(pages, call)
    assert [url for _, url, _, _ in world.asked] == [
        f"http://pages:81/{code}.html" for code in (404, 502, 503, 504)
    ]
    expected = {404: b"not here", 502: b"own", 503: b"<p>later</p>", 504: b"own", 500: b"own", 200: b"own"}
    for status, body in expected.items():
        response = response_of(status, {"Content-Type": "a/b", "ETag": "x"}, length=3)
        assert through(pages, call, response, b"own") == body
        assert (value(response.fields, "ETag") is None) is (body != b"own")
    response = response_of(404)
    pages.on_response(call, response)
    assert value(response.fields, "Content-Type") == b"text/plain"


async def test_pages_are_fetched_anew_beside_the_requests_and_outlive_a_change() -> None:
    spec = SPEC | {"Query": "/sorry", "From": ["http://down", "http://up"]}
    world = Told(
        ConnectionRefusedError(), (200, [], b"one"), OSError(), (200, [], b"two"), OSError(), OSError()
    )
    pages = made("errorpages", spec, world=world)
    await first(pages, call_of())
    assert isinstance(pages, FetchedPages)
    assert pages.on_request(call_of(now_s=59.0)) is None
    assert len(world.asked) == 2
    assert pages.on_request(call_of(now_s=61.0)) is None, "nobody waits for it"
    await asyncio.gather(*world.tasks)
    assert (page := pages.page_for(503)) is not None
    assert page.body == b"two"
    changed = made("errorpages", spec, world=world, previous=pages)
    assert isinstance(changed, FetchedPages)
    assert changed.on_request(call_of(now_s=62.0)) is None
    assert changed.on_request(call_of(now_s=122.0)) is None
    await asyncio.gather(*world.tasks)
    assert (page := changed.page_for(503)) is not None
    assert page.body == b"two", "what was good stays while its server is away"
    assert changed.due_s == 127.0
    other = made("errorpages", spec | {"Query": "/x"}, world=world, previous=changed)
    assert isinstance(other, FetchedPages)
    assert other.page_for(503) is None


def test_of_a_range_only_what_http_knows_is_asked_for() -> None:
    assert targets_of("/{status}", (range(500, 600), range(499, 500))) == [
        f"/{code}" for code in (499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511)
    ]
    assert targets_of("/one", (range(400, 600),)) == ["/one"]


@pytest.mark.parametrize(
    "change",
    [{"From": ["ftp://x"]}, {"From": ["http://"]}, {"Statuses": []}, {"Statuses": ["5xx"]}, {"Query": "x y"}],
)
def test_what_cannot_be_asked_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(KeyProblem):
        made("errorpages", SPEC | change)


async def test_on_the_wire_even_the_proxys_own_errors_have_them() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            head = await peer.head()
            page = b"page of " + head.split(b" ")[1]
            lines = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: %d\r\n\r\n" % len(page)
            await peer.send(lines + page)

    upstream, pages = Upstream(), Upstream(serve)
    async with running(upstream) as proxy:
        await pages.start()
        spec = {"From": [f"http://127.0.0.1:{pages.port}"], "Query": "/{status}", "Statuses": ["500-599"]}
        proxy.put({"frontends/f/middlewares/e": {"Type": "errorpages", "Middleware": spec}})
        proxy.put({}, delete=("backends/b/servers/s0",))
        head, body = await proxy.get()
        assert (status_of(head), body) == (503, b"page of /503")
        assert fields_of(head)["content-type"] == ["text/x"]
        await pages.stop()
        proxy.put({"backends/b/servers/s0": {"URL": f"http://127.0.0.1:{upstream.port}"}})
        assert (await proxy.get())[1] == b"ok"
        await eventually(lambda: proxy.service.stats.clients == 0)
