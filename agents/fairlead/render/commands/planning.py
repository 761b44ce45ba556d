"""``fairlead render plan``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fairlead.agent import AgentOptions, ConfigError, common_options
from fairlead.client import Client
from fairlead.render.change import Memory, words
from fairlead.render.change.in_place import shortcoming
from fairlead.render.change.journal import read_memories
from fairlead.render.change.model import output_digest
from fairlead.render.commands.options import json_option, require_resources, secret_key_option, tree_options
from fairlead.render.commands.statuses import CHANGES, run_with_store
from fairlead.render.config import RenderSettings
from fairlead.render.destination import explain
from fairlead.render.diff import describe_change
from fairlead.render.environment import Renderer
from fairlead.render.errors import DestinationError, JournalError
from fairlead.render.guards import refusal
from fairlead.render.once import no_resources
from fairlead.render.paths import join
from fairlead.render.preview import Preview, orphans, preview, print_diff
from fairlead.render.reading import read_snapshot
from fairlead.render.rendered import Rendered
from fairlead.render.resource import load_resources, mirrored_prefixes


def _what_if(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return key and value of each ``--set``."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE")
        pairs[join("/", key)] = value
    return pairs


@click.command()
@common_options("render")
@tree_options
@click.option("--at-rev", type=click.IntRange(min=1), metavar="N", help="From the keys as of this revision.")
@click.option(
    "--set",
    "what_if",
    multiple=True,
    callback=_what_if,
    metavar="KEY=VALUE",
    help="As if KEY had VALUE; may be repeated.",
)
@secret_key_option
@json_option
def plan(
    *,
    options: AgentOptions,
    confdir: Path,
    prefix: str,
    state_dir: Path | None,
    at_rev: int | None,
    what_if: dict[str, str],
    secret_key_file: Path | None,
    as_json: bool,
) -> int:
    """Show what a run would change on this host, as a diff, and change nothing.

    0 when nothing would change, 2 when something would, 1 when a resource cannot be rendered, a guard says no, or the
    output is in quarantine; 6 when no store answers.
    """
    settings = require_resources(
        RenderSettings(confdir=confdir, prefix=prefix, state_dir=state_dir, secret_key_file=secret_key_file)
    )
    return run_with_store(_plan(options, settings, at_rev=at_rev or 0, what_if=what_if, as_json=as_json))


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
        if not loaded.problems:
            click.echo(no_resources(settings), err=True)
        return teller.status
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        snapshot = await read_snapshot(client, mirrored_prefixes(loaded.resources), revision=at_rev)
    snapshot.update(what_if, (), revision=snapshot.revision)
    renderer = Renderer.of(settings)
    memories = _memories(settings)
    for resource in loaded.resources:
        memory = memories.get(resource.group, Memory())
        teller.rendered(renderer.render(resource, snapshot), memory)
    return teller.status


def _memories(settings: RenderSettings) -> Mapping[str, Memory]:
    """Return what this host's journal says; nothing where no renderer has run yet."""
    try:
        return read_memories(settings.state_folder)
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = f"without the journal in {settings.state_folder} ({error.strerror})"
        click.echo(f"fairlead render: {what}: what was pruned or rolled back is not seen", err=True)
        return {}
    except JournalError as error:
        raise ConfigError(str(error)) from error


def _obstacle(rendered: Rendered, memory: Memory) -> str | None:
    """Return why nothing would come of it; None where nothing is in the way."""
    if rendered.error is not None:
        return str(rendered.error)
    resource = rendered.resource
    assert rendered.files is not None
    if output_digest({file.dest: file.digest for file in rendered.files}) == memory.quarantined:
        return f"{resource.name}: {words.quarantined(resource.group, memory.reason)}"
    reason = refusal(resource.guards, rendered.counts, memory.counts)
    return None if reason is None else f"{resource.name}: {words.guarded(resource.group, reason)}"


class _Teller:
    """Prints what would become of each resource, and remembers the exit status."""

    def __init__(self, *, as_json: bool) -> None:
        self.status = 0
        self._as_json = as_json

    def failed(self, name: str, problem: str) -> None:
        """Nothing would come of one resource."""
        self.status = 1
        if self._as_json:
            click.echo(json.dumps({"resource": name, "error": problem}, ensure_ascii=False))
        else:
            click.echo(f"fairlead render: {problem}", err=True)

    def rendered(self, rendered: Rendered, memory: Memory) -> None:
        """One resource could be rendered, or not."""
        name = rendered.resource.name
        try:
            files = [] if rendered.error is not None else list(preview(rendered))
            removed = [] if rendered.error is not None else orphans(rendered, memory.prunable)
        except OSError as error:
            self.failed(name, str(DestinationError(name, explain(error))))
            return
        changed = [one for one in files if one.is_changed]
        if (obstacle := _obstacle(rendered, memory)) is not None:
            self.failed(name, obstacle)
            return
        if changed or removed:
            self.status = self.status or CHANGES
        warning = shortcoming(rendered.resource.check) if changed or removed else None
        if self._as_json:
            told = {
                "resource": name,
                "revision": rendered.revision,
                "files": [_shown(one) for one in changed],
                "removed": removed,
            }
            click.echo(json.dumps(told | ({"warning": warning} if warning else {}), ensure_ascii=False))
            return
        print_diff(rendered)
        for dest in removed:
            click.secho(f"removed file {dest}", fg="red")
        if warning is not None:
            click.echo(f"fairlead render: {name}: {warning}", err=True)


def _shown(one: Preview) -> dict[str, Any]:
    """Return one change for JSON; a secret's diff is not shown."""
    lines = None if one.file.is_secret else list(describe_change(one.file.dest, one.wanted, one.found))
    return {
        "dest": one.file.dest,
        "is_new": one.found is None,
        "is_secret": one.file.is_secret,
        "diff": lines,
    }
