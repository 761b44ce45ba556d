"""The etcd v3 API over one member: services, JSON gateway, health and metrics on one port.

Here requests are decoded, refused when they are wrong, and handed to the member; here its errors become
etcd's codes and texts, once.  Nothing here decides what is stored.  Source: etcd 3.6's ``api/v3rpc``.
"""

from fairlead.api.config import StoreConfig, load_config
from fairlead.api.errors import ApiError, ConfigError
from fairlead.api.flags import help_text
from fairlead.api.server import StoreServer, serve
from fairlead.api.version import version_text

__all__ = [
    "ApiError",
    "ConfigError",
    "StoreConfig",
    "StoreServer",
    "help_text",
    "load_config",
    "serve",
    "version_text",
]
