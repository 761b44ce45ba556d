"""What a filter wrote, the language's own reader reads back: nothing can be smuggled in."""

import json
import shlex
import tomllib
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render import quoting
from fairlead.render.errors import TemplateFault

HOSTILE = [
    "",
    "it's",
    'a"b',
    "a\\",
    "\\",
    "a b",
    "x; rm -rf /",
    "a\nb: c",
    "no",
    "1",
    "#",
    "'''",
    "é€😀",
    "$(id)",
    "`id`",
    "}\n[x]",
]
texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_shell_reads_one_word(value: str) -> None:
    assert shlex.split(f"echo {quoting.shell(value)} x") == ["echo", value, "x"]


@given(texts.filter(lambda text: "\0" not in text))
def test_any_text_is_one_word_of_a_shell(value: str) -> None:
    assert shlex.split(f"echo {quoting.shell(value)} x") == ["echo", value, "x"]


@given(values)
def test_any_value_is_one_toml_value(value: object) -> None:
    assert tomllib.loads(f"key = {quoting.toml(value)}\nnext = 1") == {"key": value, "next": 1}


@given(values)
def test_any_value_is_one_yaml_value(value: object) -> None:
    assert yaml.safe_load(f"key: {quoting.yaml(value)}\nnext: 1") == {"key": value, "next": 1}


def test_special_numbers_are_written_as_each_language_has_them() -> None:
    infinity = float("inf")
    assert [quoting.toml(value) for value in (infinity, -infinity, float("nan"))] == ["inf", "-inf", "nan"]
    assert [quoting.yaml(value) for value in (infinity, -infinity, float("nan"), None)] == [
        ".inf",
        "-.inf",
        ".nan",
        "null",
    ]


@pytest.mark.parametrize("write", [quoting.nginx, quoting.ini])
def test_quotes_hold_whatever_is_inside(write: Callable[[object], str]) -> None:
    assert write('a "b" \\ ; } #') == '"a \\"b\\" \\\\ ; } #"'
    assert write(True) == '"true"'
    assert json.loads(write('x\\"y')) == 'x\\"y'


def test_postgres_reads_one_value() -> None:
    assert quoting.postgres("it's 1\\2\nfsync = off\t") == r"'it''s 1\\2\nfsync = off\t'"


@pytest.mark.parametrize(
    ("write", "value", "complaint"),
    [
        (quoting.shell, "a\0", "cannot write a NUL"),
        (quoting.postgres, "a\0", "cannot write a NUL"),
        (quoting.nginx, "$host", "cannot write a dollar"),
        (quoting.ini, "a\nb", "cannot write a line end"),
        (quoting.ini, "a\rb", "cannot write a carriage return"),
        (quoting.shell, ["a"], "takes a text or a number, not list"),
        (quoting.toml, "\udcff", "use base64Encode"),
        (quoting.yaml, "\udcff", "use base64Encode"),
        (quoting.toml, None, "no word for None"),
        (quoting.yaml, object(), "no word for"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    write: Callable[[object], str], value: object, complaint: str
) -> None:
    with pytest.raises(TemplateFault, match=complaint):
        write(value)
