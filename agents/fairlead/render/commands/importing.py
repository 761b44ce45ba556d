"""``fairlead render import``."""

import json
from pathlib import Path

import click

from fairlead.agent import ConfigError
from fairlead.render.commands.options import counted, json_option
from fairlead.render.importer import ImportRefusedError, import_tree


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="A folder that does not exist yet."
)
@json_option
def import_(*, source: Path, output: Path, as_json: bool) -> int:
    """Turn a tree of confd (/etc/confd) or remco (/etc/remco) into resources and Jinja2 templates.

    Lists what it could not translate, with file and line; 1 when there is any.
    """
    try:
        tree = import_tree(source, output)
    except ImportRefusedError as error:
        raise ConfigError(str(error), "see fairlead render import --help") from error
    for finding in tree.findings:
        line = {"path": finding.path, "line": finding.line, "problem": finding.text}
        click.echo(json.dumps(line, ensure_ascii=False) if as_json else str(finding))
    if not as_json:
        written = sum(name.startswith(("conf.d/", "templates/")) for name in tree.files)
        left = counted(len(tree.findings), "thing")
        click.echo(f"{counted(written, 'file')} written to {output}, {left} left to you", err=True)
    return 1 if tree.findings else 0
