"""How a middleware is made from the JSON of its key, and what of the world it may use.

A type is a function ``make`` (see ``Make``).  Ours are in ``types``; a third party's come by entry point, group
``fairlead.proxy.middleware``, under the name that stands in ``Type``.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.shares import Share
from fairlead.proxy.middleware.spec import Spec


class Web(Protocol):
    """An HTTP client for what middlewares ask others."""

    async def ask(
        self, method: str, url: str, *, fields: Fields, body: bytes = b"", timeout_s: float
    ) -> tuple[int, Fields, bytes]:
        """Return status, fields and body; redirects are not followed.

        Raises:
            OSError: nobody answered, not in time, or too much.
        """


class SyslogAddress(NamedTuple):
    """Where lines go and what stands before each.

    Attributes:
        host: empty for a datagram socket at ``path``.
        priority: facility * 8 + severity (RFC 3164, section 4.1.1).
    """

    host: str
    port: int
    path: str
    priority: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a middleware may use of the world.

    Attributes:
        web: asks other servers.
        spawn: runs something beside the requests; what fails there is logged, and too much of it dropped.
        compute: runs a slow function without holding up the loop, and returns its result.
        syslog: sends one line to a syslog; never waits, never fails.
        random_id: returns 32 fresh hexadecimal digits.
        share: our part of limits that all proxies of a store keep together.
        workers: processes that are this proxy together; each lets that part of a limit pass.
    """

    web: Web
    spawn: Callable[[Coroutine[Any, Any, object]], None]
    compute: Callable[..., Coroutine[Any, Any, Any]]
    syslog: "Callable[[SyslogAddress, str], None]"
    random_id: Callable[[], bytes]
    share: Share
    workers: int = 1


class Make(Protocol):
    """Makes the middlewares of one type."""

    def __call__(self, spec: Spec, *, tools: Tools, previous: Middleware | None) -> Middleware:
        """Return the middleware that ``spec`` describes.

        Args:
            spec: its JSON, the object in ``Middleware``.
            tools: the world.
            previous: what served under this id until now, to take its state over; None when there was none.

        Raises:
            KeyProblem: the JSON cannot be used.
        """
