"""JSON as Go has it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.errors import TemplateFault
from fairlead.render.golang.jsonio import read_json, write_json
from fairlead.render.view import KVPair


def test_numbers_are_read_as_floats() -> None:
    value = read_json('{"a": 1, "b": [2, true, null]}')
    assert value == {"a": 1.0, "b": [2.0, True, None]}
    assert isinstance(value["a"], float)


@pytest.mark.parametrize("text", ["", "{", "NaN", "1e999", "01", "'a'", "[" * 100_000])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(TemplateFault, match="not JSON"):
        read_json(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": None}, '{"a":null,"b":1}'),
        ('<a&b>\u2028\n\x01"\\', '"\\u003ca\\u0026b\\u003e\\u2028\\n\\u0001\\"\\\\"'),
        ([1.0, 0.00001, 1e-7, 1e21, 123456789.0, -0.5, True], "[1,0.00001,1e-7,1e+21,123456789,-0.5,true]"),
        ([KVPair("/a", "1")], '[{"Key":"/a","Value":"1"}]'),
        ("é\udcff", '"é\ufffd"'),
        ({}, "{}"),
    ],
)
def test_it_is_written_as_encoding_json_writes_it(value: object, expected: str) -> None:
    assert write_json(value) == expected


def test_an_indent_gives_a_line_to_each_member() -> None:
    assert (
        write_json({"a": [1, {}], "b": []}, indent="  ") == '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}'
    )


def test_what_json_has_no_word_for_is_an_error() -> None:
    for value in (float("inf"), object()):
        with pytest.raises(TemplateFault):
            write_json(value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(values)
def test_what_is_written_is_json_and_can_be_read_back(value: object) -> None:
    for indent in ("", "  "):
        assert json.loads(write_json(value, indent=indent), parse_int=float) == value
        assert read_json(write_json(value, indent=indent)) == value
