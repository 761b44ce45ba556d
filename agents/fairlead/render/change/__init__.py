"""One group's way from rendered files to a program that runs on them, and back where it does not.

``machine`` decides, without any IO: one event in, at most one action out.  ``effects`` does what it is told.
``journal`` is what both rest on: before anything irreversible is done it is written down, so that whoever is
killed at any moment finds, when started again, what was begun, and ends it one way or the other.
Source: the contract of the state machine is the table in ``arrows``.
"""

from fairlead.render.change.arrows import State
from fairlead.render.change.machine import Machine
from fairlead.render.change.memory import Entry, Memory, Phase
from fairlead.render.change.model import Change, FileChange, FileVersion
from fairlead.render.change.outcome import Outcome, Step

__all__ = [
    "Change",
    "Entry",
    "FileChange",
    "FileVersion",
    "Machine",
    "Memory",
    "Outcome",
    "Phase",
    "State",
    "Step",
]
