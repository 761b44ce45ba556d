"""Go's package path: the rows are what its own documentation and behaviour give."""

import pytest

from fairlead.render.paths import base, clean, directory, is_under, join


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "."),
        ("a/c", "a/c"),
        ("a//c", "a/c"),
        ("a/c/.", "a/c"),
        ("a/c/b/..", "a/c"),
        ("/../a/c", "/a/c"),
        ("/../a/b/../././/c", "/a/c"),
        ("//a", "/a"),
        ("/a/", "/a"),
        ("/", "/"),
        ("..", ".."),
    ],
)
def test_clean_gives_the_shortest_equal_path(path: str, expected: str) -> None:
    assert expected == clean(path)


@pytest.mark.parametrize(
    ("path", "name", "parent"),
    [
        ("", ".", "."),
        ("/", "/", "/"),
        ("//", "/", "/"),
        ("a", "a", "."),
        ("/a", "a", "/"),
        ("/a/b", "b", "/a"),
        ("/a/b/", "b", "/a/b"),
        ("a/b", "b", "a"),
    ],
)
def test_base_and_dir_treat_trailing_slashes_as_go_does(path: str, name: str, parent: str) -> None:
    assert (name, parent) == (base(path), directory(path))


def test_join_adds_slashes_and_drops_empty_parts() -> None:
    assert join("/", "", "app", "/port") == "/app/port"
    assert join("", "") == ""


def test_a_key_is_not_under_a_path_that_only_begins_its_name() -> None:
    """A test on the bare text takes /foobar for a child of /foo."""
    assert not is_under("/foobar", "/foo")
    assert is_under("/foo", "/foo")
    assert is_under("/foo/bar", "/foo")
    assert is_under("/anything", "/")
