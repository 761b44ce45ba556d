"""What process 1 owes its namespace, for a renderer that is started as one: in a container without an init.

What commands and supervised programs leave behind becomes a child of process 1, and stays a zombie until that waits
for it.  A renderer that waited for any child would take the ends of those that it waits for itself; so it forks: the
child is the renderer, the parent does nothing but pass on signals and wait.
"""

import os
import signal
import sys
from collections.abc import Callable

_PASSED_ON = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
_WAITED_FOR = _PASSED_ON | {signal.SIGCHLD}


def under_init(run: Callable[[], int]) -> int:
    """Run ``run``; in process 1 in a child of it, and return the child's exit status (128 + n for signal n)."""
    return _be_init(run) if os.getpid() == 1 else run()


def _be_init(run: Callable[[], int]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)
        # A terminal's signals go to its whole group; ours come from the parent alone.
        os.setsid()
        return run()
    while True:
        number = signal.sigwait(_WAITED_FOR)
        if number in _PASSED_ON:
            os.kill(child, number)
        elif (status := _reap_until(child)) is not None:
            return status


def _reap_until(child: int) -> int | None:
    """Wait for all that have ended; return the exit status of ``child`` when it is among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            return None
