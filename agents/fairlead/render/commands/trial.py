"""``fairlead render test``."""

import json
from pathlib import Path

import click

from fairlead.agent import ConfigError
from fairlead.render.commands.options import json_option, require_resources, source_options
from fairlead.render.config import RenderSettings
from fairlead.render.resource import Resource, load_resources
from fairlead.render.trial import Case, CaseError, differences, load_cases, run_case, write_golden

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@source_options
@click.option("--update", is_flag=True, help="Take what the templates give now as the expected.")
@json_option
@click.argument("names", nargs=-1, metavar="[CASE]...")
def test(*, confdir: Path, prefix: str, update: bool, as_json: bool, names: tuple[str, ...]) -> int:
    """Run the template tests in CONFDIR/tests, or those named; 1 when one fails.

    A case is tests/CASE.yaml with its keys; the files that it must give are in tests/CASE/.
    """
    settings = require_resources(RenderSettings(confdir=confdir, prefix=prefix))
    loaded = load_resources(settings)
    for problem in loaded.problems:
        click.echo(str(problem), err=True)
    failed = bool(loaded.problems)
    for case in _cases(settings, names):
        try:
            found = _try(case, settings, loaded.resources, is_update=update)
        except OSError as error:
            raise ConfigError(f"{error.filename}: {error.strerror}", f"see {case.golden}") from error
        failed = failed or bool(found)
        _tell(case, found, as_json=as_json)
    return 1 if failed else 0


def _try(
    case: Case, settings: RenderSettings, resources: tuple[Resource, ...], *, is_update: bool
) -> list[str]:
    verdict = run_case(
        case,
        resources,
        template_dir=settings.template_dir,
        output_bytes_max=settings.limits.output_bytes_max,
    )
    if is_update and not case.error and not verdict.errors:
        write_golden(case, verdict)
    return list(differences(case, verdict))


def _cases(settings: RenderSettings, names: tuple[str, ...]) -> list[Case]:
    directory = settings.confdir / "tests"
    try:
        cases = load_cases(directory)
    except CaseError as error:
        raise ConfigError(str(error)) from error
    chosen = [case for case in cases if not names or case.name in names]
    if not chosen or {case.name for case in chosen} < set(names):
        raise ConfigError(f"no such case in {directory}", "a case is a file tests/CASE.yaml")
    return chosen


def _tell(case: Case, found: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"case": case.name, "ok": not found, "differences": found}, ensure_ascii=False))
        return
    click.echo(f"{'FAILED' if found else 'ok':6} {case.name}")
    for line in found:
        is_name = line.startswith(("+++", "---"))
        click.echo("    " + click.style(line, fg=None if is_name else _COLOURS.get(line[:1]), bold=is_name))
