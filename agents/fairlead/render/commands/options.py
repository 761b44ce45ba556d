"""Options that several sub-commands take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fairlead.agent import ConfigError
from fairlead.render.config import RenderSettings

Function = TypeVar("Function", bound=Callable[..., Any])


def source_options(function: Function) -> Function:
    """Add ``--confdir`` and ``--prefix``."""
    confdir = click.option(
        "--confdir",
        type=click.Path(path_type=Path),
        default=Path("/etc/fairlead/render"),
        show_default=True,
        help="Holds conf.d/ and templates/.",
    )
    prefix = click.option(
        "--prefix", default="/", show_default=True, help="Joined before each resource's own prefix."
    )
    return confdir(prefix(function))


def tree_options(function: Function) -> Function:
    """Add ``--confdir``, ``--prefix`` and ``--state-dir``."""
    state_dir = click.option(
        "--state-dir",
        type=click.Path(path_type=Path),
        help="Holds the journal; a folder below /var/lib/fairlead/render for each confdir when left out.",
    )
    return source_options(state_dir(function))


secret_key_option = click.option(
    "--secret-key-file",
    type=click.Path(path_type=Path),
    envvar="FAIRLEAD_RENDER_SECRET_KEY_FILE",
    help="Opens sealed values; from fairlead render keygen.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def require_resources(settings: RenderSettings) -> RenderSettings:
    """Return the settings.

    Raises:
        ConfigError: there is no ``conf.d``.
    """
    if not settings.resource_dir.is_dir():
        raise ConfigError(f"no directory {settings.resource_dir}", "give --confdir, or make it")
    return settings
