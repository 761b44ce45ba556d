"""Exit statuses: what a script may ask of ``$?``.

0   all is well, or nothing would change
1   something else is wrong; the line on stderr says what
2   plan: something would change
3   once: a check failed, the old files stay
4   once: a program did not take its files, and runs on the old ones
5   once: nor on the old ones; somebody must look
6   no store answers
64  the command line is wrong (sysexits' EX_USAGE: 2 has a meaning of its own here)
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fairlead.agent import ConfigError
from fairlead.client import UnavailableError

CHANGES = 2


class StoreUnreachableError(ConfigError):
    """No store answers; the text says which were asked."""

    exit_code = 6


def run_with_store(work: Coroutine[Any, Any, int]) -> int:
    """Run ``work`` to its end and return its status.

    Raises:
        StoreUnreachableError: no store answered.
    """
    try:
        return asyncio.run(work)
    except UnavailableError as error:
        raise StoreUnreachableError(str(error)) from error
