"""vulcand's failover predicates: when a request that failed at one server goes to another.

    IsNetworkError() && RequestMethod() == "GET" && Attempts() < 3
    ResponseCode() == 503

Source: oxy, buffer/retry; the language itself is in ``predicate``.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from fairlead.proxy.config import CACHED_MAX
from fairlead.proxy.predicate import Function, parse_predicate

_NETWORK_ERRORS = frozenset({502, 504})


class Failed(NamedTuple):
    """What a predicate looks at: one attempt.

    Attributes:
        status: of the answer, or what the client would be told without one.
        attempts: made so far, from 1.
        method: of the request.
    """

    status: int
    attempts: int
    method: str


FUNCTIONS = {
    "IsNetworkError": Function(bool, lambda: lambda failed: failed.status in _NETWORK_ERRORS),
    "Attempts": Function(float, lambda: lambda failed: failed.attempts),
    "ResponseCode": Function(float, lambda: lambda failed: failed.status),
    "RequestMethod": Function(str, lambda: lambda failed: failed.method),
}


@lru_cache(CACHED_MAX)
def parse_failover(text: str) -> Callable[[Failed], bool]:
    """Return the condition that ``text`` is.

    Raises:
        KeyProblem: it is none; says where.
    """
    return parse_predicate(text, FUNCTIONS)


def decides_about_methods(text: str) -> bool:
    """Whether a predicate says itself which methods may be repeated."""
    return "RequestMethod" in text
