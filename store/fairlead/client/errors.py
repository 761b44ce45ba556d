"""What can go wrong between a client and the store.

    ClientError
      EndpointError           an endpoint or a TLS file that cannot be used
      UnavailableError        no endpoint answered, or none in time
      HistoryLostError        the store went back, or another store answers
      CompactedError          the history asked for is gone
      AuthError               the store refuses this user
      LeaseLostError          the lease is gone and its keys with it
      RequestError            the store refused this request; code and detail are its own

Each message is one line for the operator: what, where, and what to do next.
"""

from collections.abc import Sequence


class ClientError(Exception):
    """The root of everything this package raises on purpose."""


class EndpointError(ClientError):
    """An endpoint or a TLS file that cannot be used; the operator's mistake."""


class UnavailableError(ClientError):
    """No endpoint answered.

    Attributes:
        endpoints: the URLs that were tried.
        reason: what the last of them said.
        is_sent: whether the request may have reached a store; a write may then have been applied.
    """

    def __init__(self, endpoints: Sequence[str], *, reason: str = "", is_sent: bool = False) -> None:
        """Name the endpoints and what to try."""
        self.endpoints = tuple(endpoints)
        self.reason = reason
        self.is_sent = is_sent
        where = ",".join(self.endpoints)
        why = f" ({reason})" if reason else ""
        doubt = "; the write may have been applied" if is_sent else ""
        super().__init__(
            f"no store answers at {where}{why}{doubt}; is it running? "
            f"try: fairlead kv get --endpoints {where} KEY"
        )


class HistoryLostError(ClientError):
    """The store's history is not the one that was followed: it was restored, or another store answers."""

    def __init__(self, *, seen_revision: int, revision: int) -> None:
        """Name the revision that was seen and the one the store has now."""
        self.seen_revision = seen_revision
        self.revision = revision
        super().__init__(
            f"the store's history changed: revision {seen_revision} was seen and it is at {revision} now; "
            "it was restored, or another store answers: list again"
        )


class CompactedError(ClientError):
    """The history asked for is gone.

    Attributes:
        revision: the one asked for; 0 when it is not known.
        compact_revision: the first that can still be had; 0 when the store did not say.
    """

    def __init__(self, *, revision: int = 0, compact_revision: int = 0) -> None:
        """Name both revisions where they are known."""
        self.revision = revision
        self.compact_revision = compact_revision
        asked = f"revision {revision}" if revision else "the revision asked for"
        first = f"; the oldest is {compact_revision}" if compact_revision else ""
        super().__init__(f"{asked} has been compacted{first}: read the current state instead")


class AuthError(ClientError):
    """The store refuses this user: unknown, wrong password, or not permitted."""


class LeaseLostError(ClientError):
    """The lease is gone, and its keys with it."""

    def __init__(self, lease_id: int) -> None:
        """Name the lease as etcdctl prints it."""
        self.lease_id = lease_id
        super().__init__(f"lease {lease_id:x} is gone and its keys with it: grant another")


class RequestError(ClientError):
    """The store refused this request.

    Attributes:
        code: gRPC's name of the status, such as ``INVALID_ARGUMENT``.
        detail: the store's own text.
    """

    def __init__(self, code: str, detail: str) -> None:
        """Keep code and text as the store gave them."""
        self.code = code
        self.detail = detail
        super().__init__(f"the store refused the request: {detail} ({code})")
