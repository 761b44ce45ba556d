"""One revision of the keys, and one template's window on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.errors import MissingKeyError, TemplateFault
from fairlead.render.glob import compile_glob
from fairlead.render.paths import is_under
from fairlead.render.view import Dependencies, KVPair, Snapshot, View, to_bytes, to_text

KEYS = {
    "/app": "root",
    "/app/port": "80",
    "/app/hosts/b": "2",
    "/app/hosts/a": "9",
    "/app/hosts/c/name": "c",
    "/application/port": "81",
    "/other": "x",
}


def view(*visible: str, root: str = "/") -> View:
    return View(Snapshot(KEYS, revision=7), root=root, visible=visible or ("/",))


def test_getv_gives_the_value_or_the_default_or_an_error() -> None:
    assert view().getv("/app/port") == "80"
    assert view().getv("/app/port", "1") == "80"
    assert view().getv("/nope", "1") == "1"
    assert view().getv("/nope", "") == ""
    with pytest.raises(
        MissingKeyError, match="key /nope does not exist; write it with: fairlead kv put /nope VALUE"
    ):
        view().getv("/nope")


def test_get_gives_the_pair_in_both_spellings() -> None:
    pair = view().get("/app/port")
    assert pair == KVPair("/app/port", "80")
    assert (pair.Key, pair.Value) == ("/app/port", "80")
    with pytest.raises(MissingKeyError):
        view().get("/nope")


def test_exists_is_about_the_exact_key() -> None:
    assert view().exists("/app")
    assert not view().exists("/app/hosts")


def test_gets_sorts_by_key_and_getvs_by_value() -> None:
    assert view().gets("/app/hosts/*") == [KVPair("/app/hosts/a", "9"), KVPair("/app/hosts/b", "2")]
    assert view().getvs("/app/hosts/*") == ["2", "9"]


def test_no_match_is_an_empty_list_and_a_malformed_pattern_an_error() -> None:
    assert view().gets("/nope/*") == []
    assert view().getvs("/nope/*") == []
    assert view().gets("*") == []
    window = view()
    assert window.gets("app/*") == []
    assert window.dependencies == Dependencies()
    with pytest.raises(TemplateFault):
        view().gets("/app/[")


def test_ls_gives_the_first_segment_below() -> None:
    assert view().ls("/app") == ["app", "hosts", "port"]
    assert view().ls("/app/hosts") == ["a", "b", "c"]
    assert view().ls("/app/port") == ["port"]
    assert view().ls("/") == ["app", "application", "other"]
    assert view().ls("/nope") == []


def test_lsdir_gives_only_names_with_something_below() -> None:
    assert view().lsdir("/app") == ["hosts"]
    assert view().lsdir("/app/hosts") == ["c"]
    assert view().lsdir("/") == ["app", "application"]


def test_a_path_does_not_take_in_its_longer_neighbour() -> None:
    """/app is not /application, for a resource's prefix, for its keys, and for a listing."""
    assert view("/app").gets("/*/port") == [KVPair("/app/port", "80")]
    assert view("/app").ls("/") == ["app"]
    assert view("/app", root="/app").ls("/") == ["hosts", "port"]
    assert view("/app").gets("/app*/port") == [KVPair("/app/port", "80")]
    assert view("/app").gets("/appl*/port") == []
    assert not view("/app").exists("/application/port")


def test_the_prefix_is_taken_off_and_put_back_in_messages() -> None:
    window = view("/app/hosts", root="/app")
    assert window.gets("/hosts/*") == [KVPair("/hosts/a", "9"), KVPair("/hosts/b", "2")]
    with pytest.raises(MissingKeyError, match="key /app/port does not exist"):
        window.getv("/port")


def test_what_is_read_is_written_down_even_when_it_is_not_there() -> None:
    """A missing key that is written later must render the template again."""
    window = view("/app", root="/app")
    with pytest.raises(MissingKeyError):
        window.getv("/nope")
    window.gets("/hosts/*")
    window.ls("/x")
    assert window.dependencies == Dependencies(
        keys={"/app/nope", "/app/x"}, prefixes={"/app/hosts/", "/app/x/"}
    )


def test_only_a_change_that_was_read_touches() -> None:
    dependencies = Dependencies(keys={"/a"}, prefixes={"/b/"})
    assert dependencies.touching(["/z", "/a"]) == {"/a"}
    assert dependencies.touching(["/b/c"])
    assert not dependencies.touching(["/ab", "/b", "/a/c"])
    assert not Dependencies().touching(["/a"])


def test_an_update_says_what_changed_and_moves_the_revision() -> None:
    snapshot = Snapshot({"/a": "1", "/b": "2"}, revision=3)
    assert snapshot.update({"/a": "1", "/c": "3"}, ["/b", "/never"], revision=5) == {"/b", "/c"}
    assert snapshot.revision == 5
    assert repr(snapshot) == "<Snapshot of 2 keys at revision 5>"


@given(
    st.sampled_from(["/", "/app", "/app/hosts", "/nope"]),
    st.sampled_from(["/*", "/app*", "/appl*/*", "/*/port", "/app/h*/*", "/app/hosts/?", "/[ao]*", "*"]),
)
def test_gets_sees_exactly_the_matching_keys_under_the_visible_path(visible: str, pattern: str) -> None:
    expected = [
        key for key in sorted(KEYS) if compile_glob(pattern).fullmatch(key) and is_under(key, visible)
    ]
    assert [pair.key for pair in view(visible).gets(pattern)] == expected


snapshots = st.dictionaries(st.sampled_from(["/a", "/b", "/c", "/d"]), st.sampled_from("123"))


@given(snapshots, snapshots)
def test_a_replacement_touches_exactly_the_difference(before: dict[str, str], after: dict[str, str]) -> None:
    snapshot = Snapshot(before)
    changed = snapshot.replace(after, revision=2)
    assert changed == {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert dict(snapshot.starting_with("/")) == after


@given(st.binary())
def test_any_bytes_survive_the_way_through_a_template(raw: bytes) -> None:
    assert to_bytes(to_text(raw)) == raw
