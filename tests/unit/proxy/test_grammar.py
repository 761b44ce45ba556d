"""One grammar, two vocabularies: what routes and conditions have in common, and what each has alone."""

from collections.abc import Callable

import pytest

from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.expression import parse_expression, parse_rule
from fairlead.proxy.failover import Failed, parse_failover
from fairlead.proxy.grammar import Called, Joined, Literal, Negated, Vocabulary, parse

WORDS = Vocabulary(
    what="text", names={"f": "F", "g": "G"}, example="a word", literal="a value", has_literals=True
)


def test_not_binds_closer_than_both_and_both_closer_than_either() -> None:
    f, g = Called("F", (), 1), Called("G", (), 8)
    assert parse("!f() && g() || f(1, `x`)", WORDS) == Joined(
        "||", (Joined("&&", (Negated(f, 0), g), 0), Called("F", (1.0, "x"), 15)), 0
    )


def test_numbers_may_have_a_sign_and_a_fraction() -> None:
    assert [parse(text, WORDS) for text in ("-1", "2.50")] == [Literal(-1.0, 0), Literal(2.5, 0)]


@pytest.mark.parametrize("read", [parse_expression, parse_rule, parse_failover])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}(`a`,)", "expected"),
        ("{}(`a` `b`)", "expected"),
        ("{}(`a`))", "expected &&, || or the end"),
        ("({}(`a`)", "expected )"),
        ("{}(`a", "the string does not end"),
        ('{}("\\d")', "write `...` around regular expressions"),
        ("{}(`a`) & {}(`a`)", "use &&, not &"),
        ("{}(`a`) ; {}(`a`)", "';' has no meaning here"),
        ("!", "found the end"),
        ("No(`a`)", "'No' is not one of"),
    ],
)
def test_what_is_wrong_with_one_is_wrong_with_the_other(
    read: Callable[[str], object], text: str, said: str
) -> None:
    is_condition = read not in {parse_expression, parse_rule}
    name = "RequestMethod" if is_condition else "Path"
    with pytest.raises(ExpressionError) as caught:
        read(text.replace("{}", name))
    assert said in str(caught.value)
    what = "condition" if is_condition else "route"
    assert str(caught.value).startswith(f"{what}, character {caught.value.position + 1}: ")


@pytest.mark.parametrize(
    "text", ["Path(`/a`) == Path(`/a`)", "Path(`/a`) != `x`", "Path(`/a`) > 1", "Path(2)", "-1"]
)
def test_routes_know_no_numbers_and_no_comparisons(text: str) -> None:
    with pytest.raises(ExpressionError, match="has no meaning here"):
        parse_expression(text)


def test_strings_of_conditions_are_gos_too() -> None:
    holds = parse_failover(r'RequestMethod() == "\x47\u0045T"')
    assert holds(Failed(502, 1, "GET"))
