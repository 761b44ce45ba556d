"""The serial on disk, so that it never goes back: not by a restart, and not by a store restored from a backup."""

import json
import logging
from pathlib import Path

from fairlead.dns.zone import Epoch
from fairlead.durable import write_durably

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
            return _epoch_of(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("cannot read %s, serials begin at the store's revision: %s", self._path, error)
            return None

    def save(self, epoch: Epoch) -> None:
        """Put ``epoch`` on disk, durably, if it is not there already; a failure is logged once."""
        if epoch == self._saved:
            return
        try:
            content = json.dumps({"revision": epoch.revision, "added": epoch.added})
            write_durably(self._path, content.encode())
        except OSError as error:
            if not self._is_failing:
                _LOG.warning("cannot save the serial: %s", error)
            self._is_failing = True
            return
        self._is_failing = False
        self._saved = epoch


def _epoch_of(content: object) -> Epoch:
    """Return what a file says; ValueError when it says something else."""
    if isinstance(content, dict):
        revision, added = content.get("revision"), content.get("added")
        if isinstance(revision, int) and isinstance(added, int) and min(revision, added) >= 0:
            return Epoch(revision=revision, added=added)
    raise ValueError("it says no serial")
