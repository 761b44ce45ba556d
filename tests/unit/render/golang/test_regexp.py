"""RE2 patterns on Python's engine."""

import pytest

from fairlead.render.errors import TemplateFault
from fairlead.render.golang import compile_regexp, expand


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a+", "baac", "aa"), ("a$", "a\n", None), (r"a\z", "ba", "a"), (r"\d+", "\u06612", "2"), (r"\w+", "éa", "a"),
        ("[[:alpha:]_]+", "1a_2", "a_"), ("[^]a]+", "]ab", "b"), ("[]a]+", "b]a", "]a"), (r"\Qa.b\E+", "axb a.bb", "a.bb"),
        ("(?i)AB", "xab", "ab"), ("(?:a|ab)(c)?", "abc", "a"), ("(?P<x>a)(?<y>b)", "ab", "ab"), ("a[$]b", "a$b", "a$b"),
        ("[[]", "[", "["), ("", "x", ""), ("x*", "aaa", ""), (r"\s", "\v", None), (r"[\s]", "\t", "\t"),
    ],
)  # fmt: skip
def test_a_pattern_finds_what_go_finds(pattern: str, text: str, found: str | None) -> None:
    match = compile_regexp(pattern).search(text)
    assert (match and match[0]) == found


@pytest.mark.parametrize(
    "pattern", ["[a", "(?=a)", "(?<!a)b", r"(a)\1", r"\pL", "*", "(?U)a", "a(?i)b", "[[:nope:]]", "(?m)a$"]
)
def test_what_re2_or_python_lacks_is_an_error(pattern: str) -> None:
    with pytest.raises(TemplateFault, match="malformed pattern"):
        compile_regexp(pattern)


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("<$1>", "<a>"),
        ("${1}x", "ax"),
        ("$1x", ""),
        ("$name", "b"),
        ("$9", ""),
        ("$$", "$"),
        (r"\1", r"\1"),
        ("$", "$"),
    ],
)
def test_a_replacement_expands_groups_as_in_go(replacement: str, expected: str) -> None:
    match = compile_regexp("(a)(?P<name>b)").search("ab")
    assert match is not None
    assert expand(replacement, match) == expected
