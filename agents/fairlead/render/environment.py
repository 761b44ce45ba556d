"""Templates: Jinja2 in a sandbox, with confd's functions, and errors that name template and line.

An undefined name is an error (never an empty text), nothing is escaped (these are not web pages), and the
final line end stays.  What a template does wrong is the operator's to mend, whatever Python calls it, so
every exception of a render becomes a ``TemplateError``; there is no other way out of ``Renderer.render``.
"""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fairlead.render.errors import LookupFailedError, TemplateError
from fairlead.render.functions import FILTERS, PURE
from fairlead.render.lookup import WORLD
from fairlead.render.rendered import Rendered
from fairlead.render.resource import Resource
from fairlead.render.view import Snapshot, View, to_bytes

_VIEW_FUNCTIONS = ("exists", "get", "getv", "gets", "getvs", "ls", "lsdir")


class Renderer:
    """Renders resources; keeps compiled templates until the file changes.

    Args:
        template_dir: where ``src`` is looked up, as well as what templates include, import or extend.
        output_bytes_max: a longer output is an error.
        world: the functions that look outside; a test gives its own.
    """

    def __init__(
        self,
        template_dir: Path,
        *,
        output_bytes_max: int,
        world: Mapping[str, Callable[..., Any]] = WORLD,
    ) -> None:
        self._template_dir = template_dir
        self._output_bytes_max = output_bytes_max
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(template_dir),
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            # A line that holds only a {% tag %} leaves no blank line behind, as Ansible has it.
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {**PURE, **world}
        self._environment.filters |= {name: PURE[name] for name in FILTERS}

    def render(self, resource: Resource, snapshot: Snapshot) -> Rendered:
        """Render one resource; never raises for what a template may contain."""
        view = View(snapshot, root=resource.root, visible=resource.visible)
        content, error = None, None
        try:
            content = self._run(resource.src, view)
        except Exception as problem:  # noqa: BLE001 - a template can raise anything, and it is never our bug
            error = self._explain(resource, problem)
        return Rendered(
            resource=resource,
            revision=snapshot.revision,
            dependencies=view.dependencies,
            content=content,
            error=error,
        )

    def _run(self, src: str, view: View) -> bytes:
        template = self._environment.get_template(src)
        pieces: list[bytes] = []
        size = 0
        for piece in template.generate({name: getattr(view, name) for name in _VIEW_FUNCTIONS}):
            pieces.append(to_bytes(piece))
            size += len(pieces[-1])
            if size > self._output_bytes_max:
                raise OverflowError(f"the output is longer than {self._output_bytes_max} bytes")
        return b"".join(pieces)

    def _explain(self, resource: Resource, problem: Exception) -> TemplateError:
        """Say where in which template, and what."""
        place = self._place(problem) or f"templates/{resource.src}"
        is_transient = isinstance(problem, LookupFailedError)
        return TemplateError(resource.name, f"{place}: {_describe(problem)}", is_transient=is_transient)

    def _place(self, problem: Exception) -> str | None:
        """Return ``templates/NAME:LINE`` of the innermost template, None when no template ran."""
        if isinstance(problem, TemplateSyntaxError):
            return f"templates/{problem.name}:{problem.lineno}"
        # Jinja rewrites the traceback so that its frames lie in the template files.
        for frame in reversed(traceback.extract_tb(problem.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(self._template_dir):
                return f"templates/{path.relative_to(self._template_dir)}:{frame.lineno}"
        return None


def _describe(problem: Exception) -> str:
    """Return what happened and, where it is known, what to do."""
    text = str(problem) or type(problem).__name__
    if isinstance(problem, TemplateNotFound):
        return f"there is no template {problem.name}; put it under templates/"
    if isinstance(problem, UndefinedError) and any(f"'{name}' is" in text for name in _VIEW_FUNCTIONS):
        return f"{text}; import the template 'with context'"
    if isinstance(problem, TemplateSyntaxError) and "got 'string'" in text:
        return f"{text}; this is Jinja2, where a call has brackets: getv('/key')"
    return text
