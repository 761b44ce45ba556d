"""A dynamic HTTP reverse proxy: vulcand's keys in, HTTP/1.1 both sides, never a restart.

``serve`` is the agent; ``Service`` is the data path alone, which knows nothing of the store.  This package
never reads a key on a request's path, never parses leniently, and never buffers a whole body.  Sources:
vulcand's engine and route packages for the keys; RFC 9110 and RFC 9112 for the wire.
"""

from fairlead.proxy.agent import serve
from fairlead.proxy.config import Limits, ProxyConfig
from fairlead.proxy.errors import BadRequest, BadResponse, ExpressionError, KeyProblem, ProxyError
from fairlead.proxy.routes import Routes
from fairlead.proxy.service import Service
from fairlead.proxy.state import Snapshot

__all__ = [
    "BadRequest",
    "BadResponse",
    "ExpressionError",
    "KeyProblem",
    "Limits",
    "ProxyConfig",
    "ProxyError",
    "Routes",
    "Service",
    "Snapshot",
    "serve",
]
