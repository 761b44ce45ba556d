"""How a command of several words finds its sub-commands: a table of names, each imported only when it is called.

It lies below everything, so that ``fairlead kv`` does not load what agents need, and knows nothing of any command.
"""

from fairlead.commands.lazy import LazyGroup, RunGroup, Table

__all__ = ["LazyGroup", "RunGroup", "Table"]
