"""Airlock's groups: {"total_slots": 1, "holders": ["..."]} at com.coreos.airlock/groups/G/v1/semaphore.  Pure."""

import json

from fairlead.lock.errors import BrokenSemaphoreError, SourceError
from fairlead.lock.semaphore import Semaphore

PREFIX = "com.coreos.airlock/groups/"
_SUFFIX = "/v1/semaphore"


def group_of(key: str) -> str | None:
    """Return the group whose semaphore is at ``key``; None for any other key."""
    if key.startswith(PREFIX) and key.endswith(_SUFFIX):
        return key[len(PREFIX) : -len(_SUFFIX)] or None
    return None


def read_airlock(key: str, value: bytes) -> Semaphore:
    """Return the semaphore as one of locksmith's kind.

    Raises:
        SourceError: the value is not airlock's.
    """
    try:
        fields = json.loads(value)
        permits, holders = fields["total_slots"], fields.get("holders") or []
        return Semaphore.decode(
            json.dumps({"semaphore": permits - len(holders), "max": permits, "holders": holders}).encode()
        )
    except (ValueError, KeyError, TypeError, AttributeError, BrokenSemaphoreError) as error:
        raise SourceError(f"{key} is not airlock's: {error}; it was left alone") from error
