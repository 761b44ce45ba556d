"""One gRPC channel for each endpoint, made when first needed, and which of them is in use.

A client stays with the endpoint that answered last, so that it reads its own writes early and its
connections stay few; it moves on only when that one fails.
"""

from pathlib import Path

from fairlead.client.config import Endpoint, Patience, Tls
from fairlead.client.errors import EndpointError
from fairlead.client.quiet_grpc import grpc


class Channels:
    """The connections of one client."""

    def __init__(self, endpoints: tuple[Endpoint, ...], *, tls: Tls | None, patience: Patience) -> None:
        """Read the TLS files; connect to nothing yet.

        Raises:
            EndpointError: a TLS file cannot be read.
        """
        assert endpoints
        self.endpoints = endpoints
        self._options = _options(patience)
        self._credentials = (
            _tls_credentials(tls or Tls()) if any(endpoint.is_tls for endpoint in endpoints) else None
        )
        self._channels: dict[Endpoint, grpc.aio.Channel] = {}
        self._current = 0

    @property
    def urls(self) -> tuple[str, ...]:
        """Every endpoint, for messages."""
        return tuple(endpoint.url for endpoint in self.endpoints)

    @property
    def current(self) -> Endpoint:
        """The endpoint in use."""
        return self.endpoints[self._current]

    def leave(self, endpoint: Endpoint) -> None:
        """Move on from ``endpoint``, unless somebody else has already."""
        if self.current is endpoint:
            self._current = (self._current + 1) % len(self.endpoints)

    def channel(self, endpoint: Endpoint) -> grpc.aio.Channel:
        """Return the channel to ``endpoint``."""
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = self._channels[endpoint] = self._open(endpoint)
        return channel

    def _open(self, endpoint: Endpoint) -> grpc.aio.Channel:
        if endpoint.is_tls:
            return grpc.aio.secure_channel(endpoint.target, self._credentials, options=self._options)
        return grpc.aio.insecure_channel(endpoint.target, options=self._options)

    async def close(self) -> None:
        """Close every connection; calls under way are cancelled."""
        while self._channels:
            _, channel = self._channels.popitem()
            await channel.close()


def _options(patience: Patience) -> list[tuple[str, int]]:
    return [
        # A range may be as large as the store cares to send; the store bounds what it is sent.
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        # gRPC uses this one as the time a handshake may take.
        ("grpc.min_reconnect_backoff_ms", round(patience.connect_timeout_s * 1000)),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A silent peer is found out within 15 s.  etcd tolerates pings 5 s apart (MinTime).
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # One client's failures must not hold up another's reconnection.
        ("grpc.use_local_subchannel_pool", 1),
        # The store is inside; a proxy meant for the web would only break watches.
        ("grpc.enable_http_proxy", 0),
    ]


def _tls_credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(tls.ca, flag="--cacert"),
        certificate_chain=_read(tls.cert, flag="--cert"),
        private_key=_read(tls.key, flag="--key"),
    )


def _read(path: Path | None, *, flag: str) -> bytes | None:
    if path is None:
        return None
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise EndpointError(f"cannot read {path}: {error.strerror}; check {flag}") from error
    if b"-----BEGIN " not in pem:
        raise EndpointError(f"{path} is not a PEM file; check {flag}")
    return pem
