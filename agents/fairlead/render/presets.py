"""``app: NAME`` in a resource fills in what the file leaves out: check, reload and verify of a known program."""

from collections.abc import Mapping
from typing import Any

from fairlead.render.errors import ResourceError

PRESETS: Mapping[str, Mapping[str, Any]] = {}
"""Name of the program to the fields that it brings, as a resource file would write them."""


def expand_preset(document: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the resource with the fields of its ``app`` where it has none of its own.

    Args:
        document: the resource file, parsed; ``app`` is set.
        name: the file, for messages.

    Raises:
        ResourceError: there is no such preset.
    """
    app = document["app"]
    if app not in PRESETS:
        known = ", ".join(sorted(PRESETS)) or "none"
        raise ResourceError(name, f"app {app!r} is unknown; known are: {known}")
    return {**PRESETS[app], **document}
