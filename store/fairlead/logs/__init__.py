"""How every process of Fairlead logs: structlog, one line an event on stderr, for people or as JSON.

It lies below everything, so that a store can log without loading what agents need.
"""

from fairlead.logs.setup import configure_logs, set_level

__all__ = ["configure_logs", "set_level"]
