"""What every agent shares: options, logs, signals, health pages, and the status key in the store.

An agent is a function over an ``AgentContext``; ``run_agent`` does the rest.  This package knows nothing of
what an agent does, and talks to the store through ``fairlead.client`` only.
"""

from fairlead.agent.context import AgentContext
from fairlead.agent.duration import parse_duration_s
from fairlead.agent.errors import ConfigError, listen_error
from fairlead.agent.health import Page
from fairlead.agent.options import Address, AgentOptions, common_options
from fairlead.agent.run import run_agent
from fairlead.agent.status import Status, one_line

__all__ = [
    "Address",
    "AgentContext",
    "AgentOptions",
    "ConfigError",
    "Page",
    "Status",
    "common_options",
    "listen_error",
    "one_line",
    "parse_duration_s",
    "run_agent",
]
