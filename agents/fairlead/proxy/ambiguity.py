"""Paths that two programs may read in two ways, so that a rule for one of them can be passed by as the other.

The proxy routes on one path and forwards those very bytes: the raw one, or that without dot segments and empty ones.  Servers decode, join and cut: what was refused as
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
_UNCLEAN = re.compile(rb"//|/(?:\.|%2[eE]){1,2}(?:/|$)")
_DOTS = {b".": 1, b"%2e": 1, b"..": 2, b".%2e": 2, b"%2e.": 2, b"%2e%2e": 2}


class Ambiguity:
    """Looks for what is refused."""

    __slots__ = ("_cleans", "_is_strict", "_pattern")

    def __init__(self, kinds: Iterable[str] = (), *, cleans: bool = False) -> None:
        """Refuse ``kinds``, each a name in KINDS, and NUL; ``cleans``: what is left is made clean."""
        kinds = list(kinds)
        self._cleans = cleans
        self._is_strict = bool(kinds)
        self._pattern = re.compile(b"|".join([_NUL, *(KINDS[each] for each in kinds)]))

    def in_path(self, path: bytes) -> bytes:
        """Return what is ambiguous in ``path``, or ``b""``."""
        if not self._is_strict:
            return _NUL if _NUL in path else b""
        found = self._pattern.search(path)
        return found[0] if found is not None else b""

    def cleaned(self, path: bytes) -> bytes:
        """Return the path that is matched and forwarded: without ``//``, ``/./`` and ``/../`` if that is wanted.

        As Traefik does it: what ends in a slash still does, and ``..`` leads nowhere above the root.
        """
        if not self._cleans or _UNCLEAN.search(path) is None:
            return path
        kept: list[bytes] = []
        for segment in path.split(b"/"):
            dots = _DOTS.get(segment.lower(), 0)
            if dots == 2:
                del kept[-1:]
            elif segment and not dots:
                kept.append(segment)
        end = b"/" if kept and path.endswith(b"/") else b""
        return b"/" + b"/".join(kept) + end
