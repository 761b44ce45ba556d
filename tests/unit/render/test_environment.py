"""Templates: what they can do, what they cannot, and what an error says."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.render.conftest import ConfDir, MakeResource

from fairlead.render.environment import Renderer
from fairlead.render.errors import LookupFailedError
from fairlead.render.rendered import Rendered
from fairlead.render.resource import parse_group
from fairlead.render.view import Snapshot

KEYS = {"/app/name": "demo", "/app/hosts/a": "10.0.0.1", "/app/hosts/b": "10.0.0.2", "/other": "x"}


def _no_answer(host: str) -> list[str]:
    raise LookupFailedError(f"the addresses of {host} cannot be looked up: no answer")


@pytest.fixture
def renderer(confdir: ConfDir) -> Renderer:
    world = {"lookupIP": _no_answer}
    return Renderer(confdir.path / "templates", output_bytes_max=10_000, world=world)


def content_of(rendered: Rendered) -> bytes:
    assert rendered.files is not None
    [file] = rendered.files
    return file.content


class Bench:
    """Renders one template text over ``KEYS``."""

    def __init__(self, confdir: ConfDir, renderer: Renderer, make_resource: MakeResource) -> None:
        self._confdir = confdir
        self._renderer = renderer
        self._make_resource = make_resource

    def render(self, text: str, *, keys: dict[str, str] | None = None) -> Rendered:
        self._confdir.template("web.j2", text)
        resource = self._make_resource(keys=["/app"])
        return self._renderer.render(resource, Snapshot(KEYS if keys is None else keys, revision=7))

    def text(self, text: str, **kwargs: dict[str, str]) -> str:
        rendered = self.render(text, **kwargs)
        assert rendered.error is None, rendered.error
        return content_of(rendered).decode("utf-8", "surrogateescape")

    def error(self, text: str) -> str:
        rendered = self.render(text)
        assert rendered.files is None
        return str(rendered.error)


@pytest.fixture
def bench(confdir: ConfDir, renderer: Renderer, make_resource: MakeResource) -> Bench:
    return Bench(confdir, renderer, make_resource)


def test_a_template_reads_keys_and_the_output_carries_the_revision(bench: Bench) -> None:
    rendered = bench.render(
        "{% for kv in gets('/app/hosts/*') %}\n{{ kv.Key|base }}={{ kv.Value }}\n{% endfor %}\n"
    )
    assert content_of(rendered) == b"a=10.0.0.1\nb=10.0.0.2\n"
    assert rendered.revision == 7
    assert rendered.dependencies.prefixes == {"/app/hosts/"}


def test_functions_are_filters_where_they_read_naturally(bench: Bench) -> None:
    assert (
        bench.text("{{ getv('/app/name')|toUpper }} {{ toUpper('a') }} {{ '4'|atoi|add(1) }}") == "DEMO A 5"
    )
    assert bench.text("{{ join(['a', 'b'], '-') }} {{ ['a', 'b']|join('-') }}") == "a-b a-b"


def test_nothing_is_escaped_and_the_last_line_end_stays(bench: Bench) -> None:
    assert bench.text("{{ '<&>' }}\n") == "<&>\n"
    assert bench.text("no end") == "no end"


def test_bytes_that_are_not_utf_8_pass_through(bench: Bench) -> None:
    keys = {"/app/raw": b"\xff\x00\xc3".decode("utf-8", "surrogateescape")}
    rendered = bench.render("{{ getv('/app/raw') }}", keys=keys)
    assert content_of(rendered) == b"\xff\x00\xc3"


def test_templates_include_and_import_one_another(bench: Bench, confdir: ConfDir) -> None:
    confdir.template("part.j2", "{{ getv('/app/name') }}")
    confdir.template("macros.j2", "{% macro name() %}{{ getv('/app/name') }}{% endmacro %}")
    assert bench.text("{% include 'part.j2' %}") == "demo"
    assert bench.text("{% import 'macros.j2' as m with context %}{{ m.name() }}") == "demo"
    assert "import the template 'with context'" in bench.error("{% import 'macros.j2' as m %}{{ m.name() }}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "a\n\n{{ getv('/app/port') }}",
            "templates/web.j2:3: key /app/port does not exist; write it with: fairlead kv put /app/port VALUE",
        ),
        ("{{ getv('/other') }}", "templates/web.j2:1: key /other does not exist"),
        ("a\n{{ nope }}", "templates/web.j2:2: 'nope' is undefined"),
        ("{{ gets('/app/[') }}", "templates/web.j2:1: malformed pattern"),
        ("{{ 'x'|atoi }}", "templates/web.j2:1: not a whole number: 'x'"),
        ("{{ 1 / 0 }}", "templates/web.j2:1: division by zero"),
        ("a\n{% for %}", "templates/web.j2:2: "),
        ('{{ getv "/app/port" }}', "this is Jinja2, where a call has brackets"),
        ("{% include 'gone.j2' %}", "there is no template gone.j2"),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ getv.__self__ }}", "unsafe"),
        ("{{ [].append(1) }}", "unsafe"),
        ("{% for i in range(100000) %}{{ i }}{% endfor %}", "the output is longer than 10000 bytes"),
        ("{{ lookupIP('db') }}", "the addresses of db cannot be looked up: no answer"),
    ],
)
def test_an_error_says_where_and_what_in_one_line(text: str, complaint: str, bench: Bench) -> None:
    error = bench.error(text)
    assert error.startswith("conf.d/web.toml: templates/web.j2")
    assert complaint in error
    assert "\n" not in error


def test_an_error_in_an_included_template_names_that_one(bench: Bench, confdir: ConfDir) -> None:
    confdir.template("part.j2", "\n{{ getv('/app/port') }}")
    assert "templates/part.j2:2: key /app/port" in bench.error("\n\n\n{% include 'part.j2' %}")


def test_a_template_that_is_not_there_is_named(renderer: Renderer, make_resource: MakeResource) -> None:
    error = renderer.render(make_resource(), Snapshot()).error
    assert str(error) == (
        "conf.d/web.toml: templates/web.j2: there is no template web.j2; put it under templates/"
    )


def test_only_a_lookup_that_failed_is_worth_trying_again(bench: Bench) -> None:
    lookup, missing = bench.render("{{ lookupIP('db') }}"), bench.render("{{ getv('/app/port') }}")
    assert lookup.error is not None
    assert lookup.error.is_transient
    assert missing.error is not None
    assert not missing.error.is_transient


def test_what_was_read_before_the_error_is_a_dependency(bench: Bench) -> None:
    rendered = bench.render("{{ getv('/app/name') }}{{ getv('/app/port') }}{{ getv('/app/never') }}")
    assert rendered.dependencies.keys == {"/app/name", "/app/port"}


def test_an_edited_template_is_taken_up(bench: Bench, confdir: ConfDir) -> None:
    """A bad edit is an error and a good one heals it, without a restart."""
    assert bench.text("one") == "one"
    assert "templates/web.j2:1" in bench.error("{% bad %}")
    assert bench.text("two!") == "two!"
    assert confdir.path.is_dir()


class Group:
    """Renders a group of one ``foreach`` file over ``KEYS``."""

    def __init__(self, confdir: ConfDir, renderer: Renderer) -> None:
        self._confdir = confdir
        self._renderer = renderer

    def render(
        self, text: str, *, foreach: str, dest: str = "/out/{{ item }}.conf", more: str = ""
    ) -> Rendered:
        self._confdir.template("web.j2", text)
        document = f"files: [{{src: web.j2, foreach: {foreach!r}, dest: {dest!r}}}]\n{more}"
        resource = parse_group(document, name="conf.d/web.yaml", settings=self._confdir.settings())
        return self._renderer.render(resource, Snapshot(KEYS))


@pytest.fixture
def group(confdir: ConfDir, renderer: Renderer) -> Group:
    return Group(confdir, renderer)


def test_foreach_makes_one_file_for_each_item_and_depends_on_the_list(group: Group) -> None:
    rendered = group.render("{{ item }}={{ getv('/app/hosts/' ~ item) }}", foreach="ls('/app/hosts')")
    assert rendered.files is not None
    assert {file.dest: file.content for file in rendered.files} == {
        "/out/a.conf": b"a=10.0.0.1",
        "/out/b.conf": b"b=10.0.0.2",
    }
    assert rendered.dependencies.prefixes == {"/app/hosts/"}
    assert group.render("x", foreach="ls('/nothing')").files == ()


@pytest.mark.parametrize(
    ("foreach", "dest", "complaint"),
    [
        (
            "['../../etc/passwd']",
            "/out/{{ item }}",
            "'/out/../../etc/passwd' is not an absolute path without ..",
        ),
        ("['a/b']", "/out/{{ item }}", "the item 'a/b' would lead to another directory"),
        ("['.a']", "/out/{{ item }}", "or be hidden"),
        ("['a', 'b']", "/out/x", "two files go to /out/x"),
        ("'text'", "/out/{{ item }}", "foreach: 'text': foreach takes a list, not 'text'"),
        ("nope", "/out/{{ item }}", "foreach: nope: 'nope' is undefined"),
        ("getv('/app/gone')", "/out/{{ item }}", "foreach: getv('/app/gone'): key /app/gone does not exist"),
        ("ls(", "/out/{{ item }}", "foreach: ls(: "),
    ],
)
def test_a_hostile_or_wrong_list_is_one_line(group: Group, foreach: str, dest: str, complaint: str) -> None:
    rendered = group.render("x", foreach=foreach, dest=dest)
    assert rendered.files is None
    assert complaint in str(rendered.error)


def test_guards_are_counted_with_the_files_and_are_dependencies_too(group: Group) -> None:
    guards = 'guards: {"gets(\'/app/hosts/*\')": {min: 1}, "getv(\'/app/name\')": {min: 1}, "7": {min: 1}}'
    rendered = group.render("x", foreach="['a']", more=guards)
    assert rendered.counts == {"gets('/app/hosts/*')": 2, "getv('/app/name')": 4, "7": 7}
    assert rendered.dependencies.keys == {"/app/name"}
    refused = group.render("x", foreach="['a']", more="guards: {none: {min: 1}}")
    assert "guards: none: a guard counts a list, a text or a number, not None" in str(refused.error)


def test_delimiters_are_the_resources_own(group: Group) -> None:
    more = "delimiters: {variable: ['<<', '>>'], block: ['<%', '%>']}"
    rendered = group.render("{{ item }} << item >>", foreach="['a']", dest="/out/<< item >>", more=more)
    assert rendered.files is not None
    assert [(file.dest, file.content) for file in rendered.files] == [("/out/a", b"{{ item }} a")]


def test_what_was_asked_of_the_world_is_a_dependency(confdir: ConfDir, make_resource: MakeResource) -> None:
    """The shortest-lived answer says when to look again; the clock and the environment are no reason to."""

    class Records(list[str]):
        ttl_s = 7.0

    world: dict[str, Callable[..., Any]] = {
        "lookupSRV": lambda *_: Records(["a"]),
        "lookupIP": _no_answer,
        "fileExists": lambda _: True,
        "getenv": lambda _, default="": default,
        "datetime": lambda: "now",
    }
    renderer = Renderer(confdir.path / "templates", output_bytes_max=100, world=world)
    confdir.template(
        "web.j2",
        "{{ datetime() }}{{ getenv('X', default='y') }}{{ fileExists('/f') }}{{ lookupSRV('h', 'tcp', 'n') }}",
    )
    dependencies = renderer.render(make_resource(), Snapshot()).dependencies
    assert dependencies.world == {
        "datetime": None, "getenv X y": None, "fileExists /f": 10.0, "lookupSRV h tcp n": 7.0,
    }  # fmt: skip
    assert dependencies.refresh_s == 7.0
    confdir.template("web.j2", "{{ lookupIP('db') }}{{ lookupIP('never') }}")
    failed = renderer.render(make_resource(), Snapshot())
    assert failed.error is not None
    assert failed.dependencies.world == {"lookupIP db": 30.0}


def test_the_revision_is_there_for_whoever_wants_to_show_it(bench: Bench) -> None:
    assert bench.text("{{ revision() }}") == "7"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{% include 'web.j2' %}", "recursion"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{% extends 'web.j2' %}", "recursion"),
        ("{{ go.include('web.j2') }}", "web.j2 is included 10 files deep; does it include itself?"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "is one inside of another?",
        ),
        (
            "{% for i in seq(1, 99999) %}{% for j in seq(1, 99999) %}{% endfor %}{% endfor %}",
            "is one inside of another?",
        ),
    ],
)
def test_a_template_without_an_end_is_ended(text: str, complaint: str, bench: Bench) -> None:
    """One bad template must not hold up the others."""
    error = bench.error(text)
    assert complaint in error
    assert "\n" not in error
    assert len(error) < 500


def test_a_large_value_passes_and_a_larger_file_does_not(
    bench: Bench, confdir: ConfDir, make_resource: MakeResource
) -> None:
    keys = {"/app/large": "x" * 10_000_000}
    assert "the output is longer than 10000 bytes" in str(
        bench.render("{{ getv('/app/large') }}", keys=keys).error
    )
    renderer = Renderer(confdir.path / "templates", output_bytes_max=64_000_000)
    files = renderer.render(make_resource(keys=["/app"]), Snapshot(keys)).files
    assert files is not None
    assert len(files[0].content) == 10_000_000


def test_a_key_may_be_a_value_and_a_directory(bench: Bench) -> None:
    keys = {"/app/a": "1", "/app/a/b": "2", "/app/a/b/c": "3"}
    assert bench.text(
        "{{ getv('/app/a') }}{{ getv('/app/a/b') }} {{ ls('/app/a') }} {{ lsdir('/app') }}", keys=keys
    ) == ("12 ['a', 'b'] ['a']")
