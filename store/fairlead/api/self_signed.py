"""Certificates that a member makes for itself (``--auto-tls``, ``--peer-auto-tls``), in ``DATA-DIR/fixtures`` as in etcd.

Nobody signed them, so nobody can tell by them whom he talks to: they keep listeners out, not impostors.  They stay
over restarts, so that a client may be given one to trust, and are made anew when they have ended.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairlead.api.errors import ConfigError
from fairlead.durable import make_directory, write_durably

_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A certificate and its key, to be made where they are missing.

    Attributes:
        folder: where both lie.
        hosts: the names and addresses that it is for.
        years: how long it lives.
    """

    folder: Path
    hosts: tuple[str, ...]
    years: int

    @property
    def cert_file(self) -> Path:
        """The certificate, in PEM form."""
        return self.folder / "cert.pem"

    @property
    def key_file(self) -> Path:
        """Its key, which only the owner can read."""
        return self.folder / "key.pem"

    def ensure(self, *, now: datetime) -> None:
        """Make both, unless they are there and the certificate still lives.

        Raises:
            ConfigError: the folder cannot be written to, or holds something else.
        """
        # It takes 30 ms to load, which a store with certificates of its operator's need not spend at each start.
        from fairlead.api.certificate import make_certificate  # noqa: PLC0415

        try:
            if self._is_good(now):
                return
            # The data directory is made here, too, perhaps: by itself, since a parent is made for all to read.
            for folder in (self.folder.parents[1], self.folder.parent, self.folder):
                make_directory(folder)
            cert, key = make_certificate(self.hosts, now=now, lives=self.years * _YEAR)
            # The certificate last: where it is, its key is.
            self.cert_file.unlink(missing_ok=True)
            write_durably(self.key_file, key)
            write_durably(self.cert_file, cert)
        except OSError as error:
            raise ConfigError(
                f"{self.folder}: cannot keep a certificate there ({error.strerror or error})",
                "check --data-dir, or give certificates of your own",
            ) from error

    def _is_good(self, now: datetime) -> bool:
        from fairlead.api.certificate import end_of  # noqa: PLC0415

        if not self.cert_file.exists() or not self.key_file.exists():
            return False
        try:
            return now < end_of(self.cert_file.read_bytes())
        except ValueError as error:
            raise ConfigError(f"{self.cert_file} is no certificate", "remove it: another is made") from error


def now() -> datetime:
    """Return the wall clock, which certificates are about."""
    return datetime.now(UTC)
