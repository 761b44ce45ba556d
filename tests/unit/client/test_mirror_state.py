"""The mirror's core against a naive model: a plain dict, and a consumer that only ever sees Changes."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from fairlead.client import Event, KeyValue
from fairlead.client.mirror_state import MirrorState, Pending, hull, outermost

KEYS = [b"/a/1", b"/a/2", b"/b", b"/b/1", b"/c/1"]


def pair(key: bytes, value: bytes, *, revision: int) -> KeyValue:
    return KeyValue(key=key, value=value, create_revision=revision, mod_revision=revision, version=1)


def put(key: bytes, value: bytes, *, revision: int) -> Event:
    return Event(kv=pair(key, value, revision=revision))


def deletion(key: bytes, *, revision: int) -> Event:
    return Event(kv=pair(key, b"", revision=revision), is_delete=True)


class Consumer:
    """Knows what Changes told it, and nothing else."""

    def __init__(self) -> None:
        self.pending = Pending()
        self.pairs: dict[bytes, KeyValue] = {}

    def catch_up(self, state: MirrorState) -> None:
        change = self.pending.take(state)
        if change is None:
            return
        assert change.revision == state.revision
        assert not change.deletes & change.puts.keys()
        assert change.deletes <= self.pairs.keys(), "told to delete what it never knew"
        assert all(self.pairs.get(key) != kv for key, kv in change.puts.items()), "told what it knew"
        for key in change.deletes:
            del self.pairs[key]
        self.pairs.update(change.puts)


# A history: at each revision some keys are written (text) or deleted (None).
revisions = st.lists(
    st.dictionaries(st.sampled_from(KEYS), st.none() | st.sampled_from([b"x", b"y"]), min_size=1), max_size=12
)
# How each revision reaches the mirror: at once, with the next one, followed by a repetition of half of all
# that went before, or by a list; and whether the lazy consumer looks then.
deliveries = st.lists(
    st.tuples(st.sampled_from(["events", "later", "again", "list"]), st.booleans()), min_size=12, max_size=12
)


@given(history=revisions, ways=deliveries)
def test_every_consumer_ends_with_what_the_store_holds(
    history: list[dict[bytes, bytes | None]], ways: list[tuple[str, bool]]
) -> None:
    state = MirrorState([b"/a/", b"/b"])
    eager, lazy = Consumer(), Consumer()
    model: dict[bytes, KeyValue] = {}
    log: list[Event] = []
    for revision, (writes, (way, is_read)) in enumerate(zip(history, ways, strict=False), 1):
        log += write(model, writes, revision=revision)
        wanted = {key: kv for key, kv in model.items() if key.startswith((b"/a/", b"/b"))}
        if way == "later" and revision < len(history):
            continue
        if way == "list":
            touched = [state.replace(wanted.values(), revision=revision)]
        else:
            news = [event for event in log if event.kv.mod_revision > state.revision]
            touched = [state.apply(news, revision=revision)]
        if way == "again":
            touched.append(state.apply(log[: len(log) // 2], revision=revision // 2))
        for consumer in (eager, lazy):
            for one in touched:
                consumer.pending.note(one, is_snapshot=way == "list")
        eager.catch_up(state)
        if is_read:
            lazy.catch_up(state)
        assert {kv.key: kv for kv in state.items()} == wanted
        assert eager.pairs == wanted
        assert state.revision == revision
    lazy.catch_up(state)
    assert lazy.pairs == eager.pairs


def write(
    model: dict[bytes, KeyValue], writes: dict[bytes, bytes | None], *, revision: int
) -> Iterator[Event]:
    """Do what one revision does; yield its events."""
    for key, value in writes.items():
        if value is not None:
            model[key] = pair(key, value, revision=revision)
            yield put(key, value, revision=revision)
        elif model.pop(key, None) is not None:
            yield deletion(key, revision=revision)


@given(history=revisions)
def test_an_index_finds_exactly_the_pairs_with_the_term(history: list[dict[bytes, bytes | None]]) -> None:
    state = MirrorState([b"/"], index_by={"letter": lambda kv: kv.value.decode()})
    for number, writes in enumerate(history):
        state.apply(
            [
                deletion(key, revision=number + 1) if value is None else put(key, value, revision=number + 1)
                for key, value in writes.items()
            ],
            revision=number + 1,
        )
        for letter in "xyz":
            assert state.find("letter", letter) == [kv for kv in state.items() if kv.value == letter.encode()]


def test_a_key_that_came_and_went_between_two_looks_is_not_mentioned() -> None:
    state, pending = MirrorState([b""]), Pending()
    pending.note(state.apply([put(b"a", b"x", revision=1)], revision=1), is_snapshot=False)
    pending.note(state.apply([deletion(b"a", revision=2)], revision=2), is_snapshot=False)

    assert pending.take(state) is None


def test_a_key_that_a_restored_store_has_as_the_consumer_knew_it_is_not_mentioned() -> None:
    state, pending = MirrorState([b""]), Pending()
    old = pair(b"a", b"old", revision=1)
    pending.note(state.replace([old], revision=1), is_snapshot=True)
    pending.take(state)
    pending.note(state.apply([put(b"a", b"new", revision=2)], revision=2), is_snapshot=False)
    pending.note(state.replace([old], revision=1), is_snapshot=False)

    assert pending.take(state) is None


def test_a_list_that_changes_nothing_is_still_told_as_a_snapshot() -> None:
    """A consumer may wait for it: it says that the mirror has caught up."""
    state, pending = MirrorState([b""]), Pending()
    pending.note(state.replace([], revision=9), is_snapshot=True)

    change = pending.take(state)
    assert change is not None
    assert (change.revision, change.puts, change.deletes, change.is_snapshot) == (9, {}, frozenset(), True)
    assert pending.take(state) is None


def test_a_list_may_lead_back_to_an_earlier_revision() -> None:
    """A store restored from a backup is behind what the mirror has seen."""
    state = MirrorState([b""])
    state.apply([put(b"a", b"new", revision=9)], revision=9)

    assert state.replace([pair(b"a", b"old", revision=3)], revision=4).keys() == {b"a"}
    assert state.revision == 4
    assert state.apply([put(b"a", b"newer", revision=5)], revision=5).keys() == {b"a"}


def test_the_witness_is_the_pair_written_last() -> None:
    state = MirrorState([b""])
    assert state.witness() is None
    state.apply([put(b"b", b"x", revision=5), put(b"a", b"x", revision=6)], revision=6)

    assert state.witness() == pair(b"a", b"x", revision=6)


def test_items_under_a_prefix_come_in_key_order() -> None:
    state = MirrorState([b""])
    state.apply([put(key, b"x", revision=1) for key in reversed(KEYS)], revision=1)

    assert [kv.key for kv in state.items(b"/b")] == [b"/b", b"/b/1"]
    assert [kv.key for kv in state.items()] == KEYS
    assert repr(state) == "<MirrorState 5 keys at revision 1>"


@given(prefixes=st.lists(st.binary(max_size=3), min_size=1), key=st.binary(min_size=1, max_size=4))
def test_the_hull_holds_every_key_of_every_prefix(prefixes: list[bytes], key: bytes) -> None:
    first, end = hull(outermost(prefixes))

    if key.startswith(tuple(prefixes)):
        assert key >= first
        assert end == b"\x00" or key < end
    assert key.startswith(outermost(prefixes)) == key.startswith(tuple(prefixes))


def test_prefixes_within_another_are_left_out() -> None:
    assert outermost([b"/b", b"/a/x", b"/a", b"/a"]) == (b"/a", b"/b")
