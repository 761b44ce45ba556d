"""From a route expression to conditions that a request meets or not.

An expression becomes a list of conjunctions (``||`` is multiplied out), each a list of conditions.  A
condition is literal, and then the router can look it up in a dictionary, or it is a test over one field of
the request.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Protocol

from fairlead.proxy.config import ALTERNATIVES_MAX, CACHED_MAX, REGEXP_SUBJECT_BYTES_MAX
from fairlead.proxy.errors import ExpressionError, KeyProblem
from fairlead.proxy.expression import Both, Call, Either, Expression
from fairlead.proxy.pattern import compile_pattern, compile_regexp, is_literal

_SEPARATORS = {"Host": ".", "Path": "/", "Method": " ", "Header": "/"}


class Routable(Protocol):
    """What routing looks at.  ``host`` is lower-case and without port, ``path`` raw and without query."""

    method: bytes
    host: bytes
    path: bytes

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field called ``name`` (lower-case), or ``b""``."""


Test = Callable[[Routable], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One matcher, compiled.

    Attributes:
        field: ``Host``, ``Path``, ``Method`` or ``Header``.
        literal: the one value that meets it, or None when only ``test`` knows.
        pattern: the text when it is a pattern with placeholders, else None.
    """

    field: str
    test: Test
    literal: bytes | None = None
    pattern: str | None = None


Conjunction = tuple[Condition, ...]


@lru_cache(CACHED_MAX)
def compile_expression(expression: Expression) -> tuple[Conjunction, ...]:
    """Return the conjunctions, one of which a request must meet.

    Raises:
        ExpressionError: a pattern or regular expression in it is wrong, or it multiplies out to too many.
    """
    match expression:
        case Call():
            return ((_condition(expression),),)
        case Either(terms):
            return _bounded([way for term in terms for way in compile_expression(term)])
        case Both(terms):
            ways: tuple[Conjunction, ...] = ((),)
            for term in terms:
                more = compile_expression(term)
                _check_count(len(ways) * len(more))
                ways = tuple(left + right for left, right in product(ways, more))
            return ways


def _bounded(ways: list[Conjunction]) -> tuple[Conjunction, ...]:
    _check_count(len(ways))
    return tuple(ways)


def _check_count(count: int) -> None:
    if count > ALTERNATIVES_MAX:
        raise ExpressionError(
            f"stands for more than {ALTERNATIVES_MAX} alternatives; use several frontends", position=0
        )


def _condition(call: Call) -> Condition:
    field = call.name.removesuffix("Regexp")
    text = call.arguments[-1]
    if field == "Host" and call.name == "Host":
        text = text.lower()
    value_of = _value_of(field, call)
    try:
        if call.name != field:
            regexp = compile_regexp(text, ignore_case=field == "Host")
            return Condition(field, _searches(value_of, regexp))
        pattern = compile_pattern(text, separator=_SEPARATORS[field])
    except KeyProblem as problem:
        raise ExpressionError(str(problem), position=call.position) from problem
    if is_literal(text):
        wanted = text.encode()
        return Condition(field, lambda request: value_of(request) == wanted, literal=wanted)
    return Condition(field, lambda request: pattern.fullmatch(value_of(request)) is not None, pattern=text)


def _value_of(field: str, call: Call) -> Callable[[Routable], bytes]:
    if field == "Host":
        return lambda request: request.host
    if field == "Path":
        return lambda request: request.path
    if field == "Method":
        return lambda request: request.method
    name = call.arguments[0].lower().encode()
    return lambda request: request.header(name)


def _searches(value_of: Callable[[Routable], bytes], regexp: re.Pattern[bytes]) -> Test:
    def test(request: Routable) -> bool:
        value = value_of(request)
        return len(value) <= REGEXP_SUBJECT_BYTES_MAX and regexp.search(value) is not None

    return test
