"""Python environments beside ``.venv``, for packages that cannot or need not live in it.

Made on first use and kept; a changed requirements file makes them anew.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CREATE_WITHIN_S = 300.0


class EnvironmentUnavailableError(Exception):
    """The environment could not be made, usually for want of a network; the text says why."""


def find(name: str, requirements: Path, program: str) -> str | None:
    """Return ``program`` of the environment ``name`` if it is there already, and up to date."""
    path = ROOT / name / "bin" / program
    return str(path) if _is_current(name, requirements) and path.exists() else None


def ensure(name: str, requirements: Path) -> Path:
    """Return the folder of the programs of environment ``name``, made from ``requirements`` if need be.

    Raises:
        EnvironmentUnavailableError: it is not there and cannot be made.
    """
    home = ROOT / name
    if not _is_current(name, requirements):
        print(f"==> creating {name} from {requirements.name}", file=sys.stderr, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        _call(sys.executable, "-m", "venv", str(home))
        pip = (str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        _call(*pip, "--retries", "1", "--requirement", str(requirements))
        _stamp(name).write_text(_digest(requirements))
    return home / "bin"


def _call(*argv: str) -> None:
    try:
        subprocess.run(
            argv,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CREATE_WITHIN_S,
        )
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr.strip() or failed.stdout.strip() or "no output").splitlines()[-1]
        raise EnvironmentUnavailableError(f"{' '.join(argv[1:4])}: {last}") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentUnavailableError(f"{' '.join(argv[1:4])}: over {_CREATE_WITHIN_S:g} s") from None


def _stamp(name: str) -> Path:
    return ROOT / name / ".installed"


def _is_current(name: str, requirements: Path) -> bool:
    stamp = _stamp(name)
    return stamp.exists() and stamp.read_text() == _digest(requirements)


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()
