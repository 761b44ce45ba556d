"""``--data-dir``: where an agent keeps what it needs while no store answers."""

from pathlib import Path

from fairlead.agent.errors import ConfigError
from fairlead.durable import make_directory


def make_data_dir(path: Path) -> None:
    """Make the folder and those above it, for the agent's user alone; one that is there stays as it is.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        make_directory(path)
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}", "check --data-dir") from error
