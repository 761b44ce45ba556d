"""HTTP/2 on both sides of the proxy: each stream is a request of its own, with an exchange of its own.

The protocol is in ``fairlead.http2``; here are its sockets, and what its streams are to an exchange.
"""

from fairlead.proxy.http2.client_side import Http2Client
from fairlead.proxy.http2.server_side import Http2Server

__all__ = ["Http2Client", "Http2Server"]
