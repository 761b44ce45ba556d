"""How resources and the keys that they see are named."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from fairlead.render.paths import clean, is_under


def group_name(name: str) -> str:
    """Return what a resource file is called where it does not say: its path below ``conf.d``, without suffix."""
    return str(PurePosixPath(name).with_suffix("")).removeprefix("conf.d/")


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Clean the paths and drop those that lie below another one."""
    kept: list[str] = []
    # With a slash at its end a path comes right before all that lies below it.
    for path in sorted({clean(path) for path in paths}, key=lambda path: f"{path.rstrip('/')}/"):
        if not kept or not is_under(path, kept[-1]):
            kept.append(path)
    return tuple(sorted(kept))
