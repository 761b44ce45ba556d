"""What the keys of a rollout mean, whoever has written them: where it is not clear that a host may change, it may not."""

from typing import Any

import pytest

from fairlead.client import GetResult, KeyValue
from fairlead.render.change.actions import Acquire, Done, Failed
from fairlead.render.resource import Rollout
from fairlead.render.rollout import ROLLOUT_PREFIX, RolloutGate

ROOT = f"{ROLLOUT_PREFIX}web/"
ACTION = Acquire(rollout=Rollout(group="web", canary=("web0",)), revision=7)
PROVEN = {"hosts/web0": b'{"revision": 7}'}


class Store:
    """Holds keys, and grants every transaction."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = keys
        self.taken: list[Any] = []

    async def get(self, _: str, *, prefix: bool) -> GetResult:
        assert prefix
        pairs = [_pair(f"{ROOT}{name}", value) for name, value in self._keys.items()]
        return GetResult(kvs=tuple(pairs), revision=9, count=len(pairs), more=False)

    async def txn(self, _: object, *, success: list[Any]) -> Any:
        self.taken += success

        class Succeeded:
            succeeded = True

        return Succeeded()


def _pair(key: str, value: bytes) -> KeyValue:
    return KeyValue(key=key.encode(), value=value, create_revision=1, mod_revision=1, version=1, lease=0)


async def acquire(keys: dict[str, bytes]) -> Done | Failed:
    store = Store(keys)
    result = await RolloutGate(store, "web1").acquire(ACTION)  # type: ignore[arg-type]
    assert bool(store.taken) == (result == Done(value=""))
    return result


async def test_a_slot_is_taken_when_the_canary_is_well_with_these_keys() -> None:
    assert await acquire(PROVEN) == Done(value="")


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"])
async def test_a_halt_that_cannot_be_read_halts(value: bytes) -> None:
    result = await acquire({**PROVEN, "halt": value})
    assert result == Failed(
        problem="rollout web: it is halted by a value that cannot be read;"
        f" go on with: fairlead kv del {ROOT}halt"
    )


@pytest.mark.parametrize("revision", [b"7", b"8", b'"x"', b"null", b"[]", b"1e9", b"9" * 4000])
async def test_a_halt_stands_for_these_keys_and_for_any_where_it_does_not_say(revision: bytes) -> None:
    result = await acquire(
        {**PROVEN, "halt": b'{"host": "web0", "error": "x", "revision": ' + revision + b"}"}
    )
    assert isinstance(result, Failed)
    assert "it is halted, web0 came to harm: x" in result.problem


async def test_a_halt_does_not_stand_for_later_keys() -> None:
    assert await acquire({**PROVEN, "halt": b'{"revision": 6}'}) == Done(value="")


@pytest.mark.parametrize(
    "value", [b"", b"{}", b'{"revision": 6}', b'{"revision": "7"}', b'{"revision": true}', b"7"]
)
async def test_a_canary_is_proven_by_a_number_alone(value: bytes) -> None:
    assert await acquire({"hosts/web0": value}) == Done(value="the canary web0 has to go first")


@pytest.mark.parametrize("value", [b"", b"{", b"no", b"{}"])
async def test_a_freeze_is_a_freeze_and_a_slot_is_taken_whatever_they_hold(value: bytes) -> None:
    frozen = await acquire({**PROVEN, "freeze": value})
    assert isinstance(frozen, Failed)
    assert "it is frozen" in frozen.problem
    taken = await acquire({**PROVEN, "slots/0": value})
    assert isinstance(taken, Done)
    assert taken.value == f"somebody ({ROOT}slots/0) is changing"
