"""Options that several sub-commands take."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fairlead.agent import AgentOptions, ConfigError
from fairlead.render.config import RenderSettings

Function = TypeVar("Function", bound=Callable[..., Any])


_confdir_option = click.option(
    "--confdir",
    type=click.Path(path_type=Path),
    default=Path("/etc/fairlead/render"),
    show_default=True,
    help="Holds conf.d/ and templates/.",
)
_prefix_option = click.option(
    "--prefix", default="/", show_default=True, help="Joined before each resource's own prefix."
)
_state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    envvar="FAIRLEAD_RENDER_STATE_DIR",
    help="Holds the journal; a folder below /var/lib/fairlead/render for each confdir when left out.",
)


def source_options(function: Function) -> Function:
    """Add ``--confdir`` and ``--prefix``."""
    return _confdir_option(_prefix_option(function))


def tree_options(function: Function) -> Function:
    """Add ``--confdir``, ``--prefix`` and ``--state-dir``."""
    return source_options(_state_dir_option(function))


def state_options(function: Function) -> Function:
    """Add ``--confdir`` and ``--state-dir``, for commands that look at this host alone."""
    return _confdir_option(_state_dir_option(function))


secret_key_option = click.option(
    "--secret-key-file",
    type=click.Path(path_type=Path),
    envvar="FAIRLEAD_RENDER_SECRET_KEY_FILE",
    help="Opens sealed values; from fairlead render keygen.",
)
host_option = click.option(
    "--host", help="The name of this host in the status and in rollouts; its own when left out."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def named(options: AgentOptions, host: str | None) -> AgentOptions:
    """Return the options with the name that the operator gave the host, where there is one."""
    return dataclasses.replace(options, host=host) if host else options


def require_resources(settings: RenderSettings) -> RenderSettings:
    """Return the settings.

    Raises:
        ConfigError: there is no ``conf.d``.
    """
    if not settings.resource_dir.is_dir():
        raise ConfigError(f"no directory {settings.resource_dir}", "give --confdir, or make it")
    return settings


def counted(number: int, name: str) -> str:
    """Return how many there are, as people say it."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
