"""``fairlead render retry`` and ``rollback``: told to the renderer that runs, or done in its place."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from fairlead.agent import ConfigError
from fairlead.render.commands.options import json_option, require_resources, state_options
from fairlead.render.config import RenderSettings
from fairlead.render.control import ask
from fairlead.render.errors import ControlError
from fairlead.render.host import Host, open_journal
from fairlead.render.lane import NoGate
from fairlead.render.resource import Resource, load_resources
from fairlead.render.steering import note_retry, roll_back

_TIMEOUT_S = 600.0
"""A rollback checks, reloads and verifies; each of these has its own limit."""


@click.command()
@click.argument("group")
@state_options
@json_option
def retry(*, group: str, confdir: Path, state_dir: Path | None, as_json: bool) -> int:
    """Try again what GROUP has refused: an output that was rolled back, or a drop that a guard has stopped."""
    settings = require_resources(RenderSettings(confdir=confdir, state_dir=state_dir))

    def alone() -> str:
        _find(settings, group)
        with open_journal(settings) as journal:
            note_retry(journal, group)
        return f"{group} is tried again as soon as a renderer runs"

    return _steer(settings, {"command": "retry", "group": group}, alone=alone, as_json=as_json)


@click.command()
@click.argument("group")
@click.option("--to", "number", type=int, metavar="N", help="The change to go back to; see history.")
@state_options
@json_option
def rollback(*, group: str, number: int | None, confdir: Path, state_dir: Path | None, as_json: bool) -> int:
    """Bring GROUP back to what was in force before, checked, reloaded and verified as any change.

    What is in force now does not come back by itself until its keys change.
    """
    settings = require_resources(RenderSettings(confdir=confdir, state_dir=state_dir))
    request = {"command": "rollback", "group": group, "number": number}
    return _steer(
        settings, request, alone=lambda: asyncio.run(_roll_back(settings, group, number)), as_json=as_json
    )


def _steer(
    settings: RenderSettings, request: Mapping[str, object], *, alone: Callable[[], str], as_json: bool
) -> int:
    """Tell the renderer that runs; where none does, act alone."""
    try:
        done = ask(settings.state_folder, request, timeout_s=_TIMEOUT_S)
    except (FileNotFoundError, ConnectionRefusedError):
        try:
            done = alone()
        except ControlError as error:
            raise ConfigError(str(error)) from error
    except ControlError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        problem = f"the renderer with the state in {settings.state_folder} cannot be asked"
        raise ConfigError(f"{problem}: {error.strerror or error}", "ask as the user it runs as") from error
    click.echo(json.dumps({"done": done}) if as_json else done)
    return 0


def _find(settings: RenderSettings, group: str) -> Resource:
    resources = {resource.group: resource for resource in load_resources(settings).resources}
    if group not in resources:
        raise ControlError(f"there is no group {group}; there are {', '.join(sorted(resources)) or 'none'}")
    return resources[group]


async def _roll_back(settings: RenderSettings, group: str, number: int | None) -> str:
    resource = _find(settings, group)
    journal = open_journal(settings)
    problems: list[str] = []
    refusal: ControlError | None = None
    done = ""
    async with Host(
        settings, journal, gate=NoGate(), report=lambda outcome: problems.append(str(outcome.error or ""))
    ) as host:
        try:
            done = await roll_back(host.lane(resource), resource, journal, number=number)
        except ControlError as error:
            refusal = error
    if refusal is not None:
        # Nobody else tells why.
        raise ControlError(problems[-1]) if problems and problems[-1] else refusal
    return done
