"""Paths that two programs may read in two ways, so that a rule for one of them can be passed by as the other.

The proxy routes on the raw path and forwards those very bytes.  Servers decode, join and cut: what was refused as
``/admin`` reaches them as ``/x/..%2fadmin``.  Whether that is an attack or a name is known to whom the routes
belong, so that refusing is an option, but for NUL, which is never a name.

Source: RFC 3986, sections 3.3 and 6.2.2; RFC 9110, section 17.
"""

import re
from collections.abc import Iterable

KINDS = {
    "encoded-slash": rb"%2[fF]|%5[cC]|\\",
    "dot-segments": rb"(?:^|/)(?:\.|%2[eE]){1,2}(?=/|;|$)",
    "empty-segments": rb"//",
    "parameters": rb";|%3[bB]",
}
"""What may be refused, and how it looks."""
ALL = "all"
_NUL = rb"%00"


class Ambiguity:
    """Looks for what is refused."""

    __slots__ = ("_is_strict", "_pattern")

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        """Refuse ``kinds``, each a name in KINDS, and NUL."""
        kinds = list(kinds)
        self._is_strict = bool(kinds)
        self._pattern = re.compile(b"|".join([_NUL, *(KINDS[each] for each in kinds)]))

    def in_path(self, path: bytes) -> bytes:
        """Return what is ambiguous in ``path``, or ``b""``."""
        if not self._is_strict:
            return _NUL if _NUL in path else b""
        found = self._pattern.search(path)
        return found[0] if found is not None else b""
