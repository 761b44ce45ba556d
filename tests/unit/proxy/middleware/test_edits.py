"""What middlewares change of requests and answers: paths, fields, bodies, pages."""

import gzip
import json
from typing import Any

import pytest
from tests.unit.proxy.middleware.harness import (
    Told,
    answer_of,
    call_of,
    ended,
    made,
    response_of,
    rows,
    through,
    value,
)

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.compress import accepts_gzip
from fairlead.proxy.middleware.trace import read_address


@pytest.mark.parametrize("row", rows("refused"), ids=lambda row: f"{row['type']}: {row['says']}")
def test_settings_that_cannot_be_used_are_told_in_one_line(row: dict[str, Any]) -> None:
    with pytest.raises(KeyProblem) as caught:
        made(row["type"], row["json"])
    assert row["says"] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/api/a?b", "/a?b"),
        ("/api", "/"),
        ("/api?b", "/?b"),
        ("/apis/a", "/apis/a"),
        ("/api/", "/"),
        ("/other", "/other"),
        ("/v1/x", "/x"),
        ("/api//x", "//x"),
    ],
)
def test_a_prefix_is_stripped_by_whole_segments(target: str, expected: str) -> None:
    call = call_of(target, headers={"x-forwarded-prefix": "/spoofed"})
    assert answer_of(made("stripprefix", {"Prefixes": ["/api/", "/v1"]}), call) is None
    assert value(call.request.fields, "X-Forwarded-Prefix") != b"/spoofed"
    assert call.request.target == expected.encode()
    assert call.request.path == expected.partition("?")[0].encode()
    assert (value(call.request.fields, "X-Forwarded-Prefix") is not None) is (target != expected)


@pytest.mark.parametrize(
    ("prefix", "target", "expected", "told"),
    [
        ("/stat", "/status", "/us", "/stat"),
        ("/stat", "/stat?q", "/?q", "/stat"),
        ("/stat/", "/stat/us", "/us", "/stat/"),
        ("/stat/", "/stat/", "/", "/stat/"),
        ("/stat/", "/status", "/status", None),
        ("/", "/", "/", "/"),
        ("/stat", "/stat/a%2Fb", "/a%2Fb", "/stat"),
        ("/api/", "/ap%69/a%2Fb", "/a%2Fb", "/ap%69/"),
        ("/a.b", "/aXb", "/aXb", None),
    ],
)
def test_a_prefix_may_be_stripped_as_text(prefix: str, target: str, expected: str, told: str | None) -> None:
    """As Traefik has it, which decodes paths before it looks."""
    call = call_of(target)
    middleware = made("stripprefix", {"Prefixes": ["/none", prefix], "WholeSegments": False})
    assert answer_of(middleware, call) is None
    assert call.request.target == expected.encode()
    assert value(call.request.fields, "X-Forwarded-Prefix") == (told and told.encode())


@pytest.mark.parametrize("target", ["/api../x", "/api./x", "/api..", "/api%2e%2E/x", "/api.%2e/x"])
def test_what_would_lead_out_without_its_prefix_is_refused(target: str) -> None:
    answer = answer_of(made("stripprefix", {"Prefixes": ["/api"], "WholeSegments": False}), call_of(target))
    assert answer is not None
    assert answer.status == 400


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/api/", "/"),
        ("/a/api/test/?q", "/test/?q"),
        ("/b/api", "/b/api"),
        ("/b/api2/test2", "/test2"),
        ("/c/x/9/t", "/t"),
        ("/c/x/y/t", "/c/x/y/t"),
        ("/z/b/api/t", "/z/b/api/t"),
    ],
)
def test_a_prefix_is_stripped_by_regular_expression(target: str, expected: str) -> None:
    call = call_of(target)
    middleware = made("stripprefix", {"Regexps": ["/a/api/", "/b/([a-z0-9]+)/", "/c/[a-z]/[0-9]+/"]})
    assert answer_of(middleware, call) is None
    assert call.request.target == expected.encode()
    assert (value(call.request.fields, "X-Forwarded-Prefix") is not None) is (target != expected)


@pytest.mark.parametrize(
    ("json", "target", "expected"),
    [
        ({"Path": "/new"}, "/foo%2Fbar?q=1", "/new?q=1"),
        ({"Path": "/foo%2Fbar"}, "/path", "/foo%2Fbar"),
        ({"Regexp": "^/who/(.*)", "Replacement": "/w-$1"}, "/who/a/who?x", "/w-a/who?x"),
        ({"Regexp": "/who", "Replacement": ""}, "/who/and/who", "/and"),
        ({"Regexp": "^(?i)/D/([^/]+)/([^/]+)$", "Replacement": "/d/$1-$2"}, "/d/src/go", "/d/src-go"),
        ({"Regexp": "/aaa/bbb", "Replacement": "/x"}, "/aaa%2Fbbb", None),
        ({"Regexp": "/none", "Replacement": "/x"}, "/path", None),
    ],
)
def test_a_path_is_replaced_and_the_server_told(
    json: dict[str, str], target: str, expected: str | None
) -> None:
    call = call_of(target, headers={"X-Other": "1"})
    assert answer_of(made("replacepath", json), call) is None
    assert call.request.target == (expected or target).encode()
    assert call.request.path == (expected or target).partition("?")[0].encode()
    told = value(call.request.fields, "X-Replaced-Path")
    assert told == (target.partition("?")[0].encode() if expected else None)


def test_what_is_left_of_a_path_must_be_one() -> None:
    answer = answer_of(made("replacepath", {"Regexp": "^/", "Replacement": ""}), call_of("/x"))
    assert answer is not None
    assert answer.status == 500
    star = call_of("*", method="OPTIONS")
    assert answer_of(made("replacepath", {"Path": "/x"}), star) is None
    assert star.request.target == b"*"


def test_prefixes_that_are_stripped_one_after_the_other_are_all_told() -> None:
    call = call_of("/a/b/c")
    for prefix in ("/a", "/b"):
        assert answer_of(made("stripprefix", {"Prefixes": [prefix]}), call) is None
    assert call.request.target == b"/c"
    assert [field for field in call.request.fields if field[0].startswith(b"X-Forwarded-P")] == [
        (b"X-Forwarded-Prefix", b"/a"),
        (b"X-Forwarded-Prefix", b"/b"),
    ]


def test_a_prefix_is_added() -> None:
    call = call_of("/a?b")
    assert answer_of(made("addprefix", {"Prefix": "/v2"}), call) is None
    assert (call.request.target, call.request.path) == (b"/v2/a?b", b"/v2/a")
    star = call_of("*", method="OPTIONS")
    assert answer_of(made("addprefix", {"Prefix": "/v2"}), star) is None
    assert star.request.target == b"*"


@pytest.mark.parametrize(
    ("json", "call", "status", "location"),
    [
        ({"Scheme": "https"}, {}, 302, "https://localhost/a?b"),
        ({"Scheme": "https", "Permanent": True}, {}, 301, "https://localhost/a?b"),
        ({"Scheme": "https", "Permanent": True}, {"method": "POST"}, 308, "https://localhost/a?b"),
        ({"Scheme": "https"}, {"method": "POST"}, 307, "https://localhost/a?b"),
        ({"Scheme": "https"}, {"host": "x:8080"}, 302, "https://x/a?b"),
        ({"Scheme": "https", "Port": 8443}, {"host": "x:8080"}, 302, "https://x:8443/a?b"),
        ({"Scheme": "https", "Port": 443}, {"host": "[::1]:80"}, 302, "https://[::1]/a?b"),
        ({"Host": "www.example"}, {}, 302, "http://www.example/a?b"),
        ({"Scheme": "https"}, {"scheme": b"https"}, 0, ""),
        ({"Scheme": "https"}, {"scheme": b"https", "host": "x:8000"}, 302, "https://x/a?b"),
        ({"Scheme": "https", "Port": 443}, {"scheme": b"https", "host": "x:443"}, 0, ""),
        ({"Scheme": "http", "Port": 80}, {"host": "x:80"}, 0, ""),
        ({"Scheme": "wss", "Port": 9443}, {"host": "x:80"}, 302, "wss://x:9443/a?b"),
        ({"Scheme": "wss"}, {"host": "x:5678"}, 302, "wss://x/a?b"),
        ({"Regexp": "^http://(.*)", "Replacement": "https://www.$1"}, {}, 302, "https://www.localhost/a?b"),
        ({"Regexp": "^ftp://(.*)", "Replacement": "https://$1"}, {}, 0, ""),
    ],
)
def test_clients_are_sent_elsewhere(
    json: dict[str, Any], call: dict[str, Any], status: int, location: str
) -> None:
    answer = answer_of(made("redirect", json), call_of("/a?b", **call))
    if not status:
        assert answer is None
    else:
        assert answer is not None
        assert (answer.status, value(answer.fields, "Location")) == (status, location.encode())


def test_fields_are_removed_set_and_added() -> None:
    middleware = made(
        "headers",
        {
            "Request": {
                "Set": {"X-Env": "prod"},
                "Add": {"X-Tag": 'u={{.Request.Header.Get "X-Id"}}'},
                "Remove": ["Cookie"],
            },
            "Response": {"Set": {"Server": "us"}, "Remove": ["X-Powered-By"]},
        },
    )
    call = call_of(headers={"x-env": "dev", "X-Tag": "t", "X-Id": "7", "cookie": "c"})
    assert answer_of(middleware, call) is None
    assert call.request.fields == [
        (b"X-Tag", b"t"),
        (b"X-Id", b"7"),
        (b"X-Env", b"prod"),
        (b"X-Tag", b"u=7"),
    ]
    assert value(call.plan.request.fields, "Cookie") == b"c"  # the plan is shared, and stays what it was
    response = response_of(headers={"Server": "nginx", "x-powered-by": "php", "A": "b"})
    middleware.on_response(call, response)
    assert response.fields == [(b"A", b"b"), (b"Server", b"us")]


CORS = {
    "AllowOrigins": ["https://a"],
    "AllowOriginRegexps": [r"^https://[a-z]+\.b$"],
    "AllowCredentials": True,
}


@pytest.mark.parametrize(
    ("origin", "granted"),
    [
        ("https://a", True),
        ("https://x.b", True),
        ("https://x.b.evil", False),
        ("https://A", False),
        ("null", False),
        ("", False),
    ],
)
def test_other_origins_are_granted_or_not(origin: str, granted: bool) -> None:  # noqa: FBT001
    middleware = made("cors", CORS | {"ExposeHeaders": ["X-Total"]})
    call = call_of(headers={"Origin": origin} if origin else {})
    assert answer_of(middleware, call) is None
    response = response_of(headers={"Access-Control-Allow-Origin": "*"})
    middleware.on_response(call, response)
    assert value(response.fields, "Access-Control-Allow-Origin") == (origin.encode() if granted else None)
    assert value(response.fields, "Access-Control-Allow-Credentials") == (b"true" if granted else None)
    assert value(response.fields, "Access-Control-Expose-Headers") == (b"X-Total" if granted else None)
    assert value(response.fields, "Vary") == b"Origin"


def test_a_preflight_is_answered_here() -> None:
    middleware = made("cors", CORS | {"AllowMethods": ["PUT"], "AllowHeaders": ["X-Token"], "MaxAge": 600})
    preflight = {"Access-Control-Request-Method": "PUT"}
    answer = answer_of(middleware, call_of(method="OPTIONS", headers={"Origin": "https://a"} | preflight))
    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")
    assert value(answer.fields, "Access-Control-Allow-Origin") == b"https://a"
    assert value(answer.fields, "Access-Control-Allow-Methods") == b"PUT"
    assert value(answer.fields, "Access-Control-Allow-Headers") == b"X-Token"
    assert value(answer.fields, "Access-Control-Max-Age") == b"600"
    answer = answer_of(middleware, call_of(method="OPTIONS", headers={"Origin": "https://evil"} | preflight))
    assert answer is not None
    assert [name for name, _ in answer.fields] == [b"Vary"]
    assert answer_of(middleware, call_of(method="OPTIONS", headers={"Origin": "https://a"})) is None


TEXT = {"Content-Type": "text/html; charset=utf-8"}
GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("asked", "answered", "status", "length", "compressed"),
    [
        (GZIP, TEXT, 200, 2048, True),
        (GZIP, {"Content-Type": "application/json"}, 200, 2048, True),
        ({}, TEXT, 200, 2048, False),
        ({"Accept-Encoding": "gzip;q=0, br"}, TEXT, 200, 2048, False),
        (GZIP, TEXT, 200, 10, False),
        (GZIP, {"Content-Type": "image/png"}, 200, 2048, False),
        (GZIP, {}, 200, 2048, False),
        (GZIP, {"Content-Type": "text/event-stream"}, 200, 2048, False),
        (GZIP, TEXT | {"Content-Encoding": "br"}, 200, 2048, False),
        (GZIP, TEXT | {"Cache-Control": "no-transform"}, 200, 2048, False),
        (GZIP, TEXT, 206, 2048, False),
    ],
)
def test_texts_are_compressed_for_those_who_take_it(
    asked: dict[str, str],
    answered: dict[str, str],
    status: int,
    length: int,
    compressed: bool,  # noqa: FBT001
) -> None:
    middleware = made("compress", {})
    call = call_of(headers=asked)
    response = response_of(status, answered, length=length)
    body = b"hello " * (length // 6)
    got = through(middleware, call, response, body[:100], body[100:])
    if compressed:
        assert gzip.decompress(got) == body
        assert len(got) < len(body)
        assert value(response.fields, "Content-Encoding") == b"gzip"
    else:
        assert got == body
        assert (value(response.fields, "Content-Encoding") or b"").decode() == answered.get(
            "Content-Encoding", ""
        )
    is_text = answered.get("Content-Type", "").startswith(("text/html", "application/json"))
    assert (value(response.fields, "Vary") == b"Accept-Encoding") is is_text


def test_a_compressed_body_is_another_representation() -> None:
    headers = TEXT | {"ETag": '"a"', "Accept-Ranges": "bytes", "Content-MD5": "x"}
    response = response_of(headers=headers, length=5000)
    through(made("compress", {}), call_of(headers=GZIP), response, b"x" * 5000)
    assert value(response.fields, "ETag") == b'W/"a"'
    assert value(response.fields, "Accept-Ranges") is None
    assert value(response.fields, "Content-MD5") is None


def test_head_is_not_compressed() -> None:
    response = response_of(headers=TEXT, length=5000)
    made("compress", {}).on_response(call_of(method="HEAD", headers=GZIP), response)
    assert value(response.fields, "Content-Encoding") is None


@pytest.mark.parametrize(
    ("field", "takes"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*;q=1, gzip;q=0", False),
        ("identity", False),
        ("", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_accept_encoding_is_read_as_the_rfc_says(field: str, takes: bool) -> None:  # noqa: FBT001
    assert accepts_gzip(field.encode()) is takes


def test_an_answer_without_a_server() -> None:
    json = {
        "StatusCode": 503,
        "Body": "Back at noon",
        "ContentType": "text/plain",
        "Headers": {"Retry-After": "60"},
    }
    answer = answer_of(made("respond", json), call_of())
    assert answer is not None
    assert (answer.status, answer.body) == (503, b"Back at noon")
    assert answer.fields == [(b"Content-Type", b"text/plain"), (b"Retry-After", b"60")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, b"not here"),
        (500, b"sorry: 500"),
        (503, b"sorry: 503"),
        (410, b"gone"),
        (200, b"old"),
        (600, b"old"),
    ],
)
def test_errors_get_their_pages(status: int, expected: bytes) -> None:
    pages = {"400-499": "gone", "404": "not here", "500-599": "sorry: {status}"}
    middleware = made("errorpages", {"Pages": pages})
    if status > 599:
        return
    response = response_of(
        status, {"Content-Type": "a/b", "Content-Encoding": "gzip", "ETag": '"x"'}, length=3
    )
    assert through(middleware, call_of(), response, b"old") == expected
    assert (value(response.fields, "ETag") is None) is (expected != b"old")


def test_large_bodies_are_refused_by_what_they_say() -> None:
    limit = made("bodylimit", {"MaxBodyBytes": 10})
    assert answer_of(limit, call_of(method="POST", headers={"Content-Length": "10"})) is None
    answer = answer_of(limit, call_of(method="POST", headers={"Content-Length": "11"}))
    assert answer is not None
    assert answer.status == 413


@pytest.mark.parametrize(
    ("json", "brought", "expected"),
    [
        ({}, "mine", b"f" * 32),
        ({"Trust": True}, "mine", b"mine"),
        ({"Trust": True}, "a b", b"f" * 32),
        ({"Trust": True}, "x" * 200, b"f" * 32),
        ({"Trust": True}, "", b"f" * 32),
    ],
)
def test_requests_get_a_name(json: dict[str, Any], brought: str, expected: bytes) -> None:
    middleware = made("requestid", json)
    call = call_of(headers={"x-request-id": brought})
    assert answer_of(middleware, call) is None
    names = [each for name, each in call.request.fields if name.lower() == b"x-request-id"]
    assert names == [expected]
    assert call.request_id == expected, "the access log has it"
    response = response_of(headers={"X-Request-Id": "the server's"})
    middleware.on_response(call, response)
    assert [each for name, each in response.fields if name == b"X-Request-Id"] == [expected]


def test_a_request_without_a_name_gets_one_and_is_not_copied() -> None:
    call = call_of()
    assert answer_of(made("requestid", {}), call) is None
    assert call.added == b"X-Request-Id: " + b"f" * 32 + b"\r\n"
    assert call.request_id == b"f" * 32, "the access log has it"
    assert not call.is_edited


def test_a_trace_is_a_line_of_json() -> None:
    world = Told()
    middleware = made(
        "trace",
        {"ReqHeaders": ["x-req-a"], "RespHeaders": ["X-Resp-A"], "Addr": "syslog:///run/x?f=MAIL&sev=INFO"},
        world=world,
    )
    call = call_of("/hello", headers={"X-Req-A": "yo", "Cookie": "secret"})
    assert answer_of(middleware, call) is None
    middleware.on_response(call, response_of(headers={"X-Resp-A": "h2", "X-Resp-B": "h3"}))
    ended(middleware, call, 200, duration_us=1500)
    (address, line), *others = world.lines
    assert others == []
    assert (address.path, address.priority, address.tag) == ("/run/x", 2 * 8 + 6, "@json:")
    assert json.loads(line) == {
        "request": {"method": "GET", "url": "/hello", "headers": {"X-Req-A": ["yo"]}, "body_bytes": 0},
        "response": {"code": 200, "roundtrip": 1.5, "headers": {"X-Resp-A": ["h2"]}, "body_bytes": 0},
    }


@pytest.mark.parametrize(
    "address",
    [
        "syslog://localhost:5000",
        "syslog://localhost:5000?f=MAIL&sev=INFO",
        "syslog://localhost:5000?f=MAIL",
        "syslog://localhost:5000?f=LOG_LOCAL0&sev=DEBUG",
        "syslog:///dev/log",
        "syslog:///dev/log?f=LOG_LOCAL0",
        "syslog://",
        "syslog://?f=LOG_LOCAL0&sev=INFO",
    ],
)
def test_addresses_of_syslogs_are_vulcands(address: str) -> None:
    found = read_address(address)
    assert (found.host, found.port) == ("localhost", 5000) or found.path == "/dev/log"
