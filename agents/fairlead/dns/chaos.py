"""Who answers here: the names of class CHAOS that name servers traditionally know."""

import struct

from fairlead.dns import names
from fairlead.dns.message import Class, Type
from fairlead.dns.names import Name
from fairlead.dns.wire import split_text

_VERSION = ("version.bind", "version.server")
_HOST = ("hostname.bind", "id.server")


class Chaos:
    """The answers of class CHAOS.

    Args:
        version: of this server; empty tells nothing.
        hostname: of this host; empty tells nothing.
    """

    def __init__(self, *, version: str, hostname: str) -> None:
        texts = {**dict.fromkeys(_VERSION, version), **dict.fromkeys(_HOST, hostname)}
        self._bodies = {names.from_text(name): txt_body(text) for name, text in texts.items() if text}

    def body(self, name: Name, qtype: int) -> bytes | None:
        """Return the one record that answers, after the question; None when there is none to give."""
        return self._bodies.get(name) if qtype in {Type.TXT, Type.ANY} else None


def txt_body(text: str) -> bytes:
    """Return a TXT record of class CHAOS that says ``text``, as it stands after the question."""
    data = split_text(text.encode())
    return b"\xc0\x0c" + struct.pack("!HHIH", Type.TXT, Class.CH, 0, len(data)) + data
