"""Field lines of a head: strictly checked, sorted by what the proxy does with them, and remembered.

Most lines of most heads have been seen before: the browsers' names, what they accept, the same cookie with every
request.  So a line is checked once and then looked up, a dictionary for the whole process, bounded and thrown
away when it is full.  A parser in C that calls back for each field takes longer, and its leniencies would have to
be caught in the same loop.  Sans-IO.

Source: RFC 9110, sections 5.1 and 5.5; RFC 9112, section 5 (no line folding, no space before the colon).
"""

from collections.abc import Callable, Iterable
from typing import Final

from fairlead.proxy.headers import TOKEN, Fields

# All that a value may hold: what is left of it without these is what it may not.
_VALUE_BYTES = bytes([9, *range(32, 127), *range(128, 256)])
_KNOWN_MAX = 8192
_KNOWN_BYTES_MAX = 512
"""Of a line that is remembered: with the number above, what the memory of it may cost."""

PASSED: Final = 0
SPECIAL: Final = 1
FORWARDED: Final = 2
DROPPED: Final = 3
Role = int


def has_bare_line_feed(data: bytes) -> bool:
    """Whether a line of an unfinished head ends without CR: then no CR LF CR LF is to be waited for (RFC 9112, section 2.2)."""
    return data.count(b"\n") != data.count(b"\r\n")


class MalformedLine(Exception):  # noqa: N818  a reader of the head says whose fault it is
    """It is no field line."""


class Line:
    """One field.  Shared by every head that holds it, and never changed.

    Attributes:
        name: lower-case.
        value: without white space around it.
        role: PASSED on as it is; SPECIAL: read by the proxy itself; FORWARDED: of the X-Forwarded family;
            DROPPED.
        data: the line as it is passed on, with CR LF.
    """

    __slots__ = ("data", "name", "original_name", "role", "value")

    def __init__(self, original_name: bytes, name: bytes, value: bytes, *, role: Role) -> None:
        self.original_name = original_name
        self.name = name
        self.value = value
        self.role = role
        self.data = b"%b: %b\r\n" % (original_name, value)


class LineReader:
    """Reads lines; one for all requests, and one for all responses."""

    __slots__ = ("_known", "_names", "_role_of", "_seen_once")

    def __init__(self, role_of: Callable[[bytes], Role]) -> None:
        """Sort by ``role_of``, which gets a lower-case name."""
        self._role_of = role_of
        self._known: dict[bytes, Line] = {}
        self._seen_once: set[int] = set()
        self._names: dict[bytes, tuple[bytes, Role]] = {}

    def read(self, lines: Iterable[bytes]) -> list[Line]:
        """Return the fields in ``lines``, which come without their CR LF.

        Raises:
            MalformedLine: one of them is no field line.
        """
        get, learn = self._known.get, self._learn
        return [get(line) or learn(line) for line in lines]

    def _learn(self, raw: bytes) -> Line:
        original_name, colon, value = raw.partition(b":")
        name, role = self._names.get(original_name) or self._learn_name(original_name)
        if not colon or value.translate(None, _VALUE_BYTES):
            raise MalformedLine
        line = Line(original_name, name, value.strip(b" \t"), role=role)
        if len(raw) <= _KNOWN_BYTES_MAX:
            self._remember(raw, line)
        return line

    def _remember(self, raw: bytes, line: Line) -> None:
        """Keep ``line`` if it has come before: what comes once only would push the others out."""
        key = hash(raw)
        if key not in self._seen_once:
            if len(self._seen_once) >= _KNOWN_MAX:
                self._seen_once.clear()
            self._seen_once.add(key)
            return
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[raw] = line

    def _learn_name(self, original_name: bytes) -> tuple[bytes, Role]:
        if TOKEN.fullmatch(original_name) is None:
            raise MalformedLine
        name = original_name.lower()
        known = (name, self._role_of(name))
        if len(name) <= _KNOWN_BYTES_MAX:
            if len(self._names) >= _KNOWN_MAX:
                self._names.clear()
            self._names[original_name] = known
        return known


def passed_data(lines: Iterable[Line]) -> bytes:
    """Return what is passed on of ``lines``."""
    return b"".join([line.data for line in lines if not line.role])


def as_fields(lines: Iterable[Line], role: Role) -> Fields:
    """Return the fields of one role as pairs."""
    return [(line.original_name, line.value) for line in lines if line.role == role]
