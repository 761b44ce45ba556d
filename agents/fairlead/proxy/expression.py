r"""The route language: vulcand's expressions with ``||``, ``!`` and parentheses beside them, and Traefik's rules.

    expression = both { "||" both }
    both       = term { "&&" term }
    term       = "!" term | "(" expression ")" | name "(" string { "," string } ")"
    string     = Go's: "with \ escapes" or `as it stands`

What an expression means is decided in ``match``; here it is only read.  vulcand accepts ``&&`` alone, so
each of its expressions reads the same here.  Traefik's rules have the same form; names match whatever their
case, and what stands in a string is no pattern.  Sources: vulcand/route; traefik, pkg/rules; the Go
specification on string literals.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from fairlead.proxy.config import EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX
from fairlead.proxy.errors import ExpressionError

ARITY = {
    "Host": (1, 1),
    "HostRegexp": (1, 1),
    "Path": (1, 1),
    "PathPrefix": (1, 1),
    "PathRegexp": (1, 1),
    "Method": (1, 1),
    "MethodRegexp": (1, 1),
    "Header": (2, 2),
    "HeaderRegexp": (2, 2),
    "Query": (1, 2),
    "QueryRegexp": (1, 2),
    "ClientIP": (1, 1),
}
"""The matchers, and the least and the most strings that each takes."""
_RULE_NAMES = {name.lower(): name for name in ARITY if name != "MethodRegexp"}


@dataclass(frozen=True, slots=True)
class Call:
    """One matcher with its arguments.

    Attributes:
        position: where it stands in the text.
        is_plain: it is Traefik's: what is in its strings has no placeholders.
    """

    name: str
    arguments: tuple[str, ...]
    position: int
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    term: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """All of the terms."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the terms."""

    terms: tuple["Expression", ...]


Expression = Call | Not | Both | Either


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)
           |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
           |(?P<sign>&&|\|\||[(),!])
           |(?P<end>$))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r"}


def parse_expression(text: str) -> Expression:
    """Read a route expression: vulcand's, and what goes beyond it.

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    return _Parser(_tokens(text), is_rule=False).parse()


def parse_rule(text: str) -> Expression:
    """Read a rule of Traefik's (version 3).

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    return _Parser(_tokens(text), is_rule=True).parse()


def _tokens(text: str) -> list[_Token]:
    if len(text) > EXPRESSION_CHARS_MAX:
        raise ExpressionError(f"longer than {EXPRESSION_CHARS_MAX} characters", position=EXPRESSION_CHARS_MAX)
    found: list[_Token] = []
    position = 0
    while True:
        token = _TOKEN.match(text, position)
        if token is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError(_explain(text[start:]), position=start)
        kind = token.lastgroup or "end"
        found.append(_Token(kind, token[kind], token.start(kind)))
        if kind == "end":
            return found
        position = token.end()


def _explain(rest: str) -> str:
    if rest[0] in '"`':
        return "the string does not end"
    if rest[0] in "&|":
        return f"use {rest[0] * 2}, not {rest[0]}"
    return f"{rest[0]!r} has no meaning here"


class _Parser:
    """Recursive descent over the tokens; one method per rule of the grammar."""

    def __init__(self, tokens: list[_Token], *, is_rule: bool) -> None:
        self._tokens = tokens
        self._is_rule = is_rule
        self._next = 0
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._either()
        if self._peek().kind != "end":
            raise self._unexpected("&&, || or the end")
        return expression

    def _either(self) -> Expression:
        terms = [self._both()]
        while self._accept("||"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else Either(tuple(terms))

    def _both(self) -> Expression:
        terms = [self._term()]
        while self._accept("&&"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Both(tuple(terms))

    def _term(self) -> Expression:
        is_not = self._accept("!")
        if not is_not and not self._accept("("):
            return self._call()
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            said = "too many parentheses and negations inside each other"
            raise ExpressionError(said, position=self._peek().position)
        inside = Not(self._term()) if is_not else self._either()
        self._depth -= 1
        if not is_not:
            self._expect(")")
        return inside

    def _call(self) -> Call:
        name = self._peek()
        if name.kind != "name":
            raise self._unexpected("a matcher such as Host(...)")
        known = _RULE_NAMES.get(name.text.lower(), "") if self._is_rule else name.text
        if known not in ARITY:
            raise ExpressionError(f"{name.text!r} is not one of {', '.join(ARITY)}", position=name.position)
        self._next += 1
        self._expect("(")
        arguments = [self._string()]
        while self._accept(","):
            arguments.append(self._string())
        self._expect(")")
        least, most = ARITY[known]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} or {most}"
            said = f"{known} takes {wanted} strings, not {len(arguments)}"
            raise ExpressionError(said, position=name.position)
        return Call(known, tuple(arguments), name.position, self._is_rule)

    def _string(self) -> str:
        token = self._peek()
        if token.kind != "string":
            raise self._unexpected("a string")
        self._next += 1
        if token.text[0] == "`":
            return token.text[1:-1]
        return _ESCAPE.sub(lambda found: _unescape(found[1], token.position), token.text[1:-1])

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

    def _unexpected(self, wanted: str) -> ExpressionError:
        token = self._peek()
        found = repr(token.text) if token.text else "the end"
        return ExpressionError(f"expected {wanted}, found {found}", position=token.position)


def _unescape(escape: str, position: int) -> str:
    if escape in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[escape]
    if len(escape) > 1:
        return chr(int(escape[1:], 16))
    raise ExpressionError(
        f"the string has the escape \\{escape}, which is none; write `...` around regular expressions",
        position=position,
    )
