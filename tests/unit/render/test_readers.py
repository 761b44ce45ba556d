"""Who has read which keys: the index says what asking everybody would say."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.render.readers import Readers
from fairlead.render.view import Dependencies

KEYS = st.sampled_from(["/a", "/a/b", "/a/bc", "/ab", "/b", "/b/c/d"])
PREFIXES = st.sampled_from(["", "/", "/a", "/a/", "/a/b", "/b/", "/b/c/"])
READ = st.builds(Dependencies, keys=st.sets(KEYS, max_size=3), prefixes=st.sets(PREFIXES, max_size=2))


@given(
    renders=st.lists(st.tuples(st.sampled_from("xyz"), READ), max_size=10),
    changed=st.sets(KEYS | st.sampled_from(["/", "/c"])),
)
def test_a_change_touches_whoever_has_read_it_last(
    renders: list[tuple[str, Dependencies]], changed: set[str]
) -> None:
    readers, latest = Readers(), dict[str, Dependencies]()
    for name, dependencies in renders:
        readers.note(name, dependencies)
        latest[name] = dependencies
    asked = {name: sorted(dependencies.touching(changed)) for name, dependencies in latest.items()}
    assert readers.touched_by(changed) == {name: keys for name, keys in asked.items() if keys}
