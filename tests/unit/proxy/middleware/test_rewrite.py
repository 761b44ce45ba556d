"""Rewriting: Go's replacements and templates, and that nothing a client writes becomes one."""

from typing import Any

import pytest
from tests.unit.proxy.middleware.harness import answer_of, call_of, made, response_of, rows, through, value

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.limits import BODY_TEMPLATE_BYTES_MAX
from fairlead.proxy.middleware.rewrite import encoded, target_in
from fairlead.proxy.middleware.template import parse_template, render


@pytest.mark.parametrize("row", rows("rewrites"), ids=lambda row: f"{row['regexp']} {row['path']}")
def test_urls_are_rewritten_as_vulcand_does(row: dict[str, Any]) -> None:
    json = {
        "Regexp": row["regexp"],
        "Replacement": row["replacement"],
        "Redirect": row.get("redirect", False),
    }
    call = call_of(row["path"], headers=row.get("headers"), scheme=row.get("scheme", "http").encode())
    answer = answer_of(made("rewrite", json), call)
    if "location" in row:
        assert answer is not None
        assert (answer.status, value(answer.fields, "Location")) == (302, row["location"].encode())
    elif "status" in row:
        assert answer is not None
        assert answer.status == row["status"]
    else:
        assert answer is None
        assert call.request.target == row["target"].encode()
        assert call.request.path == row["target"].partition("?")[0].encode()


def test_an_empty_match_behind_another_is_none() -> None:
    """Go: regexp.MustCompile("o*").ReplaceAllString("foo", "-") is "-f-"."""
    call = call_of("/foo")
    assert answer_of(made("rewrite", {"Regexp": "(o*)$", "Replacement": "-"}), call) is None
    assert call.request.target == b"/f-"


def test_a_url_too_long_to_search_is_refused_and_not_passed_on() -> None:
    answer = answer_of(made("rewrite", {"Regexp": "secret", "Replacement": ""}), call_of("/" + "a" * 3000))
    assert answer is not None
    assert answer.status == 414


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ('foo {{.Request.Header.Get "X-Header"}}', "foo bar"),
        ("foo baz", "foo baz"),
        ('foo {{.Request.Header.Get "Y-Header"}}', "foo "),
        ('a {{- .Request.Header.Get "X-Header" -}} b', "abarb"),
        ("a {{- .Request.Method -}} b", "aGETb"),
        ('{{.Request.Header.Get "Host"}}', "localhost"),
        ('{{.Request.FormValue "q"}}', "1 2"),
    ],
)
def test_templates_look_up_what_the_request_has(template: str, rendered: str) -> None:
    call = call_of("/?q=1+2", headers={"X-Header": "bar"})
    assert render(parse_template(template.encode()), call) == rendered.encode()


def test_an_unfinished_action_is_told() -> None:
    with pytest.raises(KeyProblem, match="has no"):
        parse_template(b'foo {{.Request.Header.Get "X-Header"')


def test_a_body_is_a_template_when_asked_to_be() -> None:
    call = call_of(headers={"X-Header": "bar"})
    body = b'{"foo": "{{.Request.Header.Get "X-Header"}}", "{{.Bad}}": "{{"}'
    for kind, expected in (
        (True, body.replace(b'{{.Request.Header.Get "X-Header"}}', b"bar")),
        (False, body),
    ):
        middleware = made("rewrite", {"Regexp": "", "Replacement": "", "RewriteBody": kind})
        assert answer_of(middleware, call) is None
        assert through(middleware, call, response_of(), body[:10], body[10:]) == expected


def test_a_body_that_is_compressed_or_too_long_passes_as_it_is() -> None:
    middleware = made("rewrite", {"Regexp": "", "Replacement": "", "RewriteBody": True})
    action = b"{{.Request.Method}}"
    assert through(middleware, call_of(), response_of(headers={"Content-Encoding": "br"}), action) == action
    long = action + b"x" * BODY_TEMPLATE_BYTES_MAX
    assert through(middleware, call_of(), response_of(), long[:9], long[9:]) == long


def test_only_what_matched_has_its_body_rewritten() -> None:
    middleware = made(
        "rewrite",
        {"Regexp": "^http://localhost/a$", "Replacement": "http://localhost/b", "RewriteBody": True},
    )
    for path, expected in (("/a", b"GET"), ("/c", b"{{.Request.Method}}")):
        call = call_of(path)
        assert answer_of(middleware, call) is None
        assert through(middleware, call, response_of(), b"{{.Request.Method}}") == expected


@pytest.mark.parametrize(
    "nasty", [b"a\r\nSet-Cookie: b", b"a b", b"a\x00b", b"a\xffb", b'a"b', b"a\\b", b"a<b>"]
)
def test_no_byte_in_a_url_ends_a_line(nasty: bytes) -> None:
    made_of = encoded(b"http://x/" + nasty)
    assert made_of.isascii()
    assert not set(made_of) & set(b'\r\n\0 "\\<>')
    assert target_in(b"http://x/" + nasty) == made_of[len(b"http://x") :]
