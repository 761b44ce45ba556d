"""``fairlead render check``."""

import json
from pathlib import Path

import click

from fairlead.render.commands.options import counted, json_option, require_resources, source_options
from fairlead.render.config import RenderSettings
from fairlead.render.environment import Renderer
from fairlead.render.resource import load_resources


@click.command()
@source_options
@json_option
def check(*, confdir: Path, prefix: str, as_json: bool) -> int:
    """Look for mistakes in resources and templates, without a store and without touching anything.

    Every resource must be readable; every template must parse and name only what exists.  1 when one does not.
    """
    settings = require_resources(RenderSettings(confdir=confdir, prefix=prefix))
    loaded = load_resources(settings)
    renderer = Renderer.of(settings)
    problems = [(problem.resource, str(problem)) for problem in loaded.problems]
    for resource in loaded.resources:
        problems += [(resource.name, f"{resource.name}: {line}") for line in renderer.inspect(resource)]
    for name, text in problems:
        click.echo(json.dumps({"resource": name, "problem": text}, ensure_ascii=False) if as_json else text)
    if not as_json:
        click.echo(
            f"{counted(len(loaded.resources), 'resource')}, {counted(len(problems), 'problem')}", err=True
        )
    return 1 if problems else 0
