"""What can go wrong with keys.

DnsError
    KeyFileError        a key file that cannot be read, written or trusted
    RolloverError       a step of a roll-over that would break validation
"""

from fairlead.dns.errors import DnsError


class KeyFileError(DnsError):
    """A key file that cannot be read, written or trusted; the text names it and says what to do."""


class RolloverError(DnsError):
    """A step of a roll-over that would break validation for somebody; the text says when it will not."""
