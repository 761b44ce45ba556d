"""What can go wrong on the way to another name server.

DnsError
    ForwardError
        BadResponseError      bytes from an upstream that are no answer to what it was asked
        WrongCaseError        an answer that spells the question otherwise than it was asked (a lazy server, or a forger)
"""

from fairlead.dns.errors import DnsError


class ForwardError(DnsError):
    """The root of the forwarder's errors."""


class BadResponseError(ForwardError):
    """Bytes from an upstream that are no answer to what it was asked."""


class WrongCaseError(BadResponseError):
    """The question came back in another spelling: the upstream does not keep case, or the answer is forged."""
