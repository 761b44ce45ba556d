"""The journal on disk: what is read back is what was written, and damage is never passed over."""

import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.change.codec import Lines, decode_lines, encode_record
from fairlead.render.change.contents import Contents
from fairlead.render.change.journal import Journal, read_content, read_memories, replay
from fairlead.render.change.memory import HISTORY_ENTRIES_MAX, Memory, Phase, memory_as_json, memory_from_json
from fairlead.render.change.model import Change, FileChange, FileVersion, change_as_json, change_from_json
from fairlead.render.errors import JournalError, JournalInUseError
from fairlead.render.guards import refusal
from fairlead.render.history import entry_as_json, explain
from fairlead.render.resource.model import Guard

RECORDS = [{"group": "a", "kind": "x", "n": n} for n in range(3)]
LINES = [encode_record(record) for record in RECORDS]
TEXT = st.text(max_size=5)
IDS = st.integers(0, 2**32 - 1)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
VERSIONS = st.none() | st.builds(FileVersion, digest=TEXT, mode=st.integers(0, 0o7777), uid=IDS, gid=IDS)
CHANGES = st.builds(
    Change,
    revision=NUMBERS,
    files=st.lists(
        st.builds(
            FileChange,
            dest=TEXT,
            old=VERSIONS,
            new=VERSIONS,
            is_secret=st.booleans(),
            prune=st.booleans(),
            make_dirs=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    counts=st.dictionaries(TEXT, NUMBERS),
    cause=st.lists(TEXT, max_size=3).map(tuple),
)


@given(CHANGES)
def test_a_change_survives_the_journal(change: Change) -> None:
    assert change_from_json(decode_lines(encode_record(change_as_json(change))).records[0]) == change


def test_records_are_read_back() -> None:
    starts = [sum(map(len, LINES[:number])) for number in range(len(LINES))]
    assert decode_lines(b"".join(LINES)) == Lines(RECORDS, starts, sum(map(len, LINES)))
    assert decode_lines(b"") == Lines([], [], 0)


def test_wherever_the_last_line_is_torn_the_others_stay() -> None:
    whole = b"".join(LINES[:2])
    for cut in range(len(LINES[2])):
        assert decode_lines(whole + LINES[2][:cut]) == Lines(RECORDS[:2], [0, len(LINES[0])], len(whole))


def test_a_flipped_bit_is_never_read_as_something_else() -> None:
    """In the last line it is taken for a torn end; in the middle it is damage, and its place is named."""
    data = b"".join(LINES)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        if at == len(LINES[0] + LINES[1]) - 1:
            # Two lines have become one, and the end is torn further up.
            assert decode_lines(damaged).records == RECORDS[:1]
        elif at >= len(data) - len(LINES[2]):
            assert decode_lines(damaged).records == RECORDS[:2]
        else:
            with pytest.raises(JournalError) as caught:
                decode_lines(damaged)
            assert caught.value.offset == (0 if at < len(LINES[0]) else len(LINES[0]))


def change(digest: str, *, is_secret: bool = False) -> dict[str, object]:
    version = FileVersion(digest=digest, mode=0o644, uid=0, gid=0)
    file = FileChange(dest="/a", old=None, new=version, is_secret=is_secret)
    return change_as_json(Change(revision=7, files=(file,)))


def pending(digest: str, group: str = "g") -> dict[str, object]:
    return {"group": group, "kind": "pending", "change": change(digest), "marks": {"/log": 3}}


def test_what_was_begun_is_known_after_a_crash(tmp_path: Path) -> None:
    with Journal(tmp_path, clock_s=lambda: 5.0) as journal:
        journal.append(pending("d1"))
    with Journal(tmp_path) as journal:
        memory = journal.memory("g")
        assert (memory.phase, memory.marks) == (Phase.PENDING, {"/log": 3})
        assert journal.unfinished() == ["g"]
        journal.append({"group": "g", "kind": "done"})
        assert journal.unfinished() == []
        assert journal.memory("other") == Memory()
    memory = read_memories(tmp_path)["g"]
    assert memory.running == {"/a": "d1"}
    assert [(entry.number, entry.kind) for entry in memory.history] == [(1, "done")]


def test_every_state_survives_a_compaction(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [pending("d1"), {"group": "g", "kind": "done"}, pending("d2")]
    records += [{"group": "g", "kind": "rolling_back", "error": "why", "marks": {}}]
    records += [{"group": "g", "kind": "rolled_back"}, {"group": "g", "kind": "retry"}, pending("d3")]
    records += [{"group": "g", "kind": "abandoned"}, {"group": "g", "kind": "of another version"}]

    def clock_s() -> float:
        return 5.0

    with (
        Journal(tmp_path, clock_s=clock_s, compact_bytes=1) as compacted,
        Journal(tmp_path / "plain", clock_s=clock_s) as plain,
    ):
        for record in records:
            for journal in (compacted, plain):
                journal.append(record)
            memory = compacted.memory("g")
            assert memory == plain.memory("g")
            assert memory_from_json(memory_as_json(memory)) == memory
        assert (tmp_path / "journal").read_bytes().count(b"\n") == 1


def test_the_history_is_bounded_and_contents_go_with_it(tmp_path: Path) -> None:
    contents = [f"content {number}".encode() for number in range(HISTORY_ENTRIES_MAX + 5)]
    with Journal(tmp_path, compact_bytes=1) as journal:
        for content in contents:
            digest = _digest(content)
            journal.contents.keep(digest, content)
            journal.append(pending(digest))
            journal.append({"group": "g", "kind": "done"})
        history = journal.memory("g").history
        assert [entry.number for entry in history] == list(range(6, HISTORY_ENTRIES_MAX + 6))
    assert len(list((tmp_path / "contents").iterdir())) == HISTORY_ENTRIES_MAX
    assert read_content(tmp_path, _digest(contents[-1])) == contents[-1]


def _digest(content: bytes) -> str:

    return hashlib.sha256(content).hexdigest()


def test_a_torn_end_is_cut_off_and_written_over(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(pending("d1"))
    with (tmp_path / "journal").open("ab") as file:
        file.write(LINES[0][:-5])
    with Journal(tmp_path) as journal:
        journal.append({"group": "g", "kind": "done"})
    assert read_memories(tmp_path)["g"].running == {"/a": "d1"}


def test_damage_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(LINES[0][:5] + b"\n" + LINES[1])
    with pytest.raises(JournalError, match="damaged at byte 0; move it away to begin anew"):
        Journal(tmp_path)


def test_two_renderers_cannot_have_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(JournalInUseError, match="another renderer runs with the state in"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_record_that_does_not_reach_the_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    faults: list[tuple[str, Callable[..., object]]] = [("os.write", half), ("os.fsync", full)]
    with Journal(tmp_path) as journal:
        for name, fault in faults:
            with monkeypatch.context() as patch:
                patch.setattr(name, fault)
                with pytest.raises(OSError, match="No space left on device"):
                    journal.append(pending("d1"))
            assert journal.memory("g") == Memory()
        journal.append(pending("d2"))
    assert read_memories(tmp_path)["g"].change == change_from_json(change("d2"))


def test_nobody_else_may_look(tmp_path: Path) -> None:
    with Journal(tmp_path / "state") as journal:
        journal.contents.keep(_digest(b"x"), b"x")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").rglob("*")}
    assert modes == {0}
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_damaged_content_is_not_put_anywhere(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.contents.keep(_digest(b"x"), b"x")
        (tmp_path / "contents" / _digest(b"x")).write_bytes(b"y")
        with pytest.raises(OSError, match="is damaged; remove it"):
            journal.contents.read(_digest(b"x"))


def test_groups_with_equal_contents_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    """They share one kept content, and the tidying of one must not take it from the other."""
    contents = [f"content {number}".encode() for number in range(8)]
    failures: list[BaseException] = []

    def change_often(group: str) -> None:
        try:
            for content in contents:
                digest = _digest(content)
                journal.append(pending(digest, group), contents={digest: content})
                assert journal.contents.read(digest) == content
                journal.append({"group": group, "kind": "done"})
        except (OSError, AssertionError) as error:
            failures.append(error)

    with Journal(tmp_path, compact_bytes=4000) as journal:
        threads = [threading.Thread(target=change_often, args=(f"g{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def hostile(value: object) -> Iterator[object]:
    """Yield ``value`` with each of its parts in turn gone, or something that nobody expects there."""
    strange: tuple[object, ...] = (None, True, -1, 2**64, 1e300, "x", [], {}, [[]], {"x": {}})
    yield from strange
    if isinstance(value, dict):
        for name, part in value.items():
            yield {other: one for other, one in value.items() if other != name}
            for changed in hostile(part):
                yield {**value, name: changed}
    elif isinstance(value, list):
        for at, part in enumerate(value):
            for changed in hostile(part):
                yield [*value[:at], changed, *value[at + 1 :]]


def test_records_of_the_wrong_shape_are_refused_with_their_place_or_do_no_harm() -> None:
    """The checksum is right, so somebody has written them on purpose: what is taken in must bear being used."""
    first = pending(_digest(b"x"))
    lives = [[first], [first, {"group": "g", "kind": "done", "at_s": 1.0}]]
    lives += [[*life, {"group": "g", "kind": "rolling_back", "error": "x"}] for life in lives[:1]]
    lives += [[*lives[2], {"group": "g", "kind": "rolled_back", "at_s": 1.0}]]
    memories = [replay(b"".join(map(encode_record, life)))["g"] for life in lives]
    lives += [[{"group": "g", "kind": "memory", "memory": memory_as_json(memory)}] for memory in memories]
    refused = 0
    for life in lives:
        head = b"".join(map(encode_record, life[:-1]))
        for record in hostile(life[-1]):
            line = encode_record(record) if isinstance(record, dict) else _line(json.dumps(record).encode())
            offset = use(head + line + LINES[0])
            assert offset in {None, len(head)}
            refused += offset is not None
    assert refused > 300


def use(data: bytes) -> int | None:
    """Read it, and do what commands and the machine do with what was read; return where it is damaged."""
    try:
        memories = replay(data)
    except JournalError as error:
        return error.offset
    for group, memory in memories.items():
        assert json.dumps([entry_as_json(group, entry) for entry in memory.history])
        assert list(explain(group, memory))
        assert replay(encode_record({"group": group, "kind": "memory", "memory": memory_as_json(memory)}))
        assert memory.is_running_on({}) in {True, False}
        refusal((Guard(expression="x", max_drop=0.5),), {"x": 1}, memory.counts)
        if memory.phase is not Phase.SETTLED:
            assert memory.change is not None
    return None


def _line(text: bytes) -> bytes:
    return b"%08x %s\n" % (google_crc32c.value(text), text)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"1" * 10_000, b"{", b"\xff", b"NaN", b'{"a":1}x'])
def test_a_line_that_is_no_record_is_damage(text: bytes) -> None:
    with pytest.raises(JournalError):
        replay(_line(text) + LINES[0])


def test_damage_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(LINES[0][:5] + b"\n" + LINES[1])
    with pytest.raises(
        JournalError, match=f"the journal {tmp_path}/journal is damaged at byte 0; move it away"
    ):
        read_memories(tmp_path)


@pytest.mark.parametrize("digest", ["../precious", "", "..", "/etc/passwd"])
def test_a_digest_that_is_a_path_leads_nowhere(tmp_path: Path, digest: str) -> None:
    (tmp_path / "precious").write_bytes(b"x")
    contents = Contents(tmp_path / "contents")
    contents.keep(_digest(b"x"), b"x")
    with pytest.raises(OSError, match="is no digest"):
        contents.read(digest)
    with pytest.raises(OSError, match="is no digest"):
        contents.forget([digest])
    assert (tmp_path / "precious").exists()


def test_a_journal_that_cannot_be_tidied_takes_records_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the disk is said to be there, and nothing goes to a file that has lost its name."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path, compact_bytes=1) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full)
            journal.append(pending("d1"))
            assert journal.memory("g").phase is Phase.PENDING
        with monkeypatch.context() as patch:
            # The name is given, and whether that is on the disk nobody can say.
            patch.setattr("fairlead.durable.files.sync_directory", full)
            journal.append({"group": "g", "kind": "done"})
        assert read_memories(tmp_path) == {"g": journal.memory("g")}
        journal.append(pending("d2"))
        assert read_memories(tmp_path) == {"g": journal.memory("g")}
    with Journal(tmp_path) as journal:
        assert journal.memory("g").running == {"/a": "d1"}
        assert journal.memory("g").phase is Phase.PENDING
