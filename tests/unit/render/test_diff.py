"""What --noop prints."""

from fairlead.render.change.model import FileState
from fairlead.render.diff import describe_change


def state(content: bytes, *, mode: int = 0o644, uid: int = 0) -> FileState:
    return FileState(content=content, mode=mode, uid=uid, gid=0)


def lines(wanted: FileState, found: FileState | None) -> list[str]:
    return list(describe_change("/x", wanted, found))


def test_nothing_is_said_of_equal_files() -> None:
    assert lines(state(b"a\n"), state(b"a\n")) == []


def test_content_is_a_unified_diff() -> None:
    assert lines(state(b"a\nc\n"), state(b"a\nb\n")) == [
        "--- /x (now)",
        "+++ /x (rendered)",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]


def test_a_missing_final_line_end_is_said() -> None:
    assert "\\ No newline at end of file" in lines(state(b"a"), state(b"a\n"))


def test_mode_and_owner_are_told_apart_from_content() -> None:
    assert lines(state(b"a", mode=0o600, uid=5), state(b"a")) == [
        "/x: mode 0644 -> 0600",
        "/x: owner 0:0 -> 5:0",
    ]


def test_a_new_file_is_announced_even_when_it_is_empty() -> None:
    assert lines(state(b""), None) == ["new file /x, mode 0644, owner 0:0"]


def test_binary_and_huge_files_are_summed_up() -> None:
    assert lines(state(b"\0"), state(b"ab")) == ["/x: binary, 2 -> 1 bytes"]
    assert lines(state(b"a\n" * 30_000), state(b"")) == ["/x: 0 -> 30000 lines, too long to compare here"]


def test_bytes_that_are_no_text_can_be_printed() -> None:
    assert lines(state(b"\xff\n"), state(b""))[-1] == "+\\udcff"


def test_what_would_steer_a_terminal_is_written_out() -> None:
    assert lines(state(b"\x1b[2J\ta\r\n"), state(b""))[-1] == "+\\x1b[2J\ta\\r"


def test_only_a_line_feed_ends_a_line() -> None:
    """A form feed, a carriage return and Unicode's own separators are characters as others are."""
    shown = lines(state("a\fb\u2028c\rd\n".encode()), state(b""))
    assert shown[-1] == "+a\\x0cb\\u2028c\\rd"
    assert "\\ No newline at end of file" not in shown
