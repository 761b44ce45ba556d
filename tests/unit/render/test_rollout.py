"""What the keys of a rollout mean, whoever has written them: where it is not clear that a host may change, it may not."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fairlead.client import Compare, GetResult, KeyValue, op_delete, op_put
from fairlead.render.change import Outcome, Step
from fairlead.render.change.actions import Acquire, Done, Failed, Release
from fairlead.render.errors import GuardError
from fairlead.render.resource import Resource, Rollout
from fairlead.render.rollout import ROLLOUT_PREFIX, Canary, RolloutGate

ROOT = f"{ROLLOUT_PREFIX}web/"
ACTION = Acquire(rollout=Rollout(group="web", canary=("web0",)), revision=7)
PROVEN = {"hosts/web0": b'{"revision": 7}'}


class Store:
    """Holds keys, and grants every transaction, or none."""

    def __init__(self, keys: dict[str, bytes], *, grants: bool = True) -> None:
        self._keys = keys
        self._grants = grants
        self.taken: list[Any] = []
        self.compared: list[Any] = []

    async def get(self, _: str, *, prefix: bool) -> GetResult:
        assert prefix
        pairs = [_pair(f"{ROOT}{name}", value) for name, value in self._keys.items()]
        return GetResult(kvs=tuple(pairs), revision=9, count=len(pairs), more=False)

    async def txn(self, compares: list[Any], *, success: list[Any]) -> Any:
        self.taken += success
        self.compared += compares
        return SimpleNamespace(succeeded=self._grants)


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


def gate_to(store: Store, host: str = "web1") -> RolloutGate:
    return RolloutGate(store, host, clock_s=lambda: 5.0)  # type: ignore[arg-type]


async def test_a_slot_is_taken_only_while_nobody_halts_freezes_or_takes_it() -> None:
    store = Store({**PROVEN, "slots/1": b'{"host": "web2"}'})
    two = Acquire(rollout=Rollout(group="web", max=2, canary=("web0",)), revision=7)
    assert await gate_to(store).acquire(two) == Done(value="")
    words = '{"host": "web1", "revision": 7, "since_s": 5}'
    assert store.taken == [op_put(f"{ROOT}slots/0", words)]
    assert store.compared == [
        Compare.mod_revision(f"{ROOT}halt").equals(0),
        Compare.mod_revision(f"{ROOT}freeze").equals(0),
        Compare.create_revision(f"{ROOT}slots/0").equals(0),
    ]


async def test_there_are_as_many_slots_as_the_rollout_says_and_ours_is_ours() -> None:
    taken = {**PROVEN, "slots/0": b'{"host": "web2"}'}
    assert await gate_to(Store(taken)).acquire(ACTION) == Done(value="web2 is changing")
    store = Store(taken)
    assert await gate_to(store, "web2").acquire(ACTION) == Done(value="")
    assert store.taken == [], "it is held from before a crash"


async def test_a_host_that_is_too_slow_waits() -> None:
    store = Store(PROVEN, grants=False)
    assert await gate_to(store).acquire(ACTION) == Done(value="another host was faster")


async def test_a_canary_does_not_wait_for_itself() -> None:
    assert await gate_to(Store({}), "web0").acquire(ACTION) == Done(value="")


async def test_only_ones_own_slot_is_given_back_and_harm_halts_in_the_same_transaction() -> None:
    slots = {"slots/0": b'{"host": "web2"}', "slots/1": b'{"host": "web1"}'}
    for error in ("", "it broke"):
        store = Store(slots)
        release = Release(rollout=ACTION.rollout, revision=7, error=error)
        assert await gate_to(store).release(release) == Done()
        words = '{"host": "web1", "revision": 7, "since_s": 5, "error": "it broke"}'
        halt = [op_put(f"{ROOT}halt", words)] if error else []
        assert store.taken == [op_delete(f"{ROOT}slots/1"), *halt]
    store = Store({"slots/0": b'{"host": "web2"}'})
    assert await gate_to(store).release(Release(rollout=ACTION.rollout, revision=7)) == Done()
    assert store.taken == []


class Told:
    """A gate that remembers what a canary has said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    async def settled(self, group: str, revision: int) -> None:
        self.said.append((group, revision))


async def test_a_canary_is_well_with_keys_only_when_none_of_its_groups_is_ill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fairlead.render.rollout._CANARY_PAUSE_S", 0.0)
    gate = Told()

    def outcome(name: str, *, is_ill: bool = False) -> Outcome:
        resource = Resource(name=name, group=name, files=(), rollout=ACTION.rollout)
        return Outcome(resource=resource, step=Step.REPLACE, error=GuardError(name, "no") if is_ill else None)

    async def turns(canary: Canary) -> None:
        task = asyncio.create_task(canary.run())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()

    other = Canary(gate, "web1")  # type: ignore[arg-type]
    other.note(outcome("a"))
    other.settled(7)
    await turns(other)
    canary = Canary(gate, "web0")  # type: ignore[arg-type]
    canary.note(outcome("a"))
    canary.note(outcome("b", is_ill=True))
    canary.settled(7)
    await turns(canary)
    assert gate.said == []
    canary.note(outcome("b"))
    await turns(canary)
    canary.note(outcome("b"))
    await turns(canary)
    canary.settled(9)
    await turns(canary)
    assert gate.said == [("web", 7), ("web", 9)]
