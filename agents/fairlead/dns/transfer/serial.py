"""The serial on disk, so that it never goes back: not by a restart, and not by a store restored from a backup."""

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path

from fairlead.dns.zone import Epoch

_LOG = logging.getLogger(__name__)


class SerialFile:
    """Where the last revision that was served, and what is added to revisions, are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: Epoch | None = None
        self._is_failing = False

    def __repr__(self) -> str:
        return f"SerialFile({str(self._path)!r})"

    def load(self) -> Epoch | None:
        """Return what was saved; None when there is nothing, or nothing that can be read."""
        try:
            content = json.loads(self._path.read_text())
            return Epoch(revision=int(content["revision"]), added=int(content["added"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("cannot read %s, serials begin at the store's revision: %s", self._path, error)
            return None

    def save(self, epoch: Epoch) -> None:
        """Put ``epoch`` on disk, durably, if it is not there already; a failure is logged once."""
        if epoch == self._saved:
            return
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=".serial", delete=False
            ) as file:
                json.dump({"revision": epoch.revision, "added": epoch.added}, file)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self._path)
        except OSError as error:
            if not self._is_failing:
                _LOG.warning("cannot save the serial: %s", error)
            self._is_failing = True
            with contextlib.suppress(OSError, NameError):
                Path(file.name).unlink()
            return
        self._is_failing = False
        self._saved = epoch
