"""What the values of the keys say: vulcand's objects, read from its JSON into frozen dataclasses.

Two objects that say the same are equal: what is told apart by ``==`` is every field, so that any change of a
setting takes effect.  This package decides nothing and knows no socket.
"""

from fairlead.proxy.model.backend import BALANCES, Backend, HealthCheck, Outlier, Queue, Sticky
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.frontend import ATTEMPTS_MAX, Canary, Frontend, Mirror, Retry, Timeouts
from fairlead.proxy.model.host import Host
from fairlead.proxy.model.listener import Listener
from fairlead.proxy.model.middleware import Middleware, error_pages_of
from fairlead.proxy.model.read import Object, read_object
from fairlead.proxy.model.server import DEFAULT_PORTS, DRAIN, MAINTENANCE, UP, Server, read_url
from fairlead.proxy.model.tcp_route import END, PASS, PLAIN, TcpRoute
from fairlead.proxy.model.tls import AutoCert, Ocsp, TlsSettings

__all__ = [
    "ATTEMPTS_MAX",
    "BALANCES",
    "DEFAULT_PORTS",
    "DRAIN",
    "END",
    "MAINTENANCE",
    "PASS",
    "PLAIN",
    "UP",
    "AutoCert",
    "Backend",
    "Canary",
    "Fields",
    "Frontend",
    "HealthCheck",
    "Host",
    "Listener",
    "Middleware",
    "Mirror",
    "Object",
    "Ocsp",
    "Outlier",
    "Queue",
    "Retry",
    "Server",
    "Sticky",
    "TcpRoute",
    "Timeouts",
    "TlsSettings",
    "error_pages_of",
    "read_object",
    "read_url",
]
