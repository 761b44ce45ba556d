"""The route language: what is read, and what the operator is told where it cannot be."""

import pytest

from fairlead.proxy.errors import ExpressionError, KeyProblem
from fairlead.proxy.expression import Both, Call, Either, Expression, Not, parse_expression
from fairlead.proxy.match import compile_expression
from fairlead.proxy.pattern import compile_pattern, compile_regexp, literal_prefix


def test_both_binds_closer_than_either_and_parentheses_closer_still() -> None:
    a, b, c = (Call("Path", (f"/{name}",), 0) for name in "abc")

    def bare(node: Expression) -> Expression:
        if isinstance(node, Call):
            return Call(node.name, node.arguments, 0)
        if isinstance(node, Not):
            return Not(bare(node.term))
        return type(node)(tuple(bare(term) for term in node.terms))

    def read(text: str) -> Expression:
        return bare(parse_expression(text))

    assert read('Path("/a") && Path("/b") || Path("/c")') == Either((Both((a, b)), c))
    assert read('Path("/a") && (Path("/b") || Path("/c"))') == Both((a, Either((b, c))))
    assert read('((Path("/a")))') == a
    assert read('!Path("/a") && !(Path("/b") || Path("/c"))') == Both((Not(a), Not(Either((b, c)))))


def test_strings_are_go_strings() -> None:
    assert parse_expression(r'Path("/\"\\\x41\u00e9\t")') == Call("Path", ('/"\\A\u00e9\t',), 0)
    assert parse_expression(r"PathRegexp(`^/\d+$`)") == Call("PathRegexp", (r"^/\d+$",), 0)
    assert parse_expression('  Header( "A" ,`b` ) ') == Call("Header", ("A", "b"), 2)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "expected a matcher such as Host(...), found the end"),
        ("bad", 0, "'bad' is not one of Host"),
        ("bad expression", 0, "'bad' is not one of Host"),
        ("1 && 2", 0, "'1' has no meaning here"),
        ('"standalone"', 0, "expected a matcher such as Host(...)"),
        ('Unknown("hi")', 0, "'Unknown' is not one of Host"),
        ("Path(1)", 5, "'1' has no meaning here"),
        ("Path()", 5, "expected a string, found ')'"),
        ('Path(Path("x"))', 5, "expected a string, found 'Path'"),
        ('Path("/a"', 9, "expected ), found the end"),
        ('Path("/a)', 5, "the string does not end"),
        ('Path("/a", "/b")', 0, "Path takes 1 strings, not 2"),
        ('Header("A")', 0, "Header takes 2 strings, not 1"),
        ('Path("/a") & Path("/b")', 11, "use &&, not &"),
        ('Path("/a") | Path("/b")', 11, "use ||, not |"),
        ('Path("/a") Path("/b")', 11, "expected &&, || or the end"),
        ('! && Path("/a")', 2, "expected a matcher"),
        ('Query("a", "b", "c")', 0, "Query takes 1 or 2 strings, not 3"),
        ("!" * 40 + 'Path("/")', 33, "too many"),
        ('(Path("/a")', 11, "expected ), found the end"),
        ('Path("/a") &&', 13, "expected a matcher"),
        (r'PathRegexp("^/\d+$")', 11, r"the escape \d, which is none"),
        ("(" * 40 + 'Path("/")' + ")" * 40, 33, "too many parentheses and negations"),
        ('Path("' + "x" * 5000 + '")', 4096, "longer than 4096 characters"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, position: int, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert said in str(caught.value)
    assert f"character {position + 1}:" in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "text", ['Path("")', 'PathRegexp("[[[[")', 'Path("/<uint8:hi>")', 'Path("/<string:a:b>")']
)
def test_patterns_are_checked_when_the_route_is_read(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(parse_expression(text))


def test_an_expression_may_not_stand_for_too_many_alternatives() -> None:
    pairs = " && ".join(f'(Path("/{n}") || Path("/x{n}"))' for n in range(7))
    with pytest.raises(ExpressionError, match="more than 64 alternatives"):
        compile_expression(parse_expression(pairs))


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("/a/<x>", b"/a/b", True),
        ("/a/<x>", b"/a/", True),
        ("/a/<x>", b"/a/b/c", False),
        ("/a/<string:x>/c", b"/a/b/c", True),
        ("/v<int:v>/<x>", b"/v42/y", True),
        ("/v<int:v>/<x>", b"/v42abc/y", False),
        ("/<int:v>", b"/12", True),
        ("/f/<path:p>", b"/f/a/b%2Fc", True),
        ("/<a>x", b"/abcx", False),  # a placeholder takes all it can and gives nothing back
        ("/v1/<hello", b"/v1/<hello", True),  # looks like a placeholder and is none
        ("/a.b", b"/aXb", False),
    ],
)
def test_patterns_match_as_the_trie_of_vulcand_does(pattern: str, value: bytes, *, matches: bool) -> None:
    assert bool(compile_pattern(pattern, separator="/").fullmatch(value)) is matches


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+", "(a*)*b", "(a|a)*", "(a|b|ab)+c", "(a?){50}", "((a+)x)*", "(?=a)", "(?<!a)b", r"(a)\1", "a**",
        "a*b*c*d*e*", "a?" * 20, "[[:alpha:]]", "x" * 600, "(", "(?P=a)", "(?i:a)", r"(?P<a>x+)+",
    ],
)  # fmt: skip
def test_regular_expressions_that_could_take_for_ever_are_refused(text: str) -> None:
    with pytest.raises(KeyProblem):
        compile_regexp(text)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (r"^/api/v1\.0/.*", "/api/v1.0/"),
        ("^/ab*c", "/a"),
        ("^/ab{0,1}", "/a"),
        ("^/a(b)", "/a"),
        (r"^/a\d", "/a"),
        ("^/a[bc]", "/a"),
        ("^/a$", "/a"),
        ("/a", ""),
        ("^/a|/b", ""),
        ("^(/a|/b)", ""),
        ("(?i)^/a", ""),
    ],
)
def test_what_a_regular_expression_begins_with_is_known(text: str, prefix: str) -> None:
    assert literal_prefix(text) == prefix


@pytest.mark.parametrize(
    "text",
    [r"^/api/v\d+/.*", "[^\\.]+\\.localhost", "POST|PUT", "(?:ab)+c", "(foo|bar)?x", "(?i)ABC", "[*+(]+"],
)
def test_ordinary_regular_expressions_are_not(text: str) -> None:
    assert compile_regexp(text).pattern
