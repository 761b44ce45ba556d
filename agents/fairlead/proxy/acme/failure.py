"""An order that failed, as all proxies know it from the store: how often in a row, and until when nobody tries again.

An authority counts failures of a name, whoever asks (Let's Encrypt: five an hour); so proxies count together too.
Deleting the key has them try at once.  Sans-IO.
"""

import json
import time
from dataclasses import asdict, dataclass

_FIRST_S = 300.0
_MAX_S = 86_400.0
_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The last one of a name.

    Attributes:
        count: in a row.
        until_s: nobody tries again before; seconds since 1970.
        reason: what the authority said.
    """

    count: int
    until_s: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.reason}; tried again at {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(self.until_s))}"
        )

    def encoded(self) -> bytes:
        """Return the value of its key."""
        return json.dumps(asdict(self)).encode()


def failed(before: Failure | None, reason: str, *, now_s: float) -> Failure:
    """Return what follows from one more failure: after 5 minutes, then twice as long each time, to a day."""
    count = before.count + 1 if before is not None else 1
    wait_s = min(_FIRST_S * 2 ** min(count - 1, _DOUBLINGS_MAX), _MAX_S)
    return Failure(count=count, until_s=now_s + wait_s, reason=reason)


def read_failure(value: bytes, *, now_s: float) -> Failure | None:
    """Return what a key says, None when that is nothing; no clock of another proxy makes us wait over a day."""
    try:
        said = json.loads(value)
        until_s = min(float(said["until_s"]), now_s + _MAX_S)
        return Failure(count=max(int(said["count"]), 1), until_s=until_s, reason=str(said["reason"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
