from fairlead.mvcc import Backend
from fairlead.mvcc.index import position_of
from fairlead.mvcc.log import RevisionLog

POSITIONS = [position_of(main, 0) for main in range(2, 102)]


def filled(backend: Backend, *, cache_bytes: int) -> RevisionLog:
    log = RevisionLog(backend.bucket("key"), cache_bytes=cache_bytes)
    for position in POSITIONS:
        log.put(position, b"%d" % position)
    backend.commit_now()
    return log


def test_values_are_the_same_whether_at_hand_or_not(backend: Backend) -> None:
    for cache_bytes in (0, 200, 1 << 20):
        log = filled(backend, cache_bytes=cache_bytes) if not cache_bytes else log_again(backend, cache_bytes)
        shuffled = POSITIONS[::-3] + POSITIONS[::7]
        assert log.get_many(shuffled) == [b"%d" % position for position in shuffled]
        assert [log.get(position) for position in shuffled] == [b"%d" % position for position in shuffled]


def log_again(backend: Backend, cache_bytes: int) -> RevisionLog:
    return RevisionLog(backend.bucket("key"), cache_bytes=cache_bytes)


def test_memory_stays_within_its_size(backend: Backend) -> None:
    log = filled(backend, cache_bytes=400)
    held = sum(len(kv) for generation in (log._young, log._old) for kv in generation.values())
    assert held <= 400 + len(b"%d" % POSITIONS[-1])


def test_what_is_read_often_stays_while_others_pass_by(backend: Backend) -> None:
    log = filled(backend, cache_bytes=400)
    often, bucket = POSITIONS[0], log._bucket
    log.get(often)
    for position in POSITIONS:
        log.get(position)
        log._bucket = None  # type: ignore[assignment]  # whoever asks it now fails
        assert log.get(often) == b"%d" % often
        log._bucket = bucket


def test_entries_come_in_order_from_a_position_on(backend: Backend) -> None:
    log = filled(backend, cache_bytes=0)
    assert [position for position, _ in log.entries_from(POSITIONS[90])] == POSITIONS[90:]
    assert log.entries == len(POSITIONS)
