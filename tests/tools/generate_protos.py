"""Generate the protobuf modules of ``fairlead.proto``; run by ``make proto``.

One edit is made to what protoc writes: the modules register in a pool of our own (see
``fairlead/proto/pool.py``).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2] / "store"
PROTO = ROOT / "fairlead" / "proto"
DEFAULT_POOL = "_descriptor_pool.Default()"
OWN_POOL = "_pool.POOL"
OWN_IMPORT = "from fairlead.proto import pool as _pool\n"


def generate() -> None:
    """Run protoc over every ``.proto`` file and point its output at our pool."""
    sources = [str(path.relative_to(ROOT)) for path in sorted(PROTO.glob("*.proto"))]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", "--python_out=.", "--pyi_out=.", *sources],
        cwd=ROOT,
        check=True,
    )
    for module in PROTO.glob("*_pb2.py"):
        text = module.read_text()
        assert text.count(DEFAULT_POOL) == 1, f"{module}: protoc's output has a new shape"
        marker = "from google.protobuf import descriptor as _descriptor\n"
        assert marker in text, f"{module}: protoc's output has a new shape"
        text = text.replace(DEFAULT_POOL, OWN_POOL).replace(marker, marker + OWN_IMPORT)
        module.write_text(text)


if __name__ == "__main__":
    generate()
