"""When reboots are welcome: some days of the week, from a time of day on, for so long.  Pure.

Times are on the wall of the zone's place: where clocks go forward, a start that does not exist is taken an hour
later; where they go back, the first of the two counts, and the length is that of a stopwatch.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LENGTH_MAX = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window.

    Attributes:
        days: on which it opens, as in DAYS.
        start: when it opens on each of them.
        length: for how long; over midnight too.
        zone: whose wall clock ``start`` is read from.
    """

    days: frozenset[str] = frozenset(DAYS)
    start: time = time(0)
    length: timedelta = timedelta(days=1)
    zone: ZoneInfo

    def is_open(self, at: datetime) -> bool:
        """Whether ``at``, a time with a zone, is inside."""
        return self.closes(at) is not None

    def closes(self, at: datetime) -> datetime | None:
        """Return when the window that is open at ``at`` closes, in UTC; None when none is."""
        ends = [opened + self.length for opened in self._openings(at) if opened <= at < opened + self.length]
        return max(ends, default=None)

    def opens(self, at: datetime) -> datetime:
        """Return when the next window opens, ``at`` or later, in UTC."""
        return min(opened for opened in self._openings(at) if opened >= at)

    def _openings(self, at: datetime) -> list[datetime]:
        """Return the openings of a week before to a week after ``at``."""
        today = at.astimezone(self.zone).date()
        days = [today + timedelta(days=offset) for offset in range(-8, 9)]
        return [
            datetime.combine(day, self.start, tzinfo=self.zone).astimezone(UTC)
            for day in days
            if DAYS[day.weekday()] in self.days
        ]
