"""Templates: Jinja2 in a sandbox, with confd's functions, and errors that name template and line.

An undefined name is an error (never an empty text), nothing is escaped (these are not web pages), and the
final line end stays.  What a template does wrong is the operator's to mend, whatever Python calls it, so
every exception of a render becomes a ``TemplateError``; there is no other way out of ``Renderer.render``.

All files of a resource are rendered in one go with one view: what any of them reads, all of them depend on.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path, PurePosixPath
from typing import Any, Self

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from fairlead.render.config import RenderSettings
from fairlead.render.errors import LookupFailedError, TemplateError, TemplateFault
from fairlead.render.formats import check_output
from fairlead.render.functions import FILTERS, PURE
from fairlead.render.gotemplate.runtime import Go
from fairlead.render.inspection import inspect_file
from fairlead.render.jsonio import INTEGER_MAX
from fairlead.render.lookup import REFRESH_S, WORLD
from fairlead.render.quoting import QUOTING
from fairlead.render.rendered import Rendered, RenderedFile
from fairlead.render.resource import Delimiters, FileSpec, Resource
from fairlead.render.secrets import SEALED, Vault, redact
from fairlead.render.view import Snapshot, View, to_bytes

_VIEW_FUNCTIONS = ("exists", "get", "getv", "gets", "getvs", "ls", "lsdir")
_CONTEXT_NAMES = (*_VIEW_FUNCTIONS, "secret", "revision", "go")
_MAKE_LOOPS: Mapping[str, Callable[..., Sized]] = {"range": safe_range, "seq": PURE["seq"]}
LOOP_ITEMS_MAX = 1_000_000
"""Numbers that ``range`` and ``seq`` give in one render: a loop inside a loop must come to an end in its time."""
INCLUDES_MAX = 10
"""How deep ``go.include`` goes, as in the fork."""


class Renderer:
    """Renders resources; keeps compiled templates until the file changes.

    Args:
        template_dir: where ``src`` is looked up, as well as what templates include, import or extend.
        output_bytes_max: a longer output is an error.
        world: the functions that look outside; a test gives its own.
        vault: opens sealed values for ``secret``.
    """

    def __init__(
        self,
        template_dir: Path,
        *,
        output_bytes_max: int,
        world: Mapping[str, Callable[..., Any]] = WORLD,
        vault: Vault | None = None,
    ) -> None:
        self._template_dir = template_dir
        self._output_bytes_max = output_bytes_max
        self._world = world
        self._vault = vault or Vault()
        self._environments: dict[Delimiters, ImmutableSandboxedEnvironment] = {}

    @classmethod
    def of(cls, settings: RenderSettings) -> Self:
        """Return the renderer of a configuration directory."""
        return cls(
            settings.template_dir,
            output_bytes_max=settings.limits.output_bytes_max,
            vault=Vault(settings.secret_key_file),
        )

    def render(self, resource: Resource, snapshot: Snapshot) -> Rendered:
        """Render all files of one resource; never raises for what a template may contain."""
        view = View(snapshot, root=resource.root, visible=resource.visible)
        run = _Run(
            self._environment(resource.delimiters),
            view,
            world=self._world,
            vault=self._vault,
            output_bytes_max=self._output_bytes_max,
        )
        files: tuple[RenderedFile, ...] | None = None
        counts: dict[str, int] = {}
        error = None
        try:
            files = run.files(resource)
            counts = {guard.expression: run.count(guard.expression) for guard in resource.guards}
        except Exception as problem:  # noqa: BLE001 - a template can raise anything, and it is never our bug
            files = None
            error = self._explain(resource, problem, at=run.at, secrets=run.secrets)
        return Rendered(
            resource=resource,
            revision=snapshot.revision,
            inputs=0 if resource.rollout is None else snapshot.newest(view.dependencies),
            dependencies=view.dependencies,
            files=files,
            counts=counts,
            secrets=frozenset(run.secrets),
            error=error,
        )

    def inspect(self, resource: Resource) -> list[str]:
        """Return what is wrong with the resource's templates that can be seen without any key."""
        environment = self._environment(resource.delimiters)
        names = frozenset({*_CONTEXT_NAMES, "dot"})
        found = [line for spec in resource.files for line in inspect_file(environment, spec, names=names)]
        return list(dict.fromkeys(found))

    def _environment(self, delimiters: Delimiters) -> ImmutableSandboxedEnvironment:
        """Return the environment for these delimiters; most resources share one."""
        environment = self._environments.get(delimiters)
        if environment is None:
            environment = self._environments[delimiters] = self._new_environment(delimiters)
        return environment

    def _new_environment(self, delimiters: Delimiters) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self._template_dir),
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            # A line that holds only a {% tag %} leaves no blank line behind, as Ansible has it.
            trim_blocks=True,
            lstrip_blocks=True,
            variable_start_string=delimiters.variable[0],
            variable_end_string=delimiters.variable[1],
            block_start_string=delimiters.block[0],
            block_end_string=delimiters.block[1],
            comment_start_string=delimiters.comment[0],
            comment_end_string=delimiters.comment[1],
            # {% break %} and {% continue %}.
            extensions=["jinja2.ext.loopcontrols"],
        )
        environment.globals |= {**PURE, **QUOTING, **self._world}
        environment.filters |= {**{name: PURE[name] for name in FILTERS}, **QUOTING}
        return environment

    def _explain(
        self, resource: Resource, problem: Exception, *, at: str, secrets: Iterable[str]
    ) -> TemplateError:
        """Say where in which template, and what; a secret that the message would quote is hidden."""
        place = self._place(problem) or at
        is_transient = isinstance(problem, LookupFailedError)
        text = redact(_describe(problem), secrets)
        return TemplateError(resource.name, f"{place}: {text}", is_transient=is_transient)

    def _place(self, problem: Exception) -> str | None:
        """Return ``templates/NAME:LINE`` of the innermost template, None when no template ran."""
        if isinstance(problem, TemplateSyntaxError) and problem.name is not None:
            return f"templates/{problem.name}:{problem.lineno}"
        # Jinja rewrites the traceback so that its frames lie in the template files.
        for frame in reversed(traceback.extract_tb(problem.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(self._template_dir):
                return f"templates/{path.relative_to(self._template_dir)}:{frame.lineno}"
        return None


class _Run:
    """One render of one resource.

    Attributes:
        at: what is being rendered, for an error that does not say so itself.
        secrets: the values that ``secret`` gave.
    """

    def __init__(
        self,
        environment: ImmutableSandboxedEnvironment,
        view: View,
        *,
        world: Mapping[str, Callable[..., Any]],
        vault: Vault,
        output_bytes_max: int,
    ) -> None:
        self._environment = environment
        self._view = view
        self._vault = vault
        self._output_bytes_max = output_bytes_max
        self._functions: dict[str, Any] = {name: getattr(view, name) for name in _VIEW_FUNCTIONS}
        self._functions |= {name: self._observed(name, function) for name, function in world.items()}
        self._functions |= {name: self._counted(function) for name, function in _MAKE_LOOPS.items()}
        self._functions |= {
            "secret": self._secret,
            "revision": view.revision,
            "dot": None,
            "go": Go(view, include=self._include),
        }
        self._includes = 0
        self._loop_items = 0
        self._secret_reads = 0
        self.at = ""
        self.secrets: set[str] = set()

    def files(self, resource: Resource) -> tuple[RenderedFile, ...]:
        """Return every file of the resource, in its order."""
        files: dict[str, RenderedFile] = {}
        for spec in resource.files:
            for file in self._files_of(spec):
                if file.dest in files:
                    raise TemplateFault(f"two files go to {file.dest}")
                files[file.dest] = file
        return tuple(files.values())

    def _files_of(self, spec: FileSpec) -> Iterator[RenderedFile]:
        if not spec.foreach:
            yield self._file(spec, spec.dest, {})
            return
        for item in self._items(spec.foreach):
            yield self._file(spec, self._dest(spec.dest, item), {"item": item})

    def _file(self, spec: FileSpec, dest: str, variables: Mapping[str, Any]) -> RenderedFile:
        reads = self._secret_reads
        content = self._content(spec.src, variables)
        if SEALED.encode() in content:
            raise TemplateFault("a sealed value would go into the file as it is; read it with secret()")
        if spec.format or spec.schema:
            check_output(content, form=spec.format, schema=self._source(spec.schema) if spec.schema else None)
        return RenderedFile(spec=spec, dest=dest, content=content, is_secret=self._secret_reads > reads)

    def _source(self, name: str) -> str:
        assert self._environment.loader is not None
        return self._environment.loader.get_source(self._environment, name)[0]

    def _observed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, with a note in the dependencies of what it was asked."""

        def asked(*arguments: Any, **named: Any) -> Any:
            question = " ".join(map(str, (name, *arguments, *named.values())))
            known = self._view.dependencies.world
            # A lookup that fails was asked too.
            known[question] = REFRESH_S.get(name)
            answer = function(*arguments, **named)
            known[question] = getattr(answer, "ttl_s", known[question])
            return answer

        return asked

    def _counted(self, function: Callable[..., Sized]) -> Callable[..., Sized]:
        """Return the function, held to a number of items for the whole render."""

        def counted(*arguments: Any) -> Sized:
            made = function(*arguments)
            self._loop_items += len(made)
            if self._loop_items > LOOP_ITEMS_MAX:
                raise TemplateFault(
                    f"loops over more than {LOOP_ITEMS_MAX} numbers; is one inside of another?"
                )
            return made

        return counted

    def _secret(self, key: str, *default: str) -> str:
        """Return the value in the clear, and mark the file that it goes into."""
        self._secret_reads += 1
        value = self._vault.open(self._view.getv(key, *default), name=self._view.full_name(key))
        self.secrets.add(value)
        return value

    def _items(self, foreach: str) -> list[Any]:
        self.at = f"foreach: {foreach}"
        items = self._evaluate(foreach)
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise TemplateFault(f"foreach takes a list, not {items!r}")
        return list(items)

    def _dest(self, dest: str, item: Any) -> str:
        """Return the destination of one item; an item from a key must not lead anywhere else."""
        self.at = f"dest: {dest}"
        path = self._environment.from_string(dest).render({**self._functions, "item": item})
        if "\0" in path or not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise TemplateFault(f"{path!r} is not an absolute path without ..")
        if isinstance(item, str) and ("/" in item or item.startswith(".")):
            raise TemplateFault(f"the item {item!r} would lead to another directory, or be hidden")
        return path

    def count(self, expression: str) -> int:
        """Return how much a guard's expression gives: items, characters, or the number itself."""
        self.at = f"guards: {expression}"
        value = self._evaluate(expression)
        if isinstance(value, int):
            if abs(value) > INTEGER_MAX:
                raise TemplateFault("a guard compares numbers of up to 64 bits")
            return int(value)
        if isinstance(value, Sized):
            return len(value.strip()) if isinstance(value, str) else len(value)
        raise TemplateFault(f"a guard counts a list, a text or a number, not {value!r}")

    def _evaluate(self, expression: str) -> Any:
        return self._environment.compile_expression(expression, undefined_to_none=False)(self._functions)

    def _content(self, src: str, variables: Mapping[str, Any]) -> bytes:
        self.at = f"templates/{src}"
        template = self._environment.get_template(src)
        pieces: list[bytes] = []
        size = 0
        for piece in template.generate({**self._functions, **variables}):
            pieces.append(to_bytes(piece))
            size += len(pieces[-1])
            if size > self._output_bytes_max:
                raise OverflowError(f"the output is longer than {self._output_bytes_max} bytes")
        return b"".join(pieces)

    def _include(self, src: str, dot: object = None) -> str:
        """Render another template to a text: the ``include`` of confd's fork, for converted templates."""
        if self._includes >= INCLUDES_MAX:
            raise TemplateFault(f"{src} is included {INCLUDES_MAX} files deep; does it include itself?")
        self._includes += 1
        try:
            return self._environment.get_template(src).render({**self._functions, "dot": dot})
        finally:
            self._includes -= 1


def _describe(problem: Exception) -> str:
    """Return what happened and, where it is known, what to do."""
    text = str(problem) or type(problem).__name__
    if isinstance(problem, TemplateNotFound):
        return f"there is no template {problem.name}; put it under templates/"
    if isinstance(problem, UndefinedError) and any(f"'{name}' is" in text for name in _CONTEXT_NAMES):
        return f"{text}; import the template 'with context'"
    if isinstance(problem, TemplateSyntaxError) and "got 'string'" in text:
        return f"{text}; this is Jinja2, where a call has brackets: getv('/key')"
    return text
