"""What is held, on disk: an agent that restarts must not lose what it protects."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from fairlead.dns.guard.guard import Held
from fairlead.durable import sync_directory, write_durably


def save_held(path: Path, held: Mapping[bytes, Held]) -> None:
    """Write ``held`` to ``path``, whole or not at all; nothing held removes the file.  Raises OSError."""
    if not held:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
        return
    rows = [
        {"key": b64encode(key).decode(), "value": b64encode(one.value).decode(), "revision": one.revision}
        for key, one in held.items()
    ]
    write_durably(path, json.dumps({"held": rows}).encode())


def load_held(path: Path) -> dict[bytes, Held]:
    """Return what was held; nothing when there is no file.  Raises OSError, or ValueError for a damaged one."""
    try:
        return dict(_held_of(row) for row in json.loads(path.read_text(encoding="utf-8"))["held"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged") from error


def _held_of(row: dict[str, object]) -> tuple[bytes, Held]:
    key, value, revision = row["key"], row["value"], row["revision"]
    if not isinstance(key, str) or not isinstance(value, str) or not isinstance(revision, int):
        raise TypeError(row)
    return b64decode(key, validate=True), Held(b64decode(value, validate=True), revision)
