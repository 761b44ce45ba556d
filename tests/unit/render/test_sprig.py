"""The functions of confd's active fork."""

from typing import Any

import pytest

from fairlead.render.errors import TemplateFault
from fairlead.render.functions import PURE
from fairlead.render.sprig import REPEAT_CHARACTERS_MAX, SPRIG
from fairlead.render.view import KVPair

PAIR = KVPair("", "")
FORK = (
    "default ternary coalesce empty toJson fromJson toPrettyJson indent nindent quote squote regexMatch regexFind "
    "regexReplaceAll trimPrefix repeat nospace snakecase camelcase kebabcase dict list hasKey keys values append "
    "pluck sha256sum"
)


def test_all_of_the_fork_are_there() -> None:
    assert set(FORK.split()) == set(SPRIG) <= set(PURE)
    assert len(SPRIG) == 28


@pytest.mark.parametrize("value", [None, "", 0, 0.0, False, [], {}])
def test_nothing_zero_and_without_items_is_empty(value: object) -> None:
    assert SPRIG["empty"](value)
    assert SPRIG["default"]("d", value) == "d"
    assert SPRIG["coalesce"](value, "c") == "c"


@pytest.mark.parametrize("value", ["x", 1, 0.5, True, [None], {"": 0}, PAIR])
def test_all_else_is_not(value: object) -> None:
    assert not SPRIG["empty"](value)
    assert SPRIG["default"]("d", value) == value
    assert SPRIG["coalesce"]("", value, "c") == value


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("default", ("d",), "d"),
        ("coalesce", (), None),
        ("ternary", ("y", "n", True), "y"),
        ("ternary", ("y", "n", False), "n"),
        ("toJson", ({"b": [1, None], "a": "<"},), '{"a":"\\u003c","b":[1,null]}'),
        ("toPrettyJson", ({"a": 1},), '{\n  "a": 1\n}'),
        ("fromJson", ('[1, {"a": 2.5}]',), [1, {"a": 2.5}]),
        ("indent", (2, "a\n\nb"), "  a\n  \n  b"),
        ("indent", (4, ""), ""),
        ("nindent", (2, "a\nb"), "\n  a\n  b"),
        ("nindent", (2, ""), "\n"),
        ("quote", ('a"\n',), '"a\\"\\n"'),
        ("squote", ("it's",), "'it's'"),
        ("regexMatch", (r"^\d+$", "123"), True),
        ("regexMatch", ("^b", "ab"), False),
        ("regexFind", (r"\d+", "a12b3"), "12"),
        ("regexFind", ("x", "a"), ""),
        ("regexReplaceAll", (r"(\w)(\d)", "a1 b2", "$2$1"), "1a 2b"),
        ("trimPrefix", ("/a/b", "/a"), "/b"),
        ("trimPrefix", ("/a/b", "/x"), "/a/b"),
        ("repeat", (3, "ab"), "ababab"),
        ("repeat", (0, "ab"), ""),
        ("nospace", (" a\tb\nc\u00a0",), "abc"),
        ("dict", ("a", 1, "b", "x"), {"a": 1, "b": "x"}),
        ("list", (1, "a"), [1, "a"]),
        ("hasKey", ({"a": None}, "a"), True),
        ("hasKey", ({}, "a"), False),
        ("keys", ({"b": 1, "a": 2, "C": 3},), ["C", "a", "b"]),
        ("values", ({"b": 1, "a": 2},), [2, 1]),
        ("append", ([1], 2), [1, 2]),
        ("append", (None, 2), [2]),
        ("pluck", ("p", {"p": 1}, {}, {"p": None}), [1, None]),
        ("sha256sum", ("hello",), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    ],
)
def test_it_gives_what_the_fork_gives(name: str, arguments: tuple[Any, ...], expected: object) -> None:
    assert SPRIG[name](*arguments) == expected


@pytest.mark.parametrize(
    ("text", "snake", "camel", "kebab"),
    [
        ("HelloWorld", "hello_world", "helloWorld", "hello-world"),
        ("helloWorld", "hello_world", "helloWorld", "hello-world"),
        ("hello_world", "hello_world", "helloWorld", "hello-world"),
        ("hello-world", "hello_world", "helloWorld", "hello-world"),
        ("hello  World", "hello_world", "helloWorld", "hello-world"),
        ("HTTPServer", "http_server", "httpServer", "http-server"),
        ("myHTTPServer2", "my_http_server2", "myHttpServer2", "my-http-server2"),
        ("A", "a", "a", "a"),
        ("", "", "", ""),
    ],
)
def test_words_are_told_apart_by_case_and_by_signs(text: str, snake: str, camel: str, kebab: str) -> None:
    assert [SPRIG[name](text) for name in ("snakecase", "camelcase", "kebabcase")] == [snake, camel, kebab]


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("ternary", ("y", "n", "true"), "use parseBool"),
        ("fromJson", ("{",), "not JSON"),
        ("fromJson", ("NaN",), "not JSON"),
        ("toJson", (float("nan"),), "cannot be written as JSON"),
        ("regexMatch", ("[", "a"), "malformed pattern"),
        ("dict", ("a",), "pairs"),
        ("dict", (1, 2), "a text as key"),
        ("repeat", (-1, "a"), "repeat cannot make"),
        ("repeat", (REPEAT_CHARACTERS_MAX, "ab"), "repeat cannot make"),
        ("indent", (REPEAT_CHARACTERS_MAX, "a\nb"), "too long a text"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_so(
    name: str, arguments: tuple[Any, ...], complaint: str
) -> None:
    with pytest.raises(TemplateFault, match=complaint):
        SPRIG[name](*arguments)
