"""The template renderer: keys in, configuration files and reloads out.

It never writes a file that its check refused, never renders from two store revisions at once, and never
takes a failed lookup for an empty answer.  It holds no copy of confd's code; what it takes from confd, the
resource fields and the functions, follows confd's documentation and behaviour (see README.md).
"""

from fairlead.render.config import RenderSettings
from fairlead.render.environment import Renderer
from fairlead.render.errors import RenderError
from fairlead.render.rendered import Rendered
from fairlead.render.resource import Resource, load_resources
from fairlead.render.view import Snapshot

__all__ = [
    "RenderError",
    "RenderSettings",
    "Rendered",
    "Renderer",
    "Resource",
    "Snapshot",
    "load_resources",
]
