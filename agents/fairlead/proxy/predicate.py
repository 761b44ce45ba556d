"""Conditions over numbers and texts, as vulcand writes them: ``NetworkErrorRatio() > 0.5 && !IsQuiet()``.

    either   = both { "||" both }
    both     = negated { "&&" negated }
    negated  = "!" negated | compared
    compared = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand ]
    operand  = "(" either ")" | name "(" [ literal { "," literal } ] ")" | literal

What the functions mean is the caller's: a circuit breaker looks at statistics, a failover predicate at one
attempt.  Everything is checked when it is read; what comes back is a plain function.  Source: vulcand/predicate.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.proxy.config import EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX
from fairlead.proxy.errors import KeyProblem

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


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Value(NamedTuple):
    kind: type
    get: Getter
    literal: Any = None


_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_]\w*)
           |(?P<number>-?\d+(?:\.\d+)?)
           |(?P<string>"(?:[^"\\\n]|\\["\\])*"|`[^`]*`)
           |(?P<sign>&&|\|\||[=!<>]=|[<>!(),])
           |(?P<end>\Z))""",
    re.VERBOSE,
)
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
        KeyProblem: it cannot be read; says where, and what was expected there.
    """
    if len(text) > EXPRESSION_CHARS_MAX:
        raise KeyProblem(f"a condition may have {EXPRESSION_CHARS_MAX} characters, not {len(text)}")
    return _Parser(_tokens(text), functions).parse()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        token = _TOKEN.match(text, position)
        if token is None:
            raise KeyProblem(
                f"condition, character {position + 1}: {text[position:].strip()[:20]!r} has no meaning"
            )
        kind = token.lastgroup or "end"
        found.append(_Token(kind, token[kind], token.start(kind)))
        position = token.end()
    return found


class _Parser:
    """Recursive descent; one method per rule of the grammar."""

    def __init__(self, tokens: list[_Token], functions: Mapping[str, Function]) -> None:
        self._tokens = tokens
        self._functions = functions
        self._next = 0
        self._depth = 0

    def parse(self) -> Getter:
        found = self._condition(self._either())
        if self._peek().kind != "end":
            raise self._unexpected("&&, || or the end")
        return found

    def _either(self) -> _Value:
        return self._joined("||", self._both, any)

    def _both(self) -> _Value:
        return self._joined("&&", self._negated, all)

    def _joined(self, sign: str, rule: Callable[[], _Value], join: Callable[[Any], bool]) -> _Value:
        first = rule()
        terms = [first]
        while self._accept(sign):
            terms.append(rule())
        if len(terms) == 1:
            return first
        conditions = tuple(self._condition(term) for term in terms)
        return _Value(bool, lambda subject: join(each(subject) for each in conditions))

    def _negated(self) -> _Value:
        if not self._accept("!"):
            return self._compared()
        self._enter()
        inner = self._condition(self._negated())
        self._depth -= 1
        return _Value(bool, lambda subject: not inner(subject))

    def _compared(self) -> _Value:
        left = self._operand()
        sign = self._peek().text
        if self._peek().kind != "sign" or sign not in _COMPARISONS:
            return left
        self._next += 1
        right = self._operand()
        if left.kind is not right.kind or left.kind is bool:
            raise self._problem(
                f"{_KIND_NAMES[left.kind]} {sign} {_KIND_NAMES[right.kind]} cannot be compared"
            )
        compare, get, other = _COMPARISONS[sign], left.get, right.get
        return _Value(bool, lambda subject: compare(get(subject), other(subject)))

    def _operand(self) -> _Value:
        if self._accept("("):
            self._enter()
            inside = self._either()
            self._depth -= 1
            self._expect(")")
            return inside
        token = self._peek()
        return self._call(token) if token.kind == "name" else self._literal()

    def _call(self, name: _Token) -> _Value:
        function = self._functions.get(name.text)
        if function is None:
            raise self._problem(f"{name.text!r} is not one of {', '.join(sorted(self._functions))}")
        self._next += 1
        self._expect("(")
        arguments: list[_Value] = []
        while not self._accept(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._literal())
        if tuple(each.kind for each in arguments) != function.arguments:
            wanted = ", ".join(_KIND_NAMES[kind] for kind in function.arguments) or "nothing"
            raise self._problem(f"{name.text} takes {wanted}")
        return _Value(function.returns, function.make(*(each.literal for each in arguments)))

    def _literal(self) -> _Value:
        token = self._peek()
        value: float | str
        if token.kind == "number":
            value = float(token.text)
        elif token.kind == "string":
            plain = token.text[1:-1]
            value = plain if token.text[0] == "`" else re.sub(r"\\(.)", r"\1", plain)
        else:
            raise self._unexpected(
                "a value or a function such as " + next(iter(sorted(self._functions))) + "()"
            )
        self._next += 1
        return _Value(type(value), lambda _: value, value)

    def _condition(self, value: _Value) -> Getter:
        if value.kind is not bool:
            raise self._problem(f"{_KIND_NAMES[value.kind]} alone is no condition; compare it")
        return value.get

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            raise self._problem("too many parentheses inside each other")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, sign: str) -> bool:
        token = self._peek()
        if token.kind != "sign" or token.text != sign:
            return False
        self._next += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise self._unexpected(sign)

    def _unexpected(self, wanted: str) -> KeyProblem:
        return self._problem(f"expected {wanted}, found {self._peek().text or 'the end'!r}")

    def _problem(self, text: str) -> KeyProblem:
        return KeyProblem(f"condition, character {self._peek().position + 1}: {text}")
