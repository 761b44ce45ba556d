"""The rules of CONTRIBUTING.md that a machine can hold."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = (ROOT / "store" / "fairlead", ROOT / "agents" / "fairlead")
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
MODULES = sorted(path for root in ROOTS for path in root.rglob("*.py") if not GENERATED.search(path.name))
LINES_PER_MODULE_MAX = 400
LINES_PER_FUNCTION_MAX = 50
TOP_LEVEL = {
    ".ci", ".git", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
    "README.md", "agents", "deploy", "docs", "pyproject.toml", "store", "templates", "tests",
}  # fmt: skip
CORES = {
    "api": "compactor status",
    "client": "mirror_state txn values",
    "lease": "table",
    "member": "apply checkpoints checks cluster configurations identity leader machine pending questions ranges "
    "reads reconfigure replica responses txn work",
    "mvcc": "change codec compaction engine hash hub index intervals store transaction watcher",
    "peer": "codec connection frames handshake messages transfer urls words",
    "raft": "confchange configuration election leadership log membership node "
    "progress proposals quorum raft reads replication transfer types",
    "http2": "client connection errors fields flow frames guard handlers headers limits literals rules server stream",
    "rpc": "codes deadlines grpc h2 headers routes",
    "wal": "record replay",
    "agent": "duration networks",
    "dns": "answer client cookies edns frame gate hooks leases local_names lookup message names presentation "
    "rate_limit records responder semantics settings table tallies tree wire zone "
    "doh/exchange doh/http1 doh/http2 "
    "present transfer/contents transfer/notify transfer/settings transfer/stream "
    "dnssec/canonical dnssec/keys dnssec/rollover dnssec/signer "
    "forward/cache forward/exchange forward/packet forward/routes forward/upstream "
    "choose/conditions choose/nearness choose/ramp choose/turns guard/guard health/check health/findings explain/live explain/lint explain/popular "
    "health/schedule health/state outage",
    "proxy": "aliases acme/certs acme/client acme/jose admin/explain admin/tally admin/views admin/vulcand guard balance/chooser balance/memory balance/policies balance/queue balance/rebalance balance/standing balance/sticky "
    "balance/turns catalog discovery expression failover findings forwarding grammar headers health/verdict keys match model/backend model/fields model/frontend "
    "model/host model/listener model/middleware model/read model/server model/tcp_route model/tls paths pattern predicate relations retry rolling router split tcp_routes tcp_rule workers/ejections traefik/middlewares "
    "traefik/node traefik/routers traefik/rules traefik/services traefik/tcp traefik/translator traefik/unread",
    "proxy/middleware": "answers bodies chains compress connlimit cors forwardauth headers ipallow paths requestid shares sources "
    "spec template trace tracecontext cbreaker/breaker cbreaker/condition ratelimit/buckets ratelimit/limiter rewrite/middleware "
    "rewrite/replacement",
    "render": "diff glob jsonio paths readers schedule view",
    "render/change": "actions arrows attempt codec machine memory model outcome words",
}
SANS_IO = [
    next(path for root in ROOTS if (path := root / package / f"{module}.py").exists())
    for package, modules in CORES.items()
    for module in modules.split()
]
BANNED_IN_CORES = {"asyncio", "socket", "time", "random", "logging", "os", "threading", "uvloop", "structlog"}


def tracked() -> list[Path]:
    """The files git knows of, so that a build's leavings do not count."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_namespace_roots_hold_no_init() -> None:
    """One stray ``__init__.py`` hides the other root at run time."""
    assert [named(root / "__init__.py") for root in ROOTS if (root / "__init__.py").exists()] == []


def test_every_package_is_typed_and_has_a_front_door() -> None:
    packages = [
        path for root in ROOTS for path in root.iterdir() if path.is_dir() and path.name != "__pycache__"
    ]
    assert packages
    assert [named(p) for p in packages if not (p / "py.typed").exists()] == []
    assert [named(p) for p in packages if not (p / "__init__.py").exists()] == []


def test_the_top_level_holds_only_what_the_layout_names() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} - TOP_LEVEL == set()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_PER_MODULE_MAX
    functions = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = {f"{n.name}:{n.lineno}": (n.end_lineno or n.lineno) - n.lineno + 1 for n in functions}
    assert {name: size for name, size in lengths.items() if size > LINES_PER_FUNCTION_MAX} == {}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_front_doors_are_imports_and_all(path: Path) -> None:
    if path.name != "__init__.py":
        return
    body = ast.parse(path.read_text()).body
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    assert [type(node).__name__ for node in body if not isinstance(node, allowed)] == []


def test_nothing_names_a_machine_a_registry_or_unfinished_work() -> None:
    """The project speaks of itself alone; a debt without an issue is a lie in waiting."""
    # Written in halves, so that this file does not find itself.
    banned = re.compile(
        "|".join(
            [
                "/wo" + "rk/",
                "/ro" + "ot/",
                "pypi" + r"\.org",
                "FIX" + "ME",
                "XX" + "X",
                r"TO" + r"DO(?! *\(#\d+\))",
            ]
        )
    )
    found = [
        f"{named(path)}:{number}"
        for path in tracked()
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".proto", ".service"}
        or path.name in {"Makefile", "run"}
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if banned.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("path", SANS_IO, ids=named)
def test_cores_take_time_and_chance_as_arguments(path: Path) -> None:
    """A core that reads a clock or a socket cannot be simulated."""
    imported = {
        (name.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported & BANNED_IN_CORES == set()


def test_files_are_made_durable_in_one_way() -> None:
    """Beside ``fairlead.durable`` stand the log, the database, and what appends to a file or keeps its mode and owner."""
    others = {"wal/disk.py", "mvcc/lmdb_engine.py", "render/change/journal.py", "render/destination.py"}
    found = {
        str(path.relative_to(root))
        for root in ROOTS
        for path in root.rglob("*.py")
        if "os.fsync(" in path.read_text()
    }
    assert found == others | {"durable/files.py"}
