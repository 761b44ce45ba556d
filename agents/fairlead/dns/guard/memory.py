"""What is held, on disk: an agent that restarts must not lose what it protects."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from fairlead.dns.guard.guard import Held


def save_held(path: Path, held: Mapping[bytes, Held]) -> None:
    """Write ``held`` to ``path``, whole or not at all; nothing held removes the file.  Raises OSError."""
    if not held:
        path.unlink(missing_ok=True)
        return
    rows = [
        {"key": b64encode(key).decode(), "value": b64encode(one.value).decode(), "revision": one.revision}
        for key, one in held.items()
    ]
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"held": rows}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load_held(path: Path) -> dict[bytes, Held]:
    """Return what was held; nothing when there is no file.  Raises OSError, or ValueError for a damaged one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        return {
            b64decode(row["key"]): Held(b64decode(row["value"]), int(row["revision"]))
            for row in json.loads(text)["held"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a list of held keys") from error
