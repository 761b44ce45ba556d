"""What is asked for: a resource is a group of files that check, swap, reload and roll back as one.

``conf.d/NAME.toml`` (confd's fields, one file) and ``conf.d/NAME.yaml`` (a group) both become one frozen
``Resource``; nothing after the loaders knows which it was.
"""

from fairlead.render.resource.confd import parse_confd
from fairlead.render.resource.group import parse_group
from fairlead.render.resource.load import Loaded, keep_last_good, load_resources, mirrored_prefixes
from fairlead.render.resource.model import (
    Check,
    Child,
    Command,
    CommandProbe,
    Delimiters,
    FileSpec,
    Guard,
    HttpProbe,
    LogProbe,
    Probe,
    Reload,
    Resource,
    Rollout,
    TcpProbe,
    UnitProbe,
    Verify,
    Wait,
)

__all__ = [
    "Check",
    "Child",
    "Command",
    "CommandProbe",
    "Delimiters",
    "FileSpec",
    "Guard",
    "HttpProbe",
    "Loaded",
    "LogProbe",
    "Probe",
    "Reload",
    "Resource",
    "Rollout",
    "TcpProbe",
    "UnitProbe",
    "Verify",
    "Wait",
    "keep_last_good",
    "load_resources",
    "mirrored_prefixes",
    "parse_confd",
    "parse_group",
]
