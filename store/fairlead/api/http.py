"""What the client port answers over plain HTTP: the gateway, health, metrics."""

from collections.abc import Callable, Mapping

from fairlead.api.gateway import Gateway
from fairlead.rpc import HttpReply, HttpRequest

Handler = Callable[[HttpRequest, HttpReply], None]
# For the browsers of any origin, as etcd does by default (--cors '*').
_CORS = (
    ("access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-headers", "accept, content-type, authorization"),
)


class Http:
    """Routes a plain HTTP request by its path."""

    def __init__(self, paths: Mapping[str, Handler], gateway: Gateway) -> None:
        self._paths = paths
        self._gateway = gateway

    def __call__(self, request: HttpRequest, reply: HttpReply) -> None:
        """Serve one request."""
        if request.method == "OPTIONS":
            reply.send(200, _CORS, b"")
            return
        # Old clients still say /v3beta; etcd rewrites it too.
        path = request.path.replace("/v3beta/", "/v3/", 1)
        if path.startswith("/v3/"):
            self._gateway.serve(path, request, reply)
            return
        handler = self._paths.get(path)
        if handler is None:
            reply.send(404, (("content-type", "text/plain; charset=utf-8"),), b"404 page not found\n")
            return
        handler(request, reply)
