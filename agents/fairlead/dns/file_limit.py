"""How many files, and so sockets, this process and its workers may have open."""

import resource
from typing import Final

FILES_WANTED: Final = 65_536
"""Connections of clients up to their limit, and four sockets for each question that is forwarded at once."""


def raise_file_limit() -> None:
    """Take what the system allows of `FILES_WANTED`: the usual soft limit of 1024 is less than our own limits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
