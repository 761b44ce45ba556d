r"""The one grammar of the texts in keys that are conditions: routes, Traefik's rules, failover predicates, breakers.

    either   = both { "||" both }
    both     = negated { "&&" negated }
    negated  = "!" negated | compared
    compared = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand ]
    operand  = "(" either ")" | name "(" [ literal { "," literal } ] ")" | literal
    literal  = number | string
    string   = Go's: "with \ escapes" or `as it stands`

A ``Vocabulary`` says which names there are; one without literals knows no numbers and no comparisons.  What the tree
means is decided by who asked for it: ``expression`` and ``predicate``.  Sources: vulcand/predicate; the Go
specification on string literals.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fairlead.proxy.config import EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX
from fairlead.proxy.errors import ExpressionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What may be said.

    Attributes:
        what: the text is called in errors.
        names: what may be called, by the word for it.
        example: a term, for errors; literal: what an argument is called there.
        arguments_min: the fewest that any name takes.
        has_literals: numbers and strings may stand alone and be compared.
        folds_case: words match whatever their case; those of ``names`` are lower-case.
    """

    what: str
    names: Mapping[str, str]
    example: str
    literal: str
    arguments_min: int = 0
    has_literals: bool = False
    folds_case: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """A name with its arguments.  Positions are offsets in the text."""

    name: str
    arguments: tuple[str | float, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a string."""

    value: str | float
    position: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values with a sign between them."""

    sign: str
    left: "Node"
    right: "Node"
    position: int


@dataclass(frozen=True, slots=True)
class Negated:
    """Not this."""

    term: "Node"
    position: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Terms with ``&&`` or ``||`` between them; never fewer than two."""

    sign: str
    terms: tuple["Node", ...]
    position: int


Node = Called | Literal | Compared | Negated | Joined


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)
           |(?P<number>-?[0-9]+(?:\.[0-9]+)?)
           |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
           |(?P<comparison>[=!<>]=|[<>])
           |(?P<sign>&&|\|\||[(),!])
           |(?P<end>$))""",
    re.VERBOSE,
)
_ONLY_WITH_LITERALS = frozenset({"number", "comparison"})
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r"}


def parse(text: str, vocabulary: Vocabulary) -> Node:
    """Read ``text``.

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    return _Parser(text, vocabulary).parse()


class _Parser:
    """Recursive descent over the tokens; one method per rule of the grammar."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._tokens = self._read_tokens(text)
        self._next = 0
        self._depth = 0

    def _read_tokens(self, text: str) -> list[_Token]:
        if len(text) > EXPRESSION_CHARS_MAX:
            raise self._problem(f"longer than {EXPRESSION_CHARS_MAX} characters", EXPRESSION_CHARS_MAX)
        found: list[_Token] = []
        position = 0
        while not found or found[-1].kind != "end":
            token = _TOKEN.match(text, position)
            if token is None:
                start = position + len(text[position:]) - len(text[position:].lstrip())
                raise self._problem(_explain(text[start:]), start)
            kind = token.lastgroup or "end"
            found.append(_Token(kind, token[kind], token.start(kind)))
            if kind in _ONLY_WITH_LITERALS and not self._vocabulary.has_literals:
                raise self._problem(f"{token[kind]!r} has no meaning here", token.start(kind))
            position = token.end()
        return found

    def parse(self) -> Node:
        node = self._either()
        if self._peek().kind != "end":
            raise self._unexpected("&&, || or the end")
        return node

    def _either(self) -> Node:
        position, terms = self._peek().position, [self._both()]
        while self._accept("||"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else Joined("||", tuple(terms), position)

    def _both(self) -> Node:
        position, terms = self._peek().position, [self._negated()]
        while self._accept("&&"):
            terms.append(self._negated())
        return terms[0] if len(terms) == 1 else Joined("&&", tuple(terms), position)

    def _negated(self) -> Node:
        position = self._peek().position
        if not self._accept("!"):
            return self._compared()
        self._enter()
        term = self._negated()
        self._depth -= 1
        return Negated(term, position)

    def _compared(self) -> Node:
        left = self._operand()
        sign = self._peek()
        if sign.kind != "comparison":
            return left
        self._next += 1
        return Compared(sign.text, left, self._operand(), sign.position)

    def _operand(self) -> Node:
        if self._accept("("):
            self._enter()
            inside = self._either()
            self._depth -= 1
            self._expect(")")
            return inside
        token = self._peek()
        if token.kind == "name":
            return self._called(token)
        if not self._vocabulary.has_literals:
            raise self._unexpected(self._vocabulary.example)
        return Literal(self._literal(self._vocabulary.example), token.position)

    def _called(self, token: _Token) -> Called:
        word = token.text.lower() if self._vocabulary.folds_case else token.text
        name = self._vocabulary.names.get(word)
        if name is None:
            known = ", ".join(self._vocabulary.names.values())
            raise self._problem(f"{token.text!r} is not one of {known}", token.position)
        self._next += 1
        self._expect("(")
        arguments: list[str | float] = []
        if self._vocabulary.arguments_min or not self._accept(")"):
            arguments.append(self._literal(self._vocabulary.literal))
            while self._accept(","):
                arguments.append(self._literal(self._vocabulary.literal))
            self._expect(")")
        return Called(name, tuple(arguments), token.position)

    def _literal(self, wanted: str) -> str | float:
        token = self._peek()
        if token.kind not in {"number", "string"}:
            raise self._unexpected(wanted)
        self._next += 1
        if token.kind == "number":
            return float(token.text)
        if token.text[0] == "`":
            return token.text[1:-1]
        return _ESCAPE.sub(lambda found: self._unescape(found[1], token.position), token.text[1:-1])

    def _unescape(self, escape: str, position: int) -> str:
        if escape in _PLAIN_ESCAPES:
            return _PLAIN_ESCAPES[escape]
        if len(escape) > 1:
            return chr(int(escape[1:], 16))
        said = f"the string has the escape \\{escape}, which is none; write `...` around regular expressions"
        raise self._problem(said, position)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            said = "too many parentheses and negations inside each other"
            raise self._problem(said, self._peek().position)

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
        return self._problem(f"expected {wanted}, found {found}", token.position)

    def _problem(self, text: str, position: int) -> ExpressionError:
        return ExpressionError(text, position=position, what=self._vocabulary.what)


def _explain(rest: str) -> str:
    if rest[0] in '"`':
        return "the string does not end"
    if rest[0] in "&|":
        return f"use {rest[0] * 2}, not {rest[0]}"
    return f"{rest[0]!r} has no meaning here"
