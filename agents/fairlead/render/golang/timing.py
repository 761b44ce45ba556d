"""The methods of ``time.Time`` that templates call beside ``Format``."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fairlead.render.golang.layout import month_name, time_text, weekday_name


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


TIME_METHODS: Mapping[str, Callable[..., Any]] = {
    "Day": lambda time: time.day,
    "Hour": lambda time: time.hour,
    "Local": lambda time: time.astimezone(),
    "Minute": lambda time: time.minute,
    "Month": month_name,
    "Nanosecond": lambda time: time.microsecond * 1000,
    "Second": lambda time: time.second,
    "String": time_text,
    "UTC": _in_utc,
    "Unix": lambda time: int(time.timestamp()),
    "UnixNano": lambda time: int(time.timestamp()) * 1_000_000_000 + time.microsecond * 1000,
    "Weekday": weekday_name,
    "Year": lambda time: time.year,
    "YearDay": lambda time: time.timetuple().tm_yday,
}
"""Name to function; all but ``Format``, which takes an argument."""
