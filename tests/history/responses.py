"""What the store answers; ``revision`` is that of the response's header."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """One key as the store holds it."""

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int
    version: int = 0
    lease: int = 0


class Error(Enum):
    """Why the replicated state itself refuses a request: every member would answer the same there."""

    COMPACTED = "the revision is compacted"
    FUTURE_REVISION = "the revision is not there yet"
    LEASE_NOT_FOUND = "the lease does not exist"
    LEASE_EXISTS = "the lease exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeResponse:
    """The keys found, in order; ``count`` disregards the limit."""

    revision: int
    kvs: tuple[KeyValue, ...] = ()
    count: int
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResponse:
    """``prev_kv`` is what the key held before, if that was asked for and there was something."""

    revision: int
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResponse:
    """How many keys were deleted, and what they held if that was asked for."""

    revision: int
    deleted: int
    prev_kvs: tuple[KeyValue, ...] = ()


TxnOpResponse = RangeResponse | PutResponse | DeleteResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class TxnResponse:
    """Which branch was taken, and the answer to each of its operations."""

    revision: int
    succeeded: bool
    responses: tuple[TxnOpResponse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantResponse:
    """The lease made; its TTL may be longer than what was asked for."""

    revision: int
    lease_id: int
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeResponse:
    """The lease is gone, and its keys with it."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAliveResponse:
    """The TTL that starts anew, or 0 when there is no such lease."""

    revision: int
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactResponse:
    """What was before is forgotten."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request reached the replicated state, which refused it and stayed as it was."""

    error: Error


Response = (
    RangeResponse
    | PutResponse
    | DeleteResponse
    | TxnResponse
    | GrantResponse
    | RevokeResponse
    | KeepAliveResponse
    | CompactResponse
    | Refused
)


def key_values(response: Response) -> Iterator[KeyValue]:
    """Yield every key-value pair that a response shows, present or previous."""
    match response:
        case RangeResponse():
            yield from response.kvs
        case PutResponse() if response.prev_kv is not None:
            yield response.prev_kv
        case DeleteResponse():
            yield from response.prev_kvs
        case TxnResponse():
            for part in response.responses:
                yield from key_values(part)
        case _:
            pass


def has_written(response: Response) -> bool:
    """Whether the response itself says that it made a revision; a revocation's does not say."""
    match response:
        case PutResponse():
            return True
        case DeleteResponse():
            return response.deleted > 0
        case TxnResponse():
            return any(has_written(part) for part in response.responses)
        case _:
            return False
