"""The client port: gRPC over HTTP/2 and HTTP/1.1 on one TCP port.

The cores take bytes and give bytes; ``server`` alone knows sockets and the loop.  Nothing here knows what a
message means, or that there is a store.  Source: RFC 9113, RFC 9112, RFC 7541, and "gRPC over HTTP2" of the
gRPC project.
"""

from fairlead.rpc.call import Call
from fairlead.rpc.codes import Code
from fairlead.rpc.counters import Counters
from fairlead.rpc.errors import ListenError, RpcError, ServerConfigError, TlsFileError
from fairlead.rpc.http import HttpApp, HttpReply, HttpRequest
from fairlead.rpc.limits import Limits
from fairlead.rpc.routes import Route, Stream, StreamHandler, Unary
from fairlead.rpc.server import Server
from fairlead.rpc.tls import TlsFiles

__all__ = [
    "Call",
    "Code",
    "Counters",
    "HttpApp",
    "HttpReply",
    "HttpRequest",
    "Limits",
    "ListenError",
    "Route",
    "RpcError",
    "Server",
    "ServerConfigError",
    "Stream",
    "StreamHandler",
    "TlsFileError",
    "TlsFiles",
    "Unary",
]
