"""Python's other etcd clients doing real work on Fairlead, with the result that they have on etcd.

They need an older protobuf than ours, so each script runs in an environment of its own, ``.venv-compat``.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests import peers
from tests.support import environments
from tests.support.processes import clean_environment
from tests.support.store import StoreServer

pytestmark = pytest.mark.peer("etcd")

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE.parent / "requirements-compat.txt"
_WITHIN_S = 90.0


@pytest.fixture(scope="session")
def compat_python() -> str:
    """The interpreter of ``.venv-compat``, made on first use."""
    try:
        return str(environments.ensure(".venv-compat", _REQUIREMENTS) / "python")
    except environments.EnvironmentUnavailableError as error:
        if peers.must_have_all():
            pytest.fail(f"no environment for other clients: {error}")
        pytest.skip(f"no environment for other clients: {error}")


def _work(python: str, script: str, store: StoreServer) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-W", "ignore", str(_HERE / "clients" / script), "127.0.0.1", str(store.port)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, f"{script} on {store.kind}:\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("script", ["etcd3_work.py", "etcd3gw_work.py"])
def test_the_client_does_the_same_work(
    compat_python: str, script: str, etcd: StoreServer, fairlead_store: StoreServer
) -> None:
    theirs = _work(compat_python, script, etcd)
    ours = _work(compat_python, script, fairlead_store)
    assert ours == theirs
    if script == "etcd3_work.py":
        _check_real_work(theirs)


def _check_real_work(done: dict[str, Any]) -> None:
    """Guards the guard: equal nonsense on both sides would be equal too."""
    assert done["counters"] == {"value": "40", "version": 41}
    assert done["locks"] == {"entries": 9, "most_at_once": 1, "second_acquired": False}
    assert [event[0] for event in done["watches"]] == ["PutEvent"] * 2 + ["DeleteEvent"] + ["PutEvent"] * 3
