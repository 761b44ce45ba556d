"""``app: NAME`` in a resource fills in what the file leaves out: check, reload and verify of a known program.

The presets themselves are data: ``presets.yaml``, with the reason beside whatever is not obvious.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fairlead.render.errors import ResourceError


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """Return the name of each program and the fields that it brings, as a resource file would write them."""
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("presets.yaml").read_text()
    )
    return found


def expand_preset(document: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the resource with the fields of its ``app`` where it has none of its own.

    Args:
        document: the resource file, parsed; ``app`` is set.
        name: the file, for messages.

    Raises:
        ResourceError: there is no such preset.
    """
    app = document["app"]
    if app not in presets():
        known = ", ".join(presets())
        raise ResourceError(name, f"app {app!r} is unknown; known are: {known}")
    return {**presets()[app], **document}
