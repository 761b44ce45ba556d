"""Every limit of the client port in one frozen value."""

from dataclasses import dataclass

from fairlead import http2
from fairlead.rpc.errors import ServerConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(http2.Limits):
    """What one client may ask of the port.  Times in seconds, sizes in bytes."""

    message_bytes_max: int = 1_572_864 + 524_288
    """A gRPC request message; etcd's --max-request-bytes and its allowance for the framing."""
    body_bytes_max: int = 1_572_864 + 524_288
    """A request body over HTTP/1.1, or over HTTP/2 outside gRPC."""
    receive_buffer_bytes_max: int = 67_108_864
    """Parts of unfinished request messages held for one connection."""
    paused_bytes_max: int = 262_144
    """Frames beside DATA queued for a client that does not read, before we stop reading from it."""
    client_ping_interval_s: float = 5.0
    """PINGs that come faster than this are strikes (etcd's --grpc-keepalive-min-time)."""
    header_timeout_s: float = 30.0
    """Time to send the first bytes, or the header of an HTTP/1.1 request."""
    idle_timeout_s: float = 300.0
    """Time an HTTP/1.1 connection may stay open between requests."""
    pipelined_requests_max: int = 64
    """HTTP/1.1 requests that may wait for their turn on one connection."""

    def __post_init__(self) -> None:
        """Check the relations that the protocol rests on."""
        try:
            http2.Limits.__post_init__(self)
        except ValueError as error:
            raise ServerConfigError(str(error)) from error
