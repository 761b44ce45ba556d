"""What a render hands on to the plan and to the file system."""

from dataclasses import dataclass

from fairlead.render.errors import TemplateError
from fairlead.render.resource import Resource
from fairlead.render.view import Dependencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One template's output at one revision, or why there is none.

    Attributes:
        content: the bytes for the destination; None when ``error`` is set.
        dependencies: what was read, up to the error where there was one: a missing key that is written
            later renders the template again.
    """

    resource: Resource
    revision: int
    dependencies: Dependencies
    content: bytes | None = None
    error: TemplateError | None = None
