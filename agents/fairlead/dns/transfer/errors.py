"""What can go wrong with transfers.

DnsError
    TsigKeyError        a file of shared keys that cannot be used
MessageError            a query that may not have what it asks for
"""

from fairlead.dns.errors import DnsError


class TsigKeyError(DnsError):
    """A file of shared keys that cannot be used; the text names it and says what to do."""
