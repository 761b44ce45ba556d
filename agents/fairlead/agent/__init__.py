"""What every agent shares: options, logs, signals, health pages, and the status key in the store.

An agent is a function over an ``AgentContext``; ``run_agent`` does the rest.  This package knows nothing of
what an agent does, and talks to the store through ``fairlead.client`` only.
"""

from fairlead.agent.context import AgentContext
from fairlead.agent.data_dir import make_data_dir
from fairlead.agent.duration import parse_duration_s, parse_go_duration_s
from fairlead.agent.errors import ConfigError, OptionError, listen_error
from fairlead.agent.networks import EVERYWHERE, LOOPBACK, Networks, address_of, networks_of
from fairlead.agent.options import Address, AgentOptions, common_options
from fairlead.agent.pages import Answering, Asked, Page, PageLimits, PageServer
from fairlead.agent.run import run_agent
from fairlead.agent.status import Status, one_line

__all__ = [
    "EVERYWHERE",
    "LOOPBACK",
    "Address",
    "AgentContext",
    "AgentOptions",
    "Answering",
    "Asked",
    "ConfigError",
    "Networks",
    "OptionError",
    "Page",
    "PageLimits",
    "PageServer",
    "Status",
    "address_of",
    "common_options",
    "listen_error",
    "make_data_dir",
    "networks_of",
    "one_line",
    "parse_duration_s",
    "parse_go_duration_s",
    "run_agent",
]
