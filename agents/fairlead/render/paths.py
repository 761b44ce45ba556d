"""Slash-separated paths as Go's package ``path`` treats them, for keys and for confd's functions.

Nothing here touches a file system.  Source: https://pkg.go.dev/path.
"""

import posixpath


def clean(path: str) -> str:
    """Return the shortest equal path: no ``.``, no inner ``..``, no doubled or trailing slash.

    The empty path is ``.``, and ``/..`` is ``/``.
    """
    # POSIX lets a leading "//" mean something of its own; Go and keys do not.
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


def base(path: str) -> str:
    """Return the last element, ``.`` for the empty path and ``/`` for slashes alone."""
    if path == "":
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def directory(path: str) -> str:
    """Return all but the last element, cleaned; ``.`` when there is none."""
    return clean(path.rpartition("/")[0] + "/" if "/" in path else "")


def join(*parts: str) -> str:
    """Return the parts with a slash between, cleaned; empty parts do not count."""
    kept = [part for part in parts if part]
    return clean("/".join(kept)) if kept else ""


def is_under(path: str, root: str) -> bool:
    """Whether ``path`` is ``root`` or below it: ``/foobar`` is not under ``/foo``."""
    return root in {"/", path} or path.startswith(root + "/")
