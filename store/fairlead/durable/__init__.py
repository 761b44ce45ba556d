"""Files that are on the disk, whole, when the call returns: what a crash or a power cut must not take back.

It lies below everything.  The log and the data of the store have ways of their own, which a simulator can take apart.
"""

from fairlead.durable.files import create_durably, make_directory, sync_directory, whole_file, write_durably

__all__ = ["create_durably", "make_directory", "sync_directory", "whole_file", "write_durably"]
