"""Who may read the admin's pages: whoever brings the token, or else those on this machine.

A page of somebody else in an operator's browser cannot read from here: without a token, a Host that is no
address of this machine is refused (DNS rebinding).
"""

import hmac
import ipaddress
from collections.abc import Awaitable

from fairlead.agent import Address, Answering, Asked, ConfigError, Page
from fairlead.proxy.admin.views import page


def guarded(answer: Answering, *, token: str) -> Answering:
    """Return ``answer`` for those who may ask.

    Args:
        answer: makes the pages.
        token: what clients have to bring, as ``Authorization: Bearer TOKEN``; empty: nothing.
    """

    def answer_operators(asked: Asked) -> Page | Awaitable[Page]:
        return _refusal(asked, token) or answer(asked)

    return answer_operators


def check_closed(address: Address, *, token: str) -> None:
    """Refuse an address that others can reach and where they would have to bring nothing.

    Raises:
        ConfigError: it is such a one.
    """
    if not token and not _is_loopback(address.host):
        raise ConfigError(
            f"--admin-listen {address} is open to others", "give --admin-token-file, or listen on 127.0.0.1"
        )


def _refusal(asked: Asked, token: str) -> Page | None:
    if token:
        brought = asked.fields.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(brought.encode(), token.encode()):
            return page(401, {"message": "send Authorization: Bearer TOKEN"})
    elif not _is_loopback(_without_port(asked.fields.get("host", ""))):
        return page(403, {"message": "ask by address, as in http://127.0.0.1:8182/"})
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
