"""The JSON gateway: reference section 2.2, over a real member."""

import base64
import json
from typing import Any

import pytest
from tests.unit.api.conftest import FakeCall, Rig

from fairlead.api.gateway import ENDPOINTS, Gateway, JsonStream
from fairlead.api.http import Http
from fairlead.api.lease import Leases
from fairlead.api.watch import Watches
from fairlead.rpc import HttpReply, HttpRequest


class Exchange(FakeCall):
    """What a reply is written to; remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.http_status = 0
        self.fields: dict[bytes, bytes] = {}
        self.body = b""

    def start(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.http_status = status
        self.fields = dict(fields)

    def write(self, data: bytes) -> None:
        self.body += data
        self.news.set()

    def end(self) -> None:
        self.is_open = False
        self.news.set()

    def abort(self) -> None:
        self.end()

    def pause(self) -> None:
        """Nothing to hold."""

    def resume(self) -> None:
        """Nothing is held."""


class Browser:
    """Sends JSON to a gateway."""

    def __init__(self, rig: Rig) -> None:
        routes = {**rig.kv.routes(), **Leases(rig.member).routes(), **Watches(rig.member).routes()}
        self.http = Http({}, Gateway(routes, body_bytes_max=1000))

    def open(self, path: str, method: str = "POST") -> tuple[HttpRequest, Exchange]:
        request = HttpRequest(method, path, {}, peer="test", common_name=None)
        exchange = Exchange()
        self.http(request, HttpReply(exchange))
        return request, exchange

    async def post(self, path: str, body: str) -> tuple[int, Any]:
        request, exchange = self.open(path)
        if request.on_data and request.on_end:
            request.on_data(body.encode())
            request.on_end()
        await exchange.until(lambda: not exchange.is_open)
        return exchange.http_status, json.loads(exchange.body)


@pytest.fixture
def browser(rig: Rig) -> Browser:
    return Browser(rig)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_numbers_of_64_bits_are_strings_and_defaults_are_left_away(browser: Browser) -> None:
    status, put = await browser.post("/v3/kv/put", json.dumps({"key": b64("a"), "value": b64("1")}))
    assert status == 200
    assert put == {"header": put["header"]}
    assert put["header"]["revision"] == "2"
    _, got = await browser.post("/v3/kv/range", json.dumps({"key": b64("nothing")}))
    assert set(got) == {"header"}


async def test_names_are_those_of_the_protos(browser: Browser) -> None:
    await browser.post("/v3/kv/put", json.dumps({"key": b64("a")}))
    _, got = await browser.post("/v3/kv/range", json.dumps({"key": b64("a")}))
    assert set(got["kvs"][0]) == {"key", "create_revision", "mod_revision", "version"}


@pytest.mark.parametrize(
    "body",
    [
        {"key": "YQ==", "range_end": "Yg==", "limit": 1},
        {"key": "YQ==", "rangeEnd": "Yg==", "limit": "1"},
        {"key": "YQ==", "range_end": "Yg==", "sort_order": "ASCEND", "unknown": [1]},
        {"key": "YQ", "range_end": "Yg", "sort_order": 1},
    ],
)
async def test_input_may_be_snake_or_camel_number_or_string_name_or_value(
    rig: Rig, browser: Browser, body: dict[str, Any]
) -> None:
    await rig.put(b"a")
    status, got = await browser.post("/v3/kv/range", json.dumps(body))
    assert (status, got["count"]) == (200, "1")


async def test_an_error_has_the_fields_of_old_and_new_clients(browser: Browser) -> None:
    status, error = await browser.post("/v3/kv/range", "{}")
    assert status == 400
    text = "etcdserver: key is not provided"
    assert error == {"error": text, "code": 3, "message": text}


async def test_an_error_that_comes_later_looks_the_same(browser: Browser) -> None:
    status, error = await browser.post("/v3/kv/lease/revoke", json.dumps({"ID": "77"}))
    assert (status, error["code"]) == (404, 5)


@pytest.mark.parametrize("body", ["{", "[1]", '{"key": 5}', '{"limit": "many"}'])
async def test_what_is_no_request_is_refused_with_400(browser: Browser, body: str) -> None:
    status, error = await browser.post("/v3/kv/range", body)
    assert (status, error["code"]) == (400, 3)


async def test_a_large_body_is_refused_and_not_collected(browser: Browser) -> None:
    status, error = await browser.post("/v3/kv/put", json.dumps({"key": "YQ==", "value": "A" * 2000}))
    assert (status, error["code"]) == (429, 8)


async def test_unknown_paths_and_other_methods_are_told_apart(browser: Browser) -> None:
    assert (await browser.post("/v3/kv/nothing", "{}"))[0] == 404
    _, exchange = browser.open("/v3/kv/range", "GET")
    assert exchange.http_status == 501


async def test_v3beta_is_v3(rig: Rig, browser: Browser) -> None:
    await rig.put(b"a")
    assert (await browser.post("/v3beta/kv/range", json.dumps({"key": b64("a")})))[1]["count"] == "1"


async def test_a_watch_is_a_line_per_answer_and_outlives_the_body(rig: Rig, browser: Browser) -> None:
    request, exchange = browser.open("/v3/watch")
    assert request.on_data is not None
    assert request.on_end is not None
    request.on_data(b'{"create_request": {"key": "YQ=="')
    request.on_data(b'}}{"create_request": {"key": "Yg=="}}')
    request.on_end()
    await rig.put(b"b")
    await exchange.until(lambda: exchange.body.count(b"\n") == 3)
    first, second, third = (json.loads(line)["result"] for line in exchange.body.splitlines())
    assert (first["created"], "watch_id" in first) == (True, False)
    assert second["watch_id"] == "1"
    assert third["events"][0]["kv"]["key"] == b64("b")
    assert "type" not in third["events"][0]
    assert exchange.is_open


async def test_a_keep_alive_ends_with_its_body(browser: Browser) -> None:
    _, granted = await browser.post("/v3/lease/grant", json.dumps({"TTL": "60"}))
    status, kept = await browser.post("/v3/lease/keepalive", json.dumps({"ID": granted["ID"]}))
    assert status == 200
    assert kept["result"]["TTL"] == "60"


async def test_a_lease_that_is_gone_has_no_ttl_at_all(browser: Browser) -> None:
    """Patroni takes the missing field for a lost lease."""
    _, kept = await browser.post("/v3/lease/keepalive", json.dumps({"ID": "5"}))
    assert "TTL" not in kept["result"]


async def test_an_error_in_a_stream_is_told_in_both_forms(browser: Browser) -> None:
    request, exchange = browser.open("/v3/watch")
    assert request.on_data is not None
    request.on_data(b'{"create_request": {"key": "YQ=="}}')
    request.on_data(b"5")
    error = json.loads(exchange.body.splitlines()[-1])["error"]
    assert (error["grpc_code"], error["code"], error["http_code"]) == (3, 3, 400)
    assert not exchange.is_open


def test_json_values_are_cut_out_of_any_pieces() -> None:
    stream = JsonStream(1000)
    text = b'{"a": "\xc3\xa9"} {"b": [1, 2]}\n{"c": {}}'
    values = [value for byte in text for value in stream.feed(bytes([byte]))]
    assert values == [{"a": "\u00e9"}, {"b": [1, 2]}, {"c": {}}]


def test_a_value_that_never_ends_is_refused_at_the_limit() -> None:
    stream = JsonStream(10)
    with pytest.raises(ValueError, match="Unterminated"):
        stream.feed(b'{"a": "' + b"x" * 20)


def test_every_path_of_the_gateway_has_a_method() -> None:
    assert all(endpoint.method.startswith("/etcdserverpb.") for endpoint in ENDPOINTS.values())
