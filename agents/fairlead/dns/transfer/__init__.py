"""Whole zones for secondaries: AXFR, IXFR, NOTIFY, TSIG, and a serial that never goes back.

RFC 1995, 1996, 5936 and 8945.
"""

from fairlead.dns.transfer.errors import TsigKeyError
from fairlead.dns.transfer.keyring import Keyring
from fairlead.dns.transfer.limits import TransferLimits
from fairlead.dns.transfer.notifier import Notifier
from fairlead.dns.transfer.serial import SerialFile
from fairlead.dns.transfer.settings import TransferSettings
from fairlead.dns.transfer.signed import SignedAnswerer, answering_signed
from fairlead.dns.transfer.stream import Transfers

__all__ = [
    "Keyring",
    "Notifier",
    "SerialFile",
    "SignedAnswerer",
    "TransferLimits",
    "TransferSettings",
    "Transfers",
    "TsigKeyError",
    "answering_signed",
]
