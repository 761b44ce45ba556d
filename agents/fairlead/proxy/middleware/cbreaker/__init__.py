"""``cbreaker``: vulcand's circuit breaker."""

from fairlead.proxy.middleware.cbreaker.breaker import Breaker, Settings, State
from fairlead.proxy.middleware.cbreaker.condition import Look, parse_condition
from fairlead.proxy.middleware.cbreaker.middleware import CircuitBreaker, make

__all__ = ["Breaker", "CircuitBreaker", "Look", "Settings", "State", "make", "parse_condition"]
