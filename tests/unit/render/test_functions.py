"""confd's functions over their arguments."""

from typing import Any

import pytest
from jinja2.filters import FILTERS as JINJA_FILTERS

from fairlead.render.errors import TemplateFault
from fairlead.render.functions import FILTERS, PURE, SEQUENCE_ITEMS_MAX
from fairlead.render.view import KVPair

PAIRS = [KVPair("/long", "1"), KVPair("/a", "2"), KVPair("/b", "3")]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", (1, 2), 3),
        ("sub", (1, 2), -1),
        ("mul", (3, 2), 6),
        ("div", (7, 2), 3),
        ("div", (-7, 2), -3),
        ("div", (7, -2), -3),
        ("mod", (-7, 2), -1),
        ("mod", (7, -2), 1),
        ("mod", (-7, -2), -1),
        ("add", (2**63 - 1, 1), -(2**63)),
        ("sub", (-(2**63), 1), 2**63 - 1),
        ("mul", (2**62, 4), 0),
        ("div", (-(2**63), -1), -(2**63)),
        ("atoi", ("-9223372036854775808",), -(2**63)),
        ("seq", (3, 5), [3, 4, 5]),
        ("seq", (5, 3), []),
        ("atoi", ("-42",), -42),
        ("atoi", ("+7",), 7),
        ("base", ("/a/b",), "b"),
        ("dir", ("/a/b",), "/a"),
        ("split", ("a,b,,c", ","), ["a", "b", "", "c"]),
        ("split", ("", ","), [""]),
        ("split", ("abc", ""), ["a", "b", "c"]),
        ("join", (["a", "b"], "-"), "a-b"),
        ("toUpper", ("aé",), "AÉ"),
        ("toUpper", ("straße",), "STRAßE"),
        ("toLower", ("AÉ",), "aé"),
        ("toLower", ("ΟΔΟΣ",), "οδοσ"),
        ("contains", ("abc", "b"), True),
        ("contains", ("abc", "x"), False),
        ("replace", ("aaa", "a", "b", 2), "bba"),
        ("replace", ("aaa", "a", "b", -1), "bbb"),
        ("trimSuffix", ("a.conf", ".conf"), "a"),
        ("trimSuffix", ("a.conf", ".txt"), "a.conf"),
        ("map", ("a", 1, "b", 2), {"a": 1, "b": 2}),
        ("json", ('{"port": 1000000, "up": true}',), {"port": 1000000, "up": True}),
        ("jsonArray", ('["a", 1]',), ["a", 1]),
        ("base64Encode", ("hello\udcff",), "aGVsbG//"),
        ("base64Decode", ("aGVs\nbG//",), "hello\udcff"),
        ("parseBool", ("T",), True),
        ("parseBool", ("False",), False),
        ("reverse", (["a", "b"],), ["b", "a"]),
        ("reverse", (PAIRS,), PAIRS[::-1]),
        ("sortByLength", (["ccc", "a", "bb"],), ["a", "bb", "ccc"]),
        ("sortByLength", (["é", "b"],), ["b", "é"]),
        ("sortKVByLength", (PAIRS,), [PAIRS[1], PAIRS[2], PAIRS[0]]),
        ("plain", ("10.0.0.1:80",), "10.0.0.1:80"),
        ("plain", (8080,), "8080"),
    ],
)
def test_it_gives_what_confd_gives(name: str, arguments: tuple[Any, ...], expected: object) -> None:
    assert expected == PURE[name](*arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("add", ("1", 2), "add takes whole numbers, not '1'; use atoi"),
        ("add", (True, 2), "not True"),
        ("div", (1, 0), "div by zero"),
        ("mod", (1, 0), "mod by zero"),
        ("atoi", ("9223372036854775808",), "not a whole number of 64 bits"),
        ("atoi", ("9" * 5000,), "not a whole number of 64 bits"),
        ("seq", (1, SEQUENCE_ITEMS_MAX + 1), "seq of more than"),
        ("atoi", (" 42",), "not a whole number: ' 42'"),
        ("atoi", ("4_2",), "not a whole number"),
        ("atoi", ("٤",), "not a whole number"),
        ("atoi", (42,), "not a whole number"),
        ("join", ("abc", ","), "join takes a list, not the text 'abc'"),
        ("map", ("a",), "map takes pairs"),
        ("map", (1, 2), "texts as keys"),
        ("json", ("[1]",), "use jsonArray"),
        ("json", ("{",), "not JSON"),
        ("json", ('{"a": NaN}',), "NaN is not JSON"),
        ("json", ("[" * 100_000,), "not JSON"),
        ("jsonArray", ("{}",), "use json"),
        ("base64Decode", ("a*Vs",), "not base64"),
        ("base64Decode", ("aGVsbG8",), "not base64"),
        ("parseBool", ("yes",), "not true or false: 'yes'"),
        ("plain", ("a; include /etc/passwd",), "not one plain word"),
        ("plain", ("a\n",), "not one plain word"),
        ("plain", ("",), "not one plain word"),
    ],
)
def test_a_wrong_argument_is_an_error_that_says_so(
    name: str, arguments: tuple[Any, ...], complaint: str
) -> None:
    with pytest.raises(TemplateFault) as caught:
        PURE[name](*arguments)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 300


def test_lists_are_not_changed_in_place() -> None:
    """Two templates of one pass may hold the same list."""
    values = ["ccc", "a"]
    PURE["sortByLength"](values)
    PURE["reverse"](values)
    assert values == ["ccc", "a"]


def test_no_filter_hides_one_of_jinja() -> None:
    assert FILTERS & JINJA_FILTERS.keys() == set()
    assert PURE.keys() >= FILTERS
