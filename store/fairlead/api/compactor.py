"""Automatic compaction, as etcd's: keep so many hours, or so many revisions.

Pure: the caller tells the time and the revision, and compacts what it is told.
"""

from collections import deque
from dataclasses import dataclass

from fairlead.api.errors import ConfigError
from fairlead.api.flags import duration_s

REVISION_PERIOD_S = 300.0
HOUR_S = 3600.0
SAMPLES_PER_PERIOD = 10


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: seconds of history, or a number of revisions; one of them is 0, both when it is off."""

    period_s: float = 0.0
    revisions: int = 0

    @classmethod
    def parse(cls, mode: str, text: str) -> "Retention":
        """Read --auto-compaction-mode and --auto-compaction-retention.

        Raises:
            ConfigError: one of them cannot be read.
        """
        try:
            if mode == "revision":
                return cls(revisions=int(text))
            if mode == "periodic":
                # A bare number is hours.
                return cls(period_s=int(text) * HOUR_S if text.isdigit() else duration_s(text))
        except (ValueError, KeyError):
            raise ConfigError(
                f"--auto-compaction-retention {text!r} does not fit the mode {mode}",
                "give a duration such as 1h for periodic, a number for revision",
            ) from None
        raise ConfigError(f"--auto-compaction-mode {mode!r} is unknown", "use periodic or revision")


class Compactor:
    """Decides when to compact, and up to where."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._samples: deque[tuple[float, int]] = deque()
        self._done_s = 0.0
        self._done_revision = 0

    @property
    def interval_s(self) -> float | None:
        """How often ``due`` wants to be asked; None when automatic compaction is off."""
        if self._retention.revisions > 0:
            return REVISION_PERIOD_S
        if self._retention.period_s > 0:
            return min(self._retention.period_s, HOUR_S) / SAMPLES_PER_PERIOD
        return None

    def due(self, *, now_s: float, revision: int) -> int | None:
        """Return the revision to compact at now, or None."""
        if self._retention.revisions > 0:
            return self._take(revision - self._retention.revisions)
        self._samples.append((now_s, revision))
        old: int | None = None
        while self._samples and self._samples[0][0] <= now_s - self._retention.period_s:
            old = self._samples.popleft()[1]
        if old is None or now_s - self._done_s < min(self._retention.period_s, HOUR_S):
            return None
        self._done_s = now_s
        return self._take(old)

    def _take(self, revision: int) -> int | None:
        if revision <= self._done_revision:
            return None
        self._done_revision = revision
        return revision
