import json

from rich.console import Console

from fairlead.cli import show
from fairlead.client import DeleteResult, GetResult, KeyValue, PutResult, TxnResult


def pair(key: bytes, value: bytes, *, lease: int = 0) -> KeyValue:
    return KeyValue(key=key, value=value, create_revision=2, mod_revision=3, version=2, lease=lease)


def drawn(*pairs: KeyValue, root: str = "") -> list[str]:
    console = Console(highlight=False, width=1000, color_system=None)
    with console.capture() as captured:
        console.print(show.tree_of(pairs, root), soft_wrap=True)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_children_are_names_and_folders_each_once() -> None:
    keys = ["/app/a", "/app/b/c", "/app/b/d", "/app/e/f/g"]

    assert show.children(keys, "/app/") == ["a", "b/", "e/"]
    assert show.children(keys, "") == ["app/"]


def test_a_folder_is_the_same_with_and_without_its_slash_and_no_neighbour_that_begins_alike() -> None:
    assert [show.folder_of(prefix) for prefix in ("/app", "/app/", "/", "")] == ["/app/", "/app/", "/", ""]


def test_a_key_and_a_folder_of_one_name_are_both_listed() -> None:
    assert show.children(["/a", "/a/b"], "") == ["a", "a/"]


def test_a_tree_has_values_at_its_leaves() -> None:
    assert drawn(pair(b"/a", b"1"), pair(b"/b/c", b"2"), pair(b"/b/d", b"3")) == [
        "/",
        "├── a  1",
        "└── b",
        "    ├── c  2",
        "    └── d  3",
    ]


def test_a_key_with_keys_below_it_keeps_its_value_in_the_tree() -> None:
    assert drawn(pair(b"/a", b"1"), pair(b"/a/b", b"2")) == ["/", "└── a  1", "    └── b  2"]


def test_a_value_of_several_lines_is_one_line_of_the_tree_and_brackets_are_no_markup() -> None:
    assert drawn(pair(b"/a/x", b"[red]\nb"), root="/a") == ["/a", "└── x  [red] b"]


def test_json_has_text_as_text_and_other_bytes_in_base64() -> None:
    """A program that reads our JSON must get every byte, and people their umlauts."""
    shown = show.pair(pair("/ä".encode(), b"\xff\x00", lease=0x1F))

    assert shown == {
        "key": "/ä",
        "value_base64": "/wA=",
        "create_revision": 2,
        "mod_revision": 3,
        "version": 2,
        "lease": "1f",
    }
    assert json.loads(show.json_of(shown)) == shown


def test_a_transaction_shows_which_branch_it_took_and_each_answer() -> None:
    got = GetResult(kvs=(pair(b"/a", b"1"),), count=1, more=False, revision=7)
    put, deleted = PutResult(revision=7), DeleteResult(deleted=2, revision=7)
    answer = TxnResult(succeeded=True, responses=(put, got, deleted), revision=7)

    assert list(show.lines(answer)) == [
        "the condition holds",
        "  written at revision 7",
        "  /a  1",
        "  2 deleted",
    ]
    shown = show.result(answer)
    assert shown["succeeded"] is True
    assert [sorted(part) for part in shown["responses"]] == [
        ["revision"],
        ["count", "kvs", "revision"],
        ["deleted", "revision"],
    ]


def test_bytes_that_are_no_text_cannot_steer_a_terminal() -> None:
    assert show.text_of(b"a\xff") == "a\\xff"
