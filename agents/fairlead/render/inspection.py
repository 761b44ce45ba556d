"""Looks at templates without rendering them: do they parse, and does everything that they name exist?"""

import json
from collections.abc import Iterator

from jinja2 import Environment, TemplateError, TemplateNotFound, TemplateSyntaxError, meta, nodes

from fairlead.render.resource import FileSpec

_ALWAYS = frozenset({"item", "loop", "self", "super", "varargs", "kwargs", "caller"})


def inspect_file(environment: Environment, spec: FileSpec, *, names: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with a file's template, its expressions and its schema, one line each.

    Args:
        environment: with the globals and filters of a render.
        spec: which template.
        names: what a render knows beside the globals.
    """
    known = names | _ALWAYS | frozenset(environment.globals)
    yield from _template(environment, spec.src, known=known, seen=set())
    if spec.foreach:
        yield from _text(environment, f"{{{{ {spec.foreach} }}}}", f"foreach: {spec.foreach}", known=known)
        yield from _text(environment, spec.dest, f"dest: {spec.dest}", known=known)
    if spec.schema:
        try:
            json.loads(_source(environment, spec.schema))
        except TemplateNotFound:
            yield f"there is no schema {spec.schema}; put it under templates/"
        except ValueError as error:
            yield f"templates/{spec.schema}: is not JSON: {error}"


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _template(environment: Environment, name: str, *, known: frozenset[str], seen: set[str]) -> Iterator[str]:
    """Look at one template and at all that it includes, imports and extends."""
    if name in seen:
        return
    seen.add(name)
    try:
        source = _source(environment, name)
    except TemplateNotFound:
        yield f"there is no template {name}; put it under templates/"
        return
    except UnicodeDecodeError:
        yield f"templates/{name}: is not UTF-8"
        return
    yield from _text(environment, source, f"templates/{name}", known=known)
    try:
        tree = environment.parse(source, name)
    except TemplateSyntaxError:
        return
    for other in meta.find_referenced_templates(tree):
        # A name that is made up at run time cannot be looked for.
        if other is not None:
            yield from _template(environment, other, known=known, seen=seen)


def _text(environment: Environment, source: str, place: str, *, known: frozenset[str]) -> Iterator[str]:
    try:
        tree = environment.parse(source)
        # Generating the code finds filters and tests that do not exist.
        environment.compile(tree)
    except TemplateSyntaxError as error:
        yield f"{place}:{error.lineno}: {error.message}"
        return
    except TemplateError as error:
        yield f"{place}: {error.message}"
        return
    # What is set in one branch alone counts as set: whether that is the branch taken, only a render can say.
    known |= {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    for name in sorted(meta.find_undeclared_variables(tree) - known):
        lines = [node.lineno for node in tree.find_all(nodes.Name) if node.name == name]
        yield f"{place}:{min(lines, default=0)}: {name!r} is not known"
