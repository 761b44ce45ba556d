"""Compiled answers must go the moment they are stale, and no sooner."""

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.dns.site import Site, content, rdatas, records

from fairlead.dns import COREDNS, SKYDNS

LABELS = ["a", "b", "dns", "ns", "apex"]
HOSTS = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "a.z.test", "b.z.test", "a.b.z.test", "x.example", ""]

some_names = st.lists(st.sampled_from(LABELS), min_size=1, max_size=3).map(
    lambda ls: ".".join(ls) + ".z.test"
)
some_records = st.fixed_dictionaries(
    {"host": st.sampled_from(HOSTS)},
    optional={
        "group": st.sampled_from(["g", "h"]),
        "text": st.just("text"),
        "mail": st.just(True),
        "ttl": st.sampled_from([5, 50]),
        "weight": st.sampled_from([1, 50]),
        "targetstrip": st.sampled_from([1, 2]),
    },
)
some_changes = st.dictionaries(some_names, st.none() | some_records, min_size=1, max_size=3)
some_questions = st.tuples(
    st.lists(st.sampled_from([*LABELS, "*", "any"]), max_size=3).map(lambda ls: ".".join([*ls, "z.test"])),
    st.sampled_from(["A", "AAAA", "SRV", "TXT", "MX", "NS", "SOA", "CNAME", "PTR", "ANY", "HTTPS"]),
)


@given(
    changes=st.lists(some_changes, min_size=1, max_size=8),
    questions=st.lists(some_questions, min_size=1, max_size=12),
    dialect=st.sampled_from([SKYDNS, COREDNS]),
)
@settings(max_examples=60)
def test_a_warm_table_answers_as_a_cold_one(changes, questions, dialect) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - drawn
    """Whatever is asked between whatever changes, no answer is older than the records."""
    warm = Site(dialect=dialect, zones=("z.test",))
    state: dict[str, object] = {}
    for change in changes:
        gone = [name for name, fields in change.items() if fields is None and name in state]
        puts = {name: fields for name, fields in change.items() if fields is not None}
        state = {name: fields for name, fields in state.items() if name not in gone} | puts
        warm.put(puts)
        warm.delete(*gone)
        cold = Site(dialect=dialect, zones=("z.test",))
        cold.revision = warm.revision - 1
        cold.put(state)
        for name, rtype in questions:
            query = dns.message.make_query(name, rtype)
            assert _stable(warm.exchange(query)) == _stable(cold.exchange(query))


def _stable(message: dns.message.Message) -> object:
    """Everything but which of several CNAMEs has its turn."""
    return [line for line in map(str, content(message)) if "CNAME" not in line]


def test_a_change_leaves_the_answers_of_other_names() -> None:
    site = Site({"1.a.skydns.test": {"host": "10.0.0.1"}, "1.b.skydns.test": {"host": "10.0.0.2"}})
    site.ask("a.skydns.test")
    site.ask("b.skydns.test")
    site.put({"2.a.skydns.test": {"host": "10.0.0.3"}})
    kept = {bytes(question) for question in site.model.table.entries}
    assert kept == {b"\x01b\x06skydns\x04test\x00\x00\x01\x00\x01"}
    assert len(rdatas(site.ask("a.skydns.test"), "A")) == 2


def test_an_answer_goes_when_what_its_cname_leads_to_changes() -> None:
    site = Site({"www.skydns.test": {"host": "web.skydns.test"}, "web.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("www.skydns.test"), "A") == ["10.0.0.1"]
    site.put({"web.skydns.test": {"host": "10.0.0.2"}})
    assert rdatas(site.ask("www.skydns.test"), "A") == ["10.0.0.2"]
    site.delete("web.skydns.test")
    assert site.ask("www.skydns.test").answer == []


def test_an_answer_goes_when_a_target_that_was_missing_appears() -> None:
    site = Site({"s.skydns.test": {"host": "web.skydns.test"}})
    assert site.ask("s.skydns.test", "SRV").additional == []
    site.put({"web.skydns.test": {"host": "10.0.0.1"}})
    assert len(records(site.ask("s.skydns.test", "SRV").additional)) == 1


def test_wildcard_answers_go_when_anything_they_could_match_changes() -> None:
    site = Site({"x.a.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("x.*.skydns.test"), "A") == ["10.0.0.1"]
    site.put({"x.b.skydns.test": {"host": "10.0.0.2"}})
    assert len(rdatas(site.ask("x.*.skydns.test"), "A")) == 2


def test_dropping_entries_leaves_nothing_behind() -> None:
    site = Site({f"{n}.a.skydns.test": {"host": f"10.0.0.{n}"} for n in range(50)})
    for n in range(50):
        site.ask(f"{n}.a.skydns.test")
        site.ask(f"{n}.a.skydns.test", "SRV")
    site.delete(*(f"{n}.a.skydns.test" for n in range(50)))
    table = site.model.table
    assert (len(table.entries), len(table._sources), len(table._dependents)) == (0, 0, 0)
    assert repr(table) == "Table(0 of 200000 entries)"
