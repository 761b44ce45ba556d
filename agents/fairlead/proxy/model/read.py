"""From a key and its value to the object that they stand for."""

from collections.abc import Callable

from fairlead.proxy.keys import Kind, ObjectId
from fairlead.proxy.model.backend import Backend, read_backend
from fairlead.proxy.model.fields import Fields, read_json
from fairlead.proxy.model.frontend import Frontend, read_frontend
from fairlead.proxy.model.host import Host, read_host
from fairlead.proxy.model.listener import Listener, read_listener
from fairlead.proxy.model.middleware import Middleware, read_middleware
from fairlead.proxy.model.server import Server, read_server
from fairlead.proxy.model.tcp_route import TcpRoute, read_tcp_route

Object = Frontend | Backend | Server | Middleware | Host | Listener | TcpRoute

_READERS: dict[Kind, Callable[[ObjectId, Fields], Object]] = {
    Kind.FRONTEND: read_frontend,
    Kind.BACKEND: read_backend,
    Kind.SERVER: read_server,
    Kind.MIDDLEWARE: read_middleware,
    Kind.HOST: read_host,
    Kind.LISTENER: read_listener,
    Kind.TCP_ROUTE: read_tcp_route,
}


def read_object(identity: ObjectId, value: bytes) -> Object:
    """Return the object that ``value`` describes.

    Raises:
        KeyProblem: the value is not JSON, or a field is missing or not what it should be.
    """
    return _READERS[identity.kind](identity, read_json(value))
