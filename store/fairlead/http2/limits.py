"""What one peer may ask of a connection, in one frozen value."""

from dataclasses import dataclass

from fairlead.http2.frames import FRAME_BYTES_MAX, FRAME_BYTES_MIN, WINDOW_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one connection.  Times in seconds, sizes in bytes."""

    header_bytes_max: int = 65_536
    """A header list: 32 bytes for each field beside its name and value (RFC 9113, section 6.5.2)."""
    continuations_max: int = 16
    """CONTINUATION frames in one header block."""
    known_heads_max: int = 512
    """Header blocks whose meaning is remembered."""
    frame_bytes_max: int = 16_384
    """Payload of one frame that we take (SETTINGS_MAX_FRAME_SIZE)."""
    sent_frame_bytes_max: int = 65_536
    """Payload of one DATA frame that we send, where the peer would take more: streams take turns by frames."""
    concurrent_streams_max: int = 10_000
    """Open streams of the peer's; the next is refused."""
    stream_window_bytes: int = 1_048_576
    """What the peer may send on one stream before we grant more."""
    connection_window_bytes: int = 16_777_216
    """The same for all streams together."""
    send_buffer_bytes_max: int = 268_435_456
    """DATA that flow control holds back; beyond it the connection ends."""
    send_burst_bytes: int = 1_048_576
    """What one turn of the loop writes at most, before others get theirs."""
    writable_bytes: int = 65_536
    """A stream that held more than this back is told that it is writable again once it holds less."""
    stall_s: float = 120.0
    """How long the peer may hold all our data back before the connection ends."""
    keepalive_idle_s: float = 7_200.0
    """Silence after which we send a PING."""
    keepalive_timeout_s: float = 20.0
    """How long we wait for its answer."""
    client_ping_interval_s: float = 0.0
    """PINGs that come faster than this are strikes; 0: none is."""
    ping_strikes_max: int = 10
    """Strikes that a peer has before GOAWAY; any DATA of ours forgives them."""

    def __post_init__(self) -> None:
        """Check the relations that the protocol rests on.

        Raises:
            ValueError: they do not hold.
        """
        if not FRAME_BYTES_MIN <= self.frame_bytes_max <= FRAME_BYTES_MAX:
            raise ValueError(f"frame_bytes_max must be {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX}")
        # The fast path takes a message of one DATA frame without asking the stream's window.
        if not self.frame_bytes_max <= self.stream_window_bytes <= self.connection_window_bytes <= WINDOW_MAX:
            raise ValueError(
                "limits must hold frame_bytes_max <= stream_window_bytes <= connection_window_bytes < 2^31"
            )
