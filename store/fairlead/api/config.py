"""From flags to what a store is: its member, its addresses, its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fairlead.api.compactor import Retention
from fairlead.api.errors import ConfigError
from fairlead.api.flags import Settings, read_settings
from fairlead.api.membership_settings import has_https, hints, membership, self_signed, self_signed_peer, urls
from fairlead.api.self_signed import SelfSigned
from fairlead.member import QUOTA_BYTES_DEFAULT, MemberConfig
from fairlead.rpc import Limits, TlsFiles

_GRPC_OVERHEAD_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address to listen at."""

    host: str
    port: int
    is_tls: bool

    def __str__(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Everything that one ``fairlead store`` process is told."""

    member: MemberConfig
    listen: tuple[Address, ...]
    listen_metrics: tuple[Address, ...]
    tls: TlsFiles | None
    self_signed: tuple[SelfSigned, ...]
    """Certificates that have to be there before anything begins."""
    limits: Limits
    retention: Retention
    progress_notify_s: float
    has_gateway: bool
    log_level: str
    log_format: str
    warnings: tuple[str, ...]


def load_config(argv: Sequence[str], environ: Mapping[str, str]) -> StoreConfig:
    """Read flags, environment and file into a checked configuration.

    Raises:
        ConfigError: something in them cannot be served; the text says what to mend.
    """
    settings = read_settings(argv, environ)
    listen = _addresses(settings, "listen-client-urls")
    member = _member(settings)
    own = _self_signed(settings, data_dir=member.data_dir)
    peer = self_signed_peer(settings, data_dir=member.data_dir)
    return StoreConfig(
        member=member,
        listen=listen,
        listen_metrics=_addresses(settings, "listen-metrics-urls"),
        tls=_tls(settings, listen, own),
        self_signed=tuple(each for each in (own, peer) if each is not None),
        limits=_limits(settings),
        retention=Retention.parse(settings["auto-compaction-mode"], settings["auto-compaction-retention"]),
        progress_notify_s=max(settings["watch-progress-notify-interval"], 0.1),
        has_gateway=settings["enable-grpc-gateway"],
        log_level=settings["log-level"],
        log_format=settings["log-format"],
        warnings=(*settings.warnings, *hints(settings)),
    )


def _addresses(settings: Settings, flag: str) -> tuple[Address, ...]:
    found = []
    for url in urls(settings[flag]):
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or port is None
            or parts.path.strip("/")
        ):
            raise ConfigError(f"--{flag}: {url!r} is no address", "write it as http://127.0.0.1:2379")
        found.append(Address(host=parts.hostname, port=port, is_tls=parts.scheme == "https"))
    return tuple(found)


def _member(settings: Settings) -> MemberConfig:
    election_s, heartbeat_s = settings["election-timeout"] / 1000, settings["heartbeat-interval"] / 1000
    if not 0 < 5 * heartbeat_s <= election_s <= 50:
        raise ConfigError(
            "--election-timeout must be at least 5 times --heartbeat-interval and at most 50000",
            "the defaults are 1000 and 100",
        )
    quota = settings["quota-backend-bytes"]
    data_dir = Path(settings["data-dir"] or f"{settings['name']}.fairlead")
    return MemberConfig(
        name=settings["name"],
        data_dir=data_dir,
        client_urls=urls(settings["advertise-client-urls"] or settings["listen-client-urls"]),
        heartbeat_s=heartbeat_s,
        election_timeout_s=election_s,
        quota_bytes=quota or QUOTA_BYTES_DEFAULT,
        request_bytes_max=settings["max-request-bytes"],
        txn_ops_max=settings["max-txn-ops"],
        commit_interval_s=settings["backend-batch-interval"],
        commit_writes_max=settings["backend-batch-limit"],
        snapshot_count=settings["snapshot-count"],
        snapshot_catchup_entries=settings["snapshot-catchup-entries"],
        compaction_batch=settings["compaction-batch-limit"],
        compaction_pause_s=settings["compaction-sleep-interval"],
        **membership(settings, data_dir=data_dir),
    )


def _self_signed(settings: Settings, *, data_dir: Path) -> SelfSigned | None:
    """Return the certificate for clients that is made here; None where one is given, or none is wanted."""
    is_given = settings["cert-file"] or settings["key-file"]
    if not settings["auto-tls"] or is_given or not has_https(settings, "listen-client-urls"):
        return None
    if settings["trusted-ca-file"] or settings["client-cert-auth"]:
        raise ConfigError(
            "--auto-tls makes a certificate that no authority has signed",
            "give --cert-file and --key-file beside --trusted-ca-file",
        )
    return self_signed(
        settings, data_dir / "fixtures" / "client", ("listen-client-urls", "advertise-client-urls")
    )


def _tls(settings: Settings, listen: tuple[Address, ...], own: SelfSigned | None) -> TlsFiles | None:
    cert, key, ca = settings["cert-file"], settings["key-file"], settings["trusted-ca-file"]
    is_wanted = any(address.is_tls for address in listen)
    if not is_wanted:
        return None
    if own is not None:
        return TlsFiles(cert_file=own.cert_file, key_file=own.key_file)
    if not cert or not key:
        raise ConfigError(
            "an https:// address needs a certificate", "give --cert-file and --key-file, or --auto-tls"
        )
    if settings["client-cert-auth"] and not ca:
        raise ConfigError("--client-cert-auth needs an authority", "give --trusted-ca-file")
    return TlsFiles(
        cert_file=Path(cert),
        key_file=Path(key),
        trusted_ca_file=Path(ca) if ca else None,
        client_cert_auth=settings["client-cert-auth"],
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        message_bytes_max=settings["max-request-bytes"] + _GRPC_OVERHEAD_BYTES,
        body_bytes_max=settings["max-request-bytes"] + _GRPC_OVERHEAD_BYTES,
        concurrent_streams_max=settings["max-concurrent-streams"],
        keepalive_idle_s=settings["grpc-keepalive-interval"],
        keepalive_timeout_s=settings["grpc-keepalive-timeout"],
        client_ping_interval_s=settings["grpc-keepalive-min-time"],
    )
