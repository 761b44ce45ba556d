"""One pass over all resources, then an exit status: ``--onetime`` and ``once``."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from fairlead.agent import AgentOptions
from fairlead.client import Client
from fairlead.render.change import Outcome
from fairlead.render.config import RenderSettings
from fairlead.render.destination import explain
from fairlead.render.environment import Renderer
from fairlead.render.errors import (
    CheckFailedError,
    DestinationError,
    ReloadFailedError,
    RollbackFailedError,
    RolledBackError,
)
from fairlead.render.host import Host, open_journal
from fairlead.render.preview import print_diff
from fairlead.render.reading import read_snapshot
from fairlead.render.rendered import Rendered
from fairlead.render.report import describe_outcome
from fairlead.render.resource import load_resources, mirrored_prefixes
from fairlead.render.rollout import RolloutGate

_STATUSES: Mapping[type[Exception], int] = {
    CheckFailedError: 3,
    ReloadFailedError: 4,
    RolledBackError: 4,
    RollbackFailedError: 5,
}
"""What a failure makes of the exit status; any other is 1, and the largest counts."""


def no_resources(settings: RenderSettings) -> str:
    """Return what a command says that has nothing to do."""
    return f"fairlead render: no resources in {settings.resource_dir}"


async def run_once(options: AgentOptions, settings: RenderSettings, *, as_json: bool = False) -> int:
    """Process every resource, one after the other.

    Returns:
        0 when all are as the keys have them; 3 a check failed; 4 a reload or a probe failed; 5 so did the way
        back; 1 for any other failure.

    Raises:
        ClientError: no store answers, or it refuses.
        ConfigError: the state directory cannot be used.
    """
    loaded = load_resources(settings)
    tally = _Tally(as_json=as_json)
    for problem in loaded.problems:
        tally.failed(problem.resource, problem)
    if not loaded.resources:
        if not loaded.problems:
            click.echo(no_resources(settings), err=True)
        return tally.status
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        snapshot = await read_snapshot(client, mirrored_prefixes(loaded.resources))
        renderer = Renderer.of(settings)
        # All are rendered before the first command runs, from the one snapshot.
        rendered = [renderer.render(resource, snapshot) for resource in loaded.resources]
        if settings.noop:
            _rehearse(rendered, tally)
        else:
            gate = RolloutGate(client, options.host)
            async with Host(settings, open_journal(settings), gate=gate, report=tally.outcome) as host:
                await _apply(rendered, host)
    return tally.status


class _Tally:
    """Tells what became of each resource, and counts."""

    def __init__(self, *, as_json: bool) -> None:
        self.status = 0
        self._as_json = as_json

    def failed(self, name: str, problem: Exception) -> None:
        self.status = max(self.status, _STATUSES.get(type(problem), 1))
        if self._as_json:
            _print_json({"resource": name, "error": str(problem)})
        else:
            click.echo(f"fairlead render: {problem}", err=True)

    def outcome(self, outcome: Outcome) -> None:
        name = outcome.resource.name
        if outcome.error is not None:
            self.status = max(self.status, _STATUSES.get(type(outcome.error), 1))
        if self._as_json:
            _print_json(_as_json(outcome))
            return
        for warning in outcome.warnings:
            click.echo(f"fairlead render: {name}: {warning}", err=True)
        if outcome.error is not None:
            self.failed(name, outcome.error)
        elif (done := describe_outcome(outcome)) is not None:
            click.echo(done)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    change = outcome.change
    return {
        "resource": outcome.resource.name,
        "group": outcome.resource.group,
        "step": outcome.step.name.lower(),
        "changed": [] if change is None else [file.dest for file in change.changed],
        "error": None if outcome.error is None else str(outcome.error),
        "warnings": list(outcome.warnings),
    }


def _print_json(told: Mapping[str, Any]) -> None:
    click.echo(json.dumps(told, ensure_ascii=False))


def _rehearse(all_rendered: Sequence[Rendered], tally: _Tally) -> None:
    for rendered in all_rendered:
        if rendered.error is not None:
            tally.failed(rendered.resource.name, rendered.error)
            continue
        try:
            print_diff(rendered)
        except OSError as error:
            name = rendered.resource.name
            tally.failed(name, DestinationError(name, explain(error)))


async def _apply(all_rendered: Sequence[Rendered], host: Host) -> None:
    for rendered in all_rendered:
        lane = host.lane(rendered.resource)
        await lane.settled()
        lane.offer(rendered)
        await lane.settled()
