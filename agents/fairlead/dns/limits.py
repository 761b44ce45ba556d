"""The bounds of everything that clients could make grow."""

from dataclasses import dataclass

from fairlead.dns.message import UDP_BYTES_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of everything that clients could make grow.

    Attributes:
        udp_bytes_max: the largest UDP response; 1232 passes every path whole (DNS flag day 2020).
        entries_max: compiled answers kept.
        tcp_connections_max: TCP connections at once.
        tcp_connections_per_ip_max: of which from one address.
        tcp_idle_s: how long a connection may go without a whole query.
        tcp_unsent_bytes_max: responses waiting in one connection before its queries wait too.
        tcp_in_flight_max: queries of one connection that are being answered elsewhere before its next ones wait.
        forwarding_max: questions that are being answered elsewhere; those beyond are refused.
        datagrams_per_wake_max: UDP queries answered before others get their turn.
    """

    udp_bytes_max: int = 1232
    entries_max: int = 200_000
    tcp_connections_max: int = 1024
    tcp_connections_per_ip_max: int = 64
    tcp_idle_s: float = 10.0
    tcp_unsent_bytes_max: int = 256 * 1024
    tcp_in_flight_max: int = 64
    forwarding_max: int = 1024
    datagrams_per_wake_max: int = 64

    def __post_init__(self) -> None:
        assert self.udp_bytes_max >= UDP_BYTES_MIN
