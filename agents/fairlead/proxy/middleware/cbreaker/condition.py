"""When a breaker trips: ``NetworkErrorRatio() > 0.5 && RequestThreshold() > 20``.

Functions, over the window of ``rolling``:

    NetworkErrorRatio()               answers 502 and 504 by all, 0 to 1
    ResponseCodeRatio(a, b, c, d)     answers with a <= status < b by those with c <= status < d
    LatencyAtQuantileMS(q)            milliseconds that q percent of the answers did not exceed
    RequestThreshold()                how many answers the window holds

Source: vulcand/oxy, cbreaker/predicates.go.
"""

from collections.abc import Callable
from typing import NamedTuple

from fairlead.proxy.predicate import Function, parse_predicate
from fairlead.proxy.rolling import Rolling


class Look(NamedTuple):
    """What a condition looks at."""

    window: Rolling
    now_s: float


Condition = Callable[[Look], bool]


def _error_ratio() -> Callable[[Look], float]:
    return lambda look: look.window.network_error_ratio(look.now_s)


def _code_ratio(first: float, last: float, below: float, above: float) -> Callable[[Look], float]:
    dividend, divisor = range(int(first), int(last)), range(int(below), int(above))
    return lambda look: look.window.code_ratio(dividend, divisor, now_s=look.now_s)


def _latency_ms(quantile: float) -> Callable[[Look], float]:
    return lambda look: look.window.latency_us(quantile, now_s=look.now_s) // 1000


def _requests() -> Callable[[Look], float]:
    return lambda look: look.window.total(look.now_s)


_FUNCTIONS = {
    "NetworkErrorRatio": Function(float, _error_ratio),
    "ResponseCodeRatio": Function(float, _code_ratio, (float, float, float, float)),
    "LatencyAtQuantileMS": Function(float, _latency_ms, (float,)),
    "RequestThreshold": Function(float, _requests),
}


def parse_condition(text: str) -> Condition:
    """Return the condition that ``text`` describes.

    Raises:
        KeyProblem: it cannot be read; says where.
    """
    return parse_predicate(text, _FUNCTIONS)
