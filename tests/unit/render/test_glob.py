"""Go's path.Match: the table of its documentation's rules, and a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.errors import TemplateFault
from fairlead.render.glob import compile_glob, literal_prefix


def matches(pattern: str, name: str) -> bool:
    return compile_glob(pattern).fullmatch(name) is not None


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "abc", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-\u03b6]*", "\u03b1", True),
        ("*[a-\u03b6]", "A", False),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("a[/]b", "a/b", True),
        (r"[\]a]", "]", True),
        (r"[\-]", "-", True),
        (r"[x\-]", "-", True),
        (r"[\-x]", "a", False),
        ("*x", "xxx", True),
        ("**", "abc", True),
        ("[b-a]", "a", False),
        ("[^b-a]", "a", True),
        ("/app/*", "/app/", True),
        ("/app/*", "/app/a\nb", True),
        ("a.c", "abc", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_pattern_matches_whole_names_as_in_go(pattern: str, name: str, *, expected: bool) -> None:
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    "pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", r"[\\", "[]", "[a-"]
)
def test_a_malformed_pattern_is_an_error_whatever_the_name(pattern: str) -> None:
    with pytest.raises(TemplateFault, match="malformed pattern"):
        compile_glob(pattern)


def test_go_does_not_go_back_to_an_earlier_star() -> None:
    """The one case in which the first fit is not the only one: a class that holds the slash."""
    assert not matches("*[a/]*b", "a/b")


def test_a_hostile_pattern_costs_no_more_than_pattern_times_name() -> None:
    """With backtracking this would outlast the test run."""
    assert not matches("*a" * 40 + "b", "a" * 2000)


def test_what_stands_before_the_first_wildcard_bounds_the_search() -> None:
    assert literal_prefix("/app/*/port") == "/app/"
    assert literal_prefix("/app/[ab]") == "/app/"
    assert literal_prefix("/app") == "/app"
    assert literal_prefix(r"/a\*") == "/a"


def model(pattern: str, name: str) -> bool:
    """The definition itself, for patterns of letters, stars and question marks."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return model(pattern[1:], name) or (name[:1] not in {"", "/"} and model(pattern, name[1:]))
    if not name:
        return False
    fits = name[0] != "/" if pattern[0] == "?" else name[0] == pattern[0]
    return fits and model(pattern[1:], name[1:])


@given(st.text("ab/*?", max_size=8), st.text("ab/", max_size=8))
def test_it_agrees_with_the_definition(pattern: str, name: str) -> None:
    assert matches(pattern, name) is model(pattern, name)
