"""One answer of a true history, made false."""

import random
from dataclasses import replace

from tests.history import (
    Ambiguous,
    CompactResponse,
    DeleteResponse,
    Failed,
    GrantResponse,
    History,
    KeepAliveResponse,
    KeyValue,
    Operation,
    PutResponse,
    RangeResponse,
    Refused,
    Response,
    RevokeResponse,
    TxnResponse,
)
from tests.history.requests import is_serializable


def corrupt(history: History, rng: random.Random) -> History:
    """Return the history with one answer changed, of those that the judge of linearizability looks at."""
    places = [
        index
        for index, operation in enumerate(history)
        if not isinstance(operation.outcome, Failed | Ambiguous | Refused)
        and not is_serializable(operation.request)
    ]
    if not places:
        return history
    place = rng.choice(places)
    return (*history[:place], _false(history[place], rng), *history[place + 1 :])


def _false(operation: Operation, rng: random.Random) -> Operation:
    assert not isinstance(operation.outcome, Failed | Ambiguous)
    return replace(operation, outcome=_false_response(operation.outcome, rng))


def _false_response(response: Response, rng: random.Random) -> Response:
    off = rng.choice((-2, -1, 1, 2))
    match response:
        case RangeResponse() if response.kvs and rng.random() < 0.7:
            kvs = list(response.kvs)
            place = rng.randrange(len(kvs))
            if rng.random() < 0.2:
                del kvs[place]
            else:
                kvs[place] = _false_pair(kvs[place], rng)
            return replace(response, kvs=tuple(kvs))
        case DeleteResponse() if rng.random() < 0.5:
            return replace(response, deleted=response.deleted + 1)
        case TxnResponse() if rng.random() < 0.5:
            return replace(response, succeeded=not response.succeeded)
        case KeepAliveResponse():
            return replace(response, ttl_s=0.0 if response.ttl_s else 1.0)
        case GrantResponse() | RevokeResponse() | CompactResponse() | PutResponse():
            return replace(response, revision=response.revision + off)
        case RangeResponse() | DeleteResponse() | TxnResponse():
            return replace(response, revision=response.revision + off)
        case Refused():
            return response


def _false_pair(pair: KeyValue, rng: random.Random) -> KeyValue:
    match rng.randrange(5):
        case 0:
            return replace(pair, value=pair.value + b"!")
        case 1:
            return replace(pair, version=pair.version + 1)
        case 2:
            return replace(pair, mod_revision=pair.mod_revision - 1)
        case 3:
            return replace(pair, create_revision=pair.create_revision - 1)
        case _:
            return replace(pair, lease=pair.lease + 1)
