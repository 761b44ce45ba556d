"""DNSSEC by signing when asked: keys, their roll-over, signatures and compact denials.

RFC 4033 to 4035, 6605, 7344, 8080 and 9824.
"""

from fairlead.dns.dnssec.errors import KeyFileError, RolloverError
from fairlead.dns.dnssec.keyfile import KeyFolder
from fairlead.dns.dnssec.keys import Algorithm, SigningKey
from fairlead.dns.dnssec.limits import SigningLimits
from fairlead.dns.dnssec.rollover import Keys, State, Step, ZoneKey
from fairlead.dns.dnssec.signer import Signer

__all__ = [
    "Algorithm",
    "KeyFileError",
    "KeyFolder",
    "Keys",
    "RolloverError",
    "Signer",
    "SigningKey",
    "SigningLimits",
    "State",
    "Step",
    "ZoneKey",
]
