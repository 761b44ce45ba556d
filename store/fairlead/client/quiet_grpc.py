"""gRPC, told to keep its own log off our stderr before it is imported.

Its C core prints a line of its own for each failed handshake, with the name of its source file.  What the
operator needs of that is in our errors; who wants the rest sets GRPC_VERBOSITY.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

__all__ = ["grpc"]
