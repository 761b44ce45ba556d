"""One pass over all resources, then an exit status: ``--onetime``."""

from collections.abc import Sequence

import click

from fairlead.agent import AgentOptions
from fairlead.client import Client, Mirror
from fairlead.render.apply import Outcome, apply
from fairlead.render.config import RenderSettings
from fairlead.render.environment import Renderer
from fairlead.render.report import describe_outcome, print_diff
from fairlead.render.resource import load_resources, mirrored_prefixes
from fairlead.render.view import Snapshot, to_bytes, to_text

_LIST_TIMEOUT_S = 60.0
"""For a large store; one that does not answer at all is known within the client's own timeout."""


async def run_once(options: AgentOptions, settings: RenderSettings) -> int:
    """Process every resource, one after the other; return 0, or 1 when any failed.

    Raises:
        ClientError: no store answers, or it refuses.
    """
    loaded = load_resources(settings)
    for problem in loaded.problems:
        _complain(problem)
    failures = len(loaded.problems)
    if not loaded.resources:
        if not failures:
            click.echo(f"fairlead render: no resources in {settings.resource_dir}", err=True)
        return min(failures, 1)
    async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
        snapshot = await _read_snapshot(client, mirrored_prefixes(loaded.resources))
    renderer = Renderer(settings.template_dir, output_bytes_max=settings.limits.output_bytes_max)
    # All are rendered before the first command runs, from the one snapshot.
    for rendered in [renderer.render(resource, snapshot) for resource in loaded.resources]:
        failures += _tell(apply(rendered, settings), is_noop=settings.noop)
    return min(failures, 1)


async def _read_snapshot(client: Client, prefixes: Sequence[str]) -> Snapshot:
    # A store that does not answer is said so by a call; a mirror would wait for it.
    await client.get(prefixes[0], limit=1)
    async with Mirror(client, [to_bytes(prefix) for prefix in prefixes]) as mirror:
        await mirror.ready(timeout_s=_LIST_TIMEOUT_S)
        items = {to_text(pair.key): to_text(pair.value) for pair in mirror.items()}
        return Snapshot(items, revision=mirror.revision)


def _tell(outcome: Outcome, *, is_noop: bool) -> bool:
    """Print what became of one resource; return whether it failed."""
    if outcome.warning is not None:
        click.echo(f"fairlead render: {outcome.resource.name}: {outcome.warning}", err=True)
    if outcome.error is not None:
        _complain(outcome.error)
    elif is_noop:
        print_diff(outcome)
    elif (done := describe_outcome(outcome)) is not None:
        click.echo(done)
    return outcome.error is not None


def _complain(problem: Exception) -> None:
    click.echo(f"fairlead render: {problem}", err=True)
