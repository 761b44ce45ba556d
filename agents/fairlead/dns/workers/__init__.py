"""Worker processes: each answers on sockets of its own (SO_REUSEPORT), all of them from what one watch says.

The first process follows the store and answers too; `pool` starts the others and feeds them, `worker` is what they run.  A
worker that dies is replaced, and its sockets, which the first process keeps open, hold its queries meanwhile.
"""

from fairlead.dns.workers.pool import Pool

__all__ = ["Pool"]
