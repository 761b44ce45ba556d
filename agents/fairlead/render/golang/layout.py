"""``time.Time`` as Go writes it: ``String`` and the layouts of ``Format``.

A layout shows the reference time, ``Mon Jan 2 15:04:05 MST 2006``, as it wants every time to be shown.
Source: https://pkg.go.dev/time#pkg-constants.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STRING = "2006-01-02 15:04:05.999999999 -0700 MST"


def month_name(time: datetime) -> str:
    """Return the month, in full."""
    return _MONTHS[time.month - 1]


def weekday_name(time: datetime) -> str:
    """Return the day of the week, in full."""
    return _DAYS[time.weekday()]


def _offset(time: datetime, *, colon: str = ":", seconds: bool = False, minutes: bool = True) -> str:
    offset = time.utcoffset()
    total = 0 if offset is None else int(offset.total_seconds())
    sign, total = ("-", -total) if total < 0 else ("+", total)
    parts = [f"{total // 3600:02d}"]
    if minutes:
        parts.append(f"{total // 60 % 60:02d}")
    if seconds:
        parts.append(f"{total % 60:02d}")
    return sign + colon.join(parts)


def _zulu(**how: object) -> Callable[[datetime], str]:
    return lambda time: "Z" if not time.utcoffset() else _offset(time, **how)  # type: ignore[arg-type]


def _zone(time: datetime) -> str:
    return time.tzname() or _offset(time, colon="", minutes=False)


def _hour12(time: datetime) -> int:
    return time.hour % 12 or 12


# Longer words first, so that "2006" is not read as a "2" and a "006".
_WORDS: Mapping[str, Callable[[datetime], str]] = {
    "January": month_name,
    "Jan": lambda t: month_name(t)[:3],
    "Monday": weekday_name,
    "Mon": lambda t: weekday_name(t)[:3],
    "MST": _zone,
    "2006": lambda t: f"{t.year:04d}",
    "-07:00:00": lambda t: _offset(t, seconds=True),
    "-070000": lambda t: _offset(t, colon="", seconds=True),
    "-07:00": _offset,
    "-0700": lambda t: _offset(t, colon=""),
    "-07": lambda t: _offset(t, minutes=False),
    "Z07:00:00": _zulu(seconds=True),
    "Z070000": _zulu(colon="", seconds=True),
    "Z07:00": _zulu(),
    "Z0700": _zulu(colon=""),
    "Z07": _zulu(minutes=False),
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "01": lambda t: f"{t.month:02d}",
    "02": lambda t: f"{t.day:02d}",
    "03": lambda t: f"{_hour12(t):02d}",
    "04": lambda t: f"{t.minute:02d}",
    "05": lambda t: f"{t.second:02d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "15": lambda t: f"{t.hour:02d}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "_2": lambda t: f"{t.day:2d}",
    "1": lambda t: str(t.month),
    "2": lambda t: str(t.day),
    "3": lambda t: str(_hour12(t)),
    "4": lambda t: str(t.minute),
    "5": lambda t: str(t.second),
}
_FRACTION = r"[.,](?:0+|9+)(?![0-9])"
# "Jan" inside "Janus" is no month; "_2006" is an underscore and a year.
_LAYOUT = re.compile(
    f"(?P<fraction>{_FRACTION})|_(?=2006)|"
    + "|".join(word + ("(?![a-z])" if word in {"Jan", "Mon"} else "") for word in _WORDS)
)


def format_time(time: datetime, layout: str) -> str:
    """Return ``time.Format(layout)``."""

    def shown(match: re.Match[str]) -> str:
        if match["fraction"]:
            return _fraction(time, match["fraction"])
        return match[0] if match[0] == "_" else _WORDS[match[0]](time)

    return _LAYOUT.sub(shown, layout)


def _fraction(time: datetime, word: str) -> str:
    digits = f"{time.microsecond:06d}000"[: len(word) - 1].ljust(len(word) - 1, "0")
    if word[1] == "9":
        digits = digits.rstrip("0")
    return word[0] + digits if digits else ""


def time_text(time: datetime) -> str:
    """Return ``time.String()``, without the monotonic clock's reading, which means nothing in a file."""
    return format_time(time, _STRING)
