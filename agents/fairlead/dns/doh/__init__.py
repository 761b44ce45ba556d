"""DNS over HTTPS (RFC 8484), on HTTP/1.1 and HTTP/2.

`exchange` is what a request and a response mean; `http1` and `http2` turn bytes into requests and responses into bytes;
`connection` knows the transport.
"""

from fairlead.dns.doh.connection import HttpStream

__all__ = ["HttpStream"]
