"""What a render hands on to the plan and to the file system."""

import hashlib
from dataclasses import dataclass, field

from fairlead.render.errors import RenderError
from fairlead.render.resource.model import FileSpec, Resource
from fairlead.render.view import Dependencies


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFile:
    """One file as the keys want it.

    Attributes:
        spec: what asked for it.
        dest: where it goes; for ``foreach``, with the item put in.
        content: the bytes.
        is_secret: a secret is inside: never shown, never kept in the history, 0600 unless said otherwise.
        digest: SHA-256 of the content, in hex.
    """

    spec: FileSpec
    dest: str
    content: bytes = field(repr=False)
    is_secret: bool = False
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # Here, and not where it is needed, since rendering has a thread of its own.
        object.__setattr__(self, "digest", hashlib.sha256(self.content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One resource's files at one revision, or why there are none.

    Attributes:
        files: all of them, each ``dest`` once; None when ``error`` is set.
        inputs: the revision of the newest key that was read; 0 where nobody asks (only rollouts do).
        counts: what each guard's expression gave, for the comparison with the next change.
        secrets: the values that must not appear in any message, such as a command's output; see ``secrets.redact``.
        dependencies: what was read, up to the error where there was one: a missing key that is written
            later renders the resource again.
        error: a template or a guard that stands in the way.
    """

    resource: Resource
    revision: int
    inputs: int = 0
    dependencies: Dependencies
    files: tuple[RenderedFile, ...] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    error: RenderError | None = None
