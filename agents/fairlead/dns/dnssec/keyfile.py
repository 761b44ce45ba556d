"""Keys on disk: a file for each zone, readable by its owner alone, replaced as a whole."""

import json
import stat
from pathlib import Path
from typing import Final

from fairlead.dns import names
from fairlead.dns.dnssec.errors import KeyFileError
from fairlead.dns.dnssec.keys import SigningKey
from fairlead.dns.dnssec.limits import SigningLimits
from fairlead.dns.dnssec.rollover import Keys, State, ZoneKey
from fairlead.dns.errors import BadNameError
from fairlead.dns.names import Name
from fairlead.durable import make_directory, write_durably

_SUFFIX: Final = ".keys.json"
_BYTES_MAX: Final = 1024 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyFolder:
    """The key files in one folder."""

    def __init__(self, path: Path, limits: SigningLimits | None = None) -> None:
        self.path = path
        self._limits = limits or SigningLimits()

    def __repr__(self) -> str:
        return f"KeyFolder({str(self.path)!r})"

    def state(self) -> object:
        """Return something that differs when a file has changed."""
        try:
            found = sorted(self.path.glob(f"*{_SUFFIX}"))
            return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in found)
        except OSError:
            return None

    def read_all(self) -> dict[Name, Keys]:
        """Return the keys of every zone.

        Raises:
            KeyFileError: a file cannot be used.
        """
        if not self.path.is_dir():
            raise KeyFileError(
                f"{self.path} is no folder; make it with: fairlead dns keys generate ZONE --dir {self.path}"
            )
        return dict(self._read(path) for path in sorted(self.path.glob(f"*{_SUFFIX}")))

    def read(self, zone: Name) -> Keys:
        """Return the keys of ``zone``; none when it has no file.

        Raises:
            KeyFileError: the file cannot be used.
        """
        path = self._path_of(zone)
        return self._read(path)[1] if path.exists() else ()

    def write(self, zone: Name, keys: Keys) -> None:
        """Let ``keys`` be the zone's, durably.

        Raises:
            KeyFileError: the file cannot be written.
        """
        text = json.dumps(
            {
                "zone": names.to_text(zone),
                "keys": [
                    {"state": key.state.value, "since_s": key.since_s, "private": key.key.to_pem().decode()}
                    for key in keys
                ],
            },
            indent=1,
        )
        try:
            make_directory(self.path)
            write_durably(self._path_of(zone), text.encode())
        except OSError as error:
            raise KeyFileError(f"cannot write keys in {self.path}: {error.strerror}") from error

    def _path_of(self, zone: Name) -> Path:
        text = names.to_text(zone)
        if "/" in text:
            raise KeyFileError(f"{text} cannot be the name of a file")
        return self.path / f"{text.rstrip('.') or 'root'}{_SUFFIX}"

    def _read(self, path: Path) -> tuple[Name, Keys]:
        try:
            mode = path.stat().st_mode
            if mode & _OTHERS:
                raise KeyFileError(f"{path} can be read by others; run: chmod 600 {path}")
            with path.open("rb") as file:
                content = json.loads(file.read(_BYTES_MAX))
            keys = tuple(
                ZoneKey(
                    SigningKey.from_pem(entry["private"].encode()),
                    State(entry["state"]),
                    int(entry["since_s"]),
                )
                for entry in content["keys"]
            )
            zone = names.from_text(content["zone"])
        except OSError as error:
            raise KeyFileError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, BadNameError) as error:
            raise KeyFileError(
                f"{path} is no key file ({type(error).__name__}); restore it from a backup"
            ) from error
        actives = sum(key.state is State.ACTIVE for key in keys)
        if actives != 1 or len(keys) > self._limits.keys_per_zone_max:
            raise KeyFileError(f"{path} has {len(keys)} keys, {actives} of them active; exactly one must be")
        return zone, keys
