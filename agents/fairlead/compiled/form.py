"""Find out which form runs, and that what was compiled is what can be read here.

``make compile`` puts an extension module beside each source that it compiles, and Python prefers those to the sources,
however old they are.  A stamp at the root of each tree, as sha256sum writes it, says what they were made of.
"""

import hashlib
from enum import StrEnum
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import fairlead

STAMP = "compiled.sha256"


class Form(StrEnum):
    """What runs."""

    PYTHON = "python"
    COMPILED = "compiled"


class StaleError(Exception):
    """A module was compiled from another source than the one beside it."""


def form(roots: tuple[Path, ...] | None = None) -> Form:
    """Return which form this interpreter takes; ``roots``: of the trees of sources, by default those in use.

    Raises:
        StaleError: it would run something else than the sources say.
    """
    if roots is None:
        roots = tuple(Path(entry).parent for entry in fairlead.__path__)
    stamps = [stamp for root in roots if (stamp := root / STAMP).is_file()]
    for stamp in stamps:
        _check(stamp)
    # Another version of Python passes over what was compiled for this one.
    is_ours = any(any(stamp.parent.glob(f"*__mypyc{EXTENSION_SUFFIXES[0]}")) for stamp in stamps)
    return Form.COMPILED if is_ours else Form.PYTHON


def _check(stamp: Path) -> None:
    for line in stamp.read_text(encoding="ascii").splitlines():
        digest, _, name = line.partition("  ")
        source = stamp.parent / name
        if not source.is_file() or hashlib.sha256(source.read_bytes()).hexdigest() != digest:
            raise StaleError(
                f"{source} is not what was compiled: type make compile, or make pure to run the sources"
            )
