"""HTTP/2 without IO: both ends of a connection take bytes and give bytes, and tell streams what arrived.

What a stream means is its user's business: gRPC calls and plain HTTP in ``fairlead.rpc``, proxied requests in
``fairlead.proxy``.  Nothing here knows sockets, clocks or Fairlead.  Deliberately absent: server push, priorities
(RFC 9113 deprecates them), and the upgrade from HTTP/1.1.  Source: RFC 9113 and RFC 7541.
"""

from fairlead.http2.client import ClientConnection, ClientStream
from fairlead.http2.connection import Connection
from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.fields import Field, FieldDecoder
from fairlead.http2.frames import PREFACE, ErrorCode
from fairlead.http2.headers import Head, HeaderReader
from fairlead.http2.limits import Limits
from fairlead.http2.literals import encoded
from fairlead.http2.rules import FIELD_OVERHEAD, check_field, content_length, request_pseudo
from fairlead.http2.server import ServerConnection
from fairlead.http2.stream import Stream

__all__ = [
    "FIELD_OVERHEAD",
    "PREFACE",
    "ClientConnection",
    "ClientStream",
    "Connection",
    "ConnectionFault",
    "ErrorCode",
    "Field",
    "FieldDecoder",
    "Head",
    "HeaderReader",
    "Limits",
    "ServerConnection",
    "Stream",
    "StreamFault",
    "check_field",
    "content_length",
    "encoded",
    "request_pseudo",
]
