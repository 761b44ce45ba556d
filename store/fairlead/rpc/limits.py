"""Every limit of the client port in one frozen value."""

from dataclasses import dataclass

from fairlead.rpc.errors import ServerConfigError
from fairlead.rpc.frames import FRAME_BYTES_MAX, FRAME_BYTES_MIN, WINDOW_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may ask of the port.  Times in seconds, sizes in bytes."""

    message_bytes_max: int = 1_572_864 + 524_288
    """A gRPC request message; etcd's --max-request-bytes and its allowance for the framing."""
    body_bytes_max: int = 1_572_864 + 524_288
    """A request body over HTTP/1.1, or over HTTP/2 outside gRPC."""
    header_bytes_max: int = 65_536
    """A request's header list: 32 bytes for each field beside its name and value (RFC 9113, 6.5.2)."""
    continuations_max: int = 16
    """CONTINUATION frames in one header block."""
    known_heads_max: int = 512
    """Header blocks whose decoded request is remembered, per connection."""
    frame_bytes_max: int = 16_384
    """Payload of one frame that we take (SETTINGS_MAX_FRAME_SIZE)."""
    sent_frame_bytes_max: int = 65_536
    """Payload of one DATA frame that we send, where the client would take more: streams take turns by frames."""
    concurrent_streams_max: int = 10_000
    """Open streams of one connection; the next is refused."""
    stream_window_bytes: int = 1_048_576
    """What a client may send on one stream before we grant more."""
    connection_window_bytes: int = 16_777_216
    """The same for all streams of one connection."""
    receive_buffer_bytes_max: int = 67_108_864
    """Parts of unfinished request messages held for one connection."""
    send_buffer_bytes_max: int = 268_435_456
    """Answers that flow control holds back, per connection; beyond it the connection ends."""
    send_burst_bytes: int = 1_048_576
    """What one turn of the loop writes to one connection at most, before others get theirs."""
    paused_bytes_max: int = 262_144
    """Frames beside DATA queued for a client that does not read, before we stop reading from it."""
    writable_bytes: int = 65_536
    """A stream that held more than this back is told that it is writable again once it holds less."""
    stall_s: float = 120.0
    """How long a client may hold all our data back before the connection ends."""
    keepalive_idle_s: float = 7_200.0
    """Silence after which we send a PING (etcd's --grpc-keepalive-interval)."""
    keepalive_timeout_s: float = 20.0
    """How long we wait for its answer (etcd's --grpc-keepalive-timeout)."""
    client_ping_interval_s: float = 5.0
    """PINGs that come faster than this are strikes (etcd's --grpc-keepalive-min-time)."""
    ping_strikes_max: int = 10
    """Strikes that a client has before GOAWAY; any DATA of ours forgives them."""
    header_timeout_s: float = 30.0
    """Time to send the first bytes, or the header of an HTTP/1.1 request."""
    idle_timeout_s: float = 300.0
    """Time an HTTP/1.1 connection may stay open between requests."""
    pipelined_requests_max: int = 64
    """HTTP/1.1 requests that may wait for their turn on one connection."""

    def __post_init__(self) -> None:
        """Check the relations that the protocol rests on."""
        if not FRAME_BYTES_MIN <= self.frame_bytes_max <= FRAME_BYTES_MAX:
            raise ServerConfigError(f"frame_bytes_max must be {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX}")
        # The fast path takes a request of one DATA frame without asking the stream's window.
        if not self.frame_bytes_max <= self.stream_window_bytes <= self.connection_window_bytes <= WINDOW_MAX:
            raise ServerConfigError(
                "limits must hold frame_bytes_max <= stream_window_bytes <= connection_window_bytes < 2^31"
            )
