"""What can go wrong in the name server, by whose fault it is.

DnsError
    BadNameError        a name that DNS cannot carry (a key's, a value's or a flag's)
    BadKeyError         a key below the prefix that stands for no name
    BadRecordError      a value that is not a record
    MessageError        a client's packet; carries the response code that it earns
"""


class DnsError(Exception):
    """The root of this package's errors."""


class BadNameError(DnsError):
    """A name that DNS cannot carry (RFC 1035, section 2.3.4)."""


class BadKeyError(DnsError):
    """A key below the prefix that stands for no name; the text says what to do about it."""


class BadRecordError(DnsError):
    """A value that is not a record; the text says which field, and what it must be."""


class MessageError(DnsError):
    """A packet that earns an error response.

    Attributes:
        rcode: the response code, RFC 1035 section 4.1.1.
    """

    def __init__(self, rcode: int, why: str) -> None:
        super().__init__(why)
        self.rcode = rcode
