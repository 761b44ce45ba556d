"""``fairlead render plan``."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fairlead.agent import AgentOptions, common_options
from fairlead.client import Client
from fairlead.render.change.in_place import shortcoming
from fairlead.render.commands.options import json_option, require_resources, secret_key_option, source_options
from fairlead.render.config import RenderSettings
from fairlead.render.diff import describe_change
from fairlead.render.environment import Renderer
from fairlead.render.guards import refusal
from fairlead.render.paths import join
from fairlead.render.preview import Preview, preview, print_diff
from fairlead.render.reading import read_snapshot
from fairlead.render.rendered import Rendered
from fairlead.render.resource import load_resources, mirrored_prefixes

CHANGES = 2
"""The exit status when something would change, as ``diff`` and ``terraform plan`` have it."""


@click.command()
@common_options("render")
@source_options
@click.option("--at-rev", type=click.IntRange(min=1), metavar="N", help="From the keys as of this revision.")
@click.option(
    "--set", "what_if", multiple=True, metavar="KEY=VALUE", help="As if KEY had VALUE; may be repeated."
)
@secret_key_option
@json_option
def plan(
    *,
    options: AgentOptions,
    confdir: Path,
    prefix: str,
    at_rev: int | None,
    what_if: tuple[str, ...],
    secret_key_file: Path | None,
    as_json: bool,
) -> int:
    """Show what a run would change on this host, as a diff, and change nothing.

    0 when nothing would change, 2 when something would, 1 when a resource cannot be rendered.
    """
    settings = require_resources(
        RenderSettings(confdir=confdir, prefix=prefix, secret_key_file=secret_key_file)
    )
    changes = dict(_what_if(text) for text in what_if)
    return asyncio.run(_plan(options, settings, at_rev=at_rev or 0, what_if=changes, as_json=as_json))


def _what_if(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--set takes KEY=VALUE, not {text!r}")
    return join("/", key), value


async def _plan(
    options: AgentOptions,
    settings: RenderSettings,
    *,
    at_rev: int,
    what_if: Mapping[str, str],
    as_json: bool,
) -> int:
    loaded = load_resources(settings)
    teller = _Teller(as_json=as_json)
    for problem in loaded.problems:
        teller.failed(problem.resource, str(problem))
    if not loaded.resources:
        return teller.status
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        snapshot = await read_snapshot(client, mirrored_prefixes(loaded.resources), revision=at_rev)
    snapshot.update(what_if, (), revision=snapshot.revision)
    renderer = Renderer.of(settings)
    for resource in loaded.resources:
        teller.rendered(renderer.render(resource, snapshot))
    return teller.status


class _Teller:
    """Prints what would become of each resource, and remembers the exit status."""

    def __init__(self, *, as_json: bool) -> None:
        self.status = 0
        self._as_json = as_json

    def failed(self, name: str, problem: str) -> None:
        """One resource cannot be rendered."""
        self.status = 1
        if self._as_json:
            click.echo(json.dumps({"resource": name, "error": problem}, ensure_ascii=False))
        else:
            click.echo(f"fairlead render: {problem}", err=True)

    def rendered(self, rendered: Rendered) -> None:
        """One resource could be rendered, or not."""
        name = rendered.resource.name
        problem = None if rendered.error is None else str(rendered.error)
        if problem is None and (reason := refusal(rendered.resource.guards, rendered.counts, {})) is not None:
            problem = f"{name}: {reason}"
        if problem is not None:
            self.failed(name, problem)
            return
        try:
            files = list(preview(rendered))
        except OSError as error:
            self.failed(name, f"{name}: {error.filename}: {error.strerror}")
            return
        if any(one.is_changed for one in files):
            self.status = self.status or CHANGES
        warning = shortcoming(rendered.resource.check) if any(one.is_changed for one in files) else None
        if not self._as_json:
            print_diff(rendered)
            if warning is not None:
                click.echo(f"fairlead render: {name}: {warning}", err=True)
            return
        shown = [_shown(one) for one in files if one.is_changed]
        told = {"resource": name, "revision": rendered.revision, "files": shown}
        if warning is not None:
            told["warning"] = warning
        click.echo(json.dumps(told, ensure_ascii=False))


def _shown(one: Preview) -> dict[str, Any]:
    """Return one change for JSON; a secret's diff is not shown."""
    lines = None if one.file.is_secret else list(describe_change(one.file.dest, one.wanted, one.found))
    return {
        "dest": one.file.dest,
        "is_new": one.found is None,
        "is_secret": one.file.is_secret,
        "diff": lines,
    }
