"""Which server is asked: the seams to the data path, and the ways to choose behind them.

    Balancer  ◄─ RoundRobin     each in turn, when a backend asks for nothing else
              ◄─ Chooser        who may be asked (state, health, ejection, limits, backups), then a policy:
                                wrr, p2c, leastconn, hrw, first; sticky cookies; a queue

What has been learned is kept in ``Memory`` (of a backend) and ``Standing`` (of a server), which outlive every change.
Nothing here reads a clock or does IO.
"""

from fairlead.proxy.balance.chooser import Chooser, make_balancer
from fairlead.proxy.balance.memory import Memory
from fairlead.proxy.balance.seam import (
    DIAL_TIMEOUT,
    LOST,
    MALFORMED,
    NO_RETRY,
    REFUSED,
    TIMEOUT,
    Attempt,
    Balancer,
    Chance,
    Failure,
    NoRetry,
    Queue,
    RetryPolicy,
    Waiter,
)
from fairlead.proxy.balance.standing import Standing, may_eject
from fairlead.proxy.balance.turns import RoundRobin, Turn

__all__ = [
    "DIAL_TIMEOUT",
    "LOST",
    "MALFORMED",
    "NO_RETRY",
    "REFUSED",
    "TIMEOUT",
    "Attempt",
    "Balancer",
    "Chance",
    "Chooser",
    "Failure",
    "Memory",
    "NoRetry",
    "Queue",
    "RetryPolicy",
    "RoundRobin",
    "Standing",
    "Turn",
    "Waiter",
    "make_balancer",
    "may_eject",
]
