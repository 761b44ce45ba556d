"""Compile the proxy's data path beside its sources (``make compile``), or take that back (``make pure``).

``python -m tests.tools.compile_hot_paths [--remove | --check]``; ``--check`` only says whether it could.

mypyc makes C of the modules below; each becomes an extension module next to its source, which Python then prefers.
What must stay Python is named by its absence: what others derive from or replace (``middleware.hooks``), and whatever
does not run for every request.

A stamp beside them says of which sources they are: the command refuses to run with any others (``fairlead.compiled``).
"""

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution

from fairlead.compiled.form import STAMP

ROOT = Path(__file__).parents[2]
MODULES: dict[str, dict[str, tuple[str, ...]]] = {
    "store": {
        "fairlead/http2": (
            "client", "connection", "fields", "flow", "frames", "guard", "handlers", "headers", "literals", "rules", "server", "stream",
        ),
    },
    "agents": {
        "fairlead/proxy": (
            "access_log", "ambiguity", "answers", "body", "client_side", "config", "exchange", "headers", "http1_exchange", "lines",
            "mirror", "origin", "outward", "pace", "paths", "plan", "record", "request", "response", "retry", "router",
            "server_side", "service", "splicing", "state", "stats", "timers", "trailers", "tunnel", "upload",
        ),
        "fairlead/proxy/balance": ("chooser", "standing", "turns"),
        "fairlead/proxy/http2": ("client_side", "exchange", "messages", "server_side", "wire"),
        "fairlead/proxy/middleware": ("chain", "requestid"),
    },
}  # fmt: skip


def sources(part: str) -> list[str]:
    """Return the paths of the modules to compile, from the root of the project."""
    return [f"{part}/{folder}/{name}.py" for folder, names in MODULES[part].items() for name in names]


def made(part: str) -> Iterator[Path]:
    """Yield what has been made: a small module beside each source, the library behind them; the stamp last."""
    yield from (ROOT / part).rglob("*.so")
    yield from (ROOT / part).glob(STAMP)


def remove() -> None:
    """Leave the sources alone."""
    for part in MODULES:
        for each in list(made(part)):
            each.unlink()


def compile_all(folder: Path) -> None:
    """Run mypyc and the C compiler; what they leave on their way goes to ``folder``."""
    os.chdir(ROOT)
    groups: list[tuple[list[str], str | None]] = [(sources(part), f"fairlead_{part}") for part in MODULES]
    extensions = mypycify(
        ["--config-file", "pyproject.toml", *(path for paths, _ in groups for path in paths)],
        opt_level="2",
        separate=groups,
        target_dir=str(folder),
    )
    command = Distribution({"name": "fairlead", "ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "made"), str(folder)
    command.ensure_finalized()
    command.run()
    for part in MODULES:
        _move(folder / "made", part)


def _move(made_in: Path, part: str) -> None:
    """Say of what everything was made, and then put what belongs to ``part`` where Python finds it."""
    root = ROOT / part
    names = [path.removeprefix(f"{part}/") for path in sources(part)]
    lines = [f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (root / STAMP).write_text("".join(lines), encoding="ascii")
    for library in made_in.glob(f"fairlead_{part}__mypyc*.so"):
        shutil.move(library, root / library.name)
    for name in names:
        (module,) = made_in.glob(f"{name.removesuffix('.py')}.*.so")
        shutil.move(module, (root / name).parent / module.name)


def lacking() -> str:
    """Return what is not there that a compilation needs, as a line for whoever asked; empty when all is."""
    compiler = os.environ.get("CC", sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler {compiler}: on Debian, apt install gcc; without one the sources run as they are"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.is_file():
        return f"there is no {header}: on Debian, apt install python3-dev; without it the sources run as they are"
    return ""


if __name__ == "__main__":
    if "--remove" not in sys.argv[1:] and (problem := lacking()):
        sys.exit(f"make compile: {problem}")
    if "--check" in sys.argv[1:]:
        sys.exit()
    remove()
    if "--remove" not in sys.argv[1:]:
        count = sum(len(sources(part)) for part in MODULES)
        print(f"==> compiling {count} modules; this takes two minutes", flush=True)
        with tempfile.TemporaryDirectory(prefix="fairlead-compile-") as build:
            compile_all(Path(build))
