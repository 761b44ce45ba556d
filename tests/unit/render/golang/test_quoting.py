"""Quoted texts, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.golang.quoting import quoted, quoted_rune, unquoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '""'), ("a b", '"a b"'), ('say "hi"', '"say \\"hi\\""'), ("a\\b", '"a\\\\b"'), ("\n\t\x00\x7f", '"\\n\\t\\x00\\x7f"'),
        ("é€", '"é€"'), ("\u200b", '"\\u200b"'), ("\U000e0001", '"\\U000e0001"'), ("\udcff", '"\\xff"'), ("it's", '"it\'s"'),
    ],
)  # fmt: skip
def test_a_text_is_quoted_as_go_source(text: str, expected: str) -> None:
    assert quoted(text) == expected


def test_ascii_alone_where_asked_and_characters_between_apostrophes() -> None:
    assert quoted("é😀", is_ascii=True) == '"\\u00e9\\U0001f600"'
    assert [quoted_rune(code) for code in (97, 39, 10, -1)] == ["'a'", "'\\''", "'\\n'", "'\ufffd'"]


@given(st.text())
def test_what_is_quoted_can_be_read_back(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert unquoted(quoted(text)[1:-1]) == text
    assert unquoted(quoted(text, is_ascii=True)[1:-1]) == text


def test_escapes_of_go_are_read() -> None:
    assert unquoted(r"\x41\101\u00e9\U0001F600\xc3\xa9\'\a") == "AAé😀é'\a"
    with pytest.raises(ValueError, match="unknown escape"):
        unquoted(r"\q")
