"""Questions whose answer is yes or no, and commands with a time limit: what a lock, a registration and a name server ask before they act.

It never decides what follows from an answer.
"""

from fairlead.checks.check import Check, CommandCheck, HttpCheck, TcpCheck, read_check, run_check
from fairlead.checks.probe import ProbeError, Prober
from fairlead.checks.process import Ended, run_process

__all__ = [
    "Check",
    "CommandCheck",
    "Ended",
    "HttpCheck",
    "ProbeError",
    "Prober",
    "TcpCheck",
    "read_check",
    "run_check",
    "run_process",
]
