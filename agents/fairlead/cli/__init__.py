"""The ``fairlead`` command: one list of sub-commands, and the one place where errors become exit statuses.

Each sub-command lives in the package that does its work and is imported only when it is called, so that the
command starts quickly.
"""

from fairlead.cli.main import main

__all__ = ["main"]
