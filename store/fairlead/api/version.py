"""The version that the store reports: the etcd API level that it serves, numeric as clients parse it."""

from importlib.metadata import version

VERSION = "3.6.0"
CLUSTER_VERSION = "3.6.0"
STORAGE_VERSION = "3.6.0"


def version_text() -> str:
    """Return what ``fairlead store --version`` says: etcd's first line, then our own."""
    return f"etcd Version: {VERSION}\nFairlead: {version('fairlead')}"
