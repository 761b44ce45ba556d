"""The deletion guard: a zone that loses much of itself at once keeps what it had, until somebody says that it was meant.

A wrong command, a writer gone mad or a lease that many keys shared takes a zone away in a moment; whoever asks gets NXDOMAIN,
and remembers it.  The guard holds such deletions back, says so, and waits for ``fairlead dns accept``.
"""

from fairlead.dns.guard.guard import Guard, GuardSettings, Held, Ruling
from fairlead.dns.guard.memory import load_held, save_held

__all__ = ["Guard", "GuardSettings", "Held", "Ruling", "load_held", "save_held"]
