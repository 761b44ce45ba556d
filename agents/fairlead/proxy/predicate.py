"""Conditions over numbers and texts, as vulcand writes them: ``NetworkErrorRatio() > 0.5 && !IsQuiet()``.

The form is that of ``grammar``.  What the functions mean is the caller's: a circuit breaker looks at statistics, a
failover predicate at one attempt.  Everything is checked when it is read; what comes back is a plain function.
Source: vulcand/predicate.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.grammar import Called, Compared, Joined, Literal, Negated, Node, Vocabulary, parse

Getter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """One name of the language.

    Attributes:
        returns: bool, float or str.
        arguments: the kinds of its literal arguments, float or str.
        make: takes the arguments and returns what reads the value off the caller's object.
    """

    returns: type
    make: Callable[..., Getter]
    arguments: tuple[type, ...] = ()


class _Value(NamedTuple):
    kind: type
    get: Getter


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KIND_NAMES = {bool: "a condition", float: "a number", str: "a string"}


def parse_predicate(text: str, functions: Mapping[str, Function]) -> Callable[[Any], bool]:
    """Return the condition that ``text`` describes, over the object that ``functions`` read.

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    vocabulary = Vocabulary(
        what="condition",
        names={name: name for name in sorted(functions)},
        example=f"a value or a function such as {min(functions)}()",
        literal="a value",
        has_literals=True,
    )
    return _condition(parse(text, vocabulary), functions)


def _condition(node: Node, functions: Mapping[str, Function]) -> Getter:
    value = _value(node, functions)
    if value.kind is not bool:
        raise _problem(f"{_KIND_NAMES[value.kind]} alone is no condition; compare it", node)
    return value.get


def _value(node: Node, functions: Mapping[str, Function]) -> _Value:
    match node:
        case Negated(term):
            inner = _condition(term, functions)
            return _Value(bool, lambda subject: not inner(subject))
        case Joined(sign, terms):
            join = all if sign == "&&" else any
            conditions = tuple(_condition(term, functions) for term in terms)
            return _Value(bool, lambda subject: join(each(subject) for each in conditions))
        case Compared():
            return _compared(node, _value(node.left, functions), _value(node.right, functions))
        case Called(name, arguments):
            function = functions[name]
            if tuple(map(type, arguments)) != function.arguments:
                wanted = ", ".join(_KIND_NAMES[kind] for kind in function.arguments) or "nothing"
                raise _problem(f"{name} takes {wanted}", node)
            return _Value(function.returns, function.make(*arguments))
        case Literal(value):
            return _Value(type(value), lambda _: value)


def _compared(node: Compared, left: _Value, right: _Value) -> _Value:
    if left.kind is not right.kind or left.kind is bool:
        said = f"{_KIND_NAMES[left.kind]} {node.sign} {_KIND_NAMES[right.kind]} cannot be compared"
        raise _problem(said, node)
    compare, get, other = _COMPARISONS[node.sign], left.get, right.get
    return _Value(bool, lambda subject: compare(get(subject), other(subject)))


def _problem(text: str, node: Node) -> ExpressionError:
    return ExpressionError(text, position=node.position, what="condition")
