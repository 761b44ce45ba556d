"""A tree of remco becomes groups of files and Jinja2."""

from pathlib import Path

import pytest
from tests.unit.render.importer.test_confd import written

from fairlead.render.importer import import_tree
from fairlead.render.importer.pongo2 import translate_pongo2

CONFIG = """
log_level = "debug"
include_dir = "resource.d"

[[resource]]
name = "haproxy"
start_cmd = "touch /run/started"
reload_cmd = "systemctl reload haproxy"

  [[resource.template]]
    src = "/etc/remco/templates/haproxy.tmpl"
    dst = "/etc/haproxy/haproxy.cfg"
    check_cmd = "haproxy -c -f {{.src}}"
    mode = "0640"
    make_directories = true

  [resource.backend.etcd]
    version = 3
    nodes = ["http://127.0.0.1:2379"]
    keys = ["/services"]
    watch = true
    watchKeys = ["/commit"]

  [resource.backend.consul]
    keys = ["/services"]
"""
INCLUDED = """
[[template]]
src = "app.tmpl"
dst = "/etc/app.conf"
reload_cmd = "app reload {{.dst}}"

[exec]
command = "/usr/bin/app --config /etc/app.conf"
kill_signal = "SIGINT"
kill_timeout = 10
splay = 5

[backend.etcd]
keys = ["/app"]
"""
TEMPLATE = """\
{% for dir in lsdir("/services") %}
listen {{ dir }}{# keep #}
{% for node in gets(printf("/services/%s/*", dir)) %}
    server {{ node.Key|base }} {{ node.Value|default:"none" }}{% if forloop.Last && !false %} last{% endif %}

{% endfor %}
{% empty %}
nothing
{% endfor %}
mode {{ getv("/nope") }}{{ getv("/mode", "http")|upper }}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "remco"
    (root / "templates").mkdir(parents=True)
    (root / "resource.d").mkdir()
    (root / "config").write_text(CONFIG)
    (root / "resource.d" / "app.toml").write_text(INCLUDED)
    (root / "templates" / "haproxy.tmpl").write_text(
        TEMPLATE.replace('printf("/services/%s/*", dir)', '"/services/a/*"')
    )
    (root / "templates" / "app.tmpl").write_text("{{ getv('/app/port') }}\n")
    return root


def test_a_tree_is_imported_and_renders(source: Path, tmp_path: Path) -> None:
    tree = import_tree(source, tmp_path / "new")
    assert [str(finding) for finding in tree.findings] == [
        "config:22: watchKeys is not translated: what a template reads is what is watched",
        "config:24: backend consul is not read; copy its keys to the store",
        "config:7: start_cmd is not translated: a reload runs after the first change too",
        "resource.d/app.toml:11: splay of exec is not translated",
    ]
    assert (
        (tmp_path / "new" / "conf.d" / "haproxy.yaml").read_text()
        == """\
# Imported from remco's config.
group: haproxy
keys:
  - /services
files:
  - src: haproxy.j2
    dest: /etc/haproxy/haproxy.cfg
    mode: '0640'
    make_dirs: true
check:
  shell: haproxy -c -f {{ src }}
reload:
  shell: systemctl reload haproxy
on_failure: retry
"""
    )
    keys = {"/services/a/1": "10.0.0.1", "/services/a/2": "10.0.0.2", "/app/port": "80"}
    assert written(tmp_path / "new", keys) == {
        "haproxy.cfg": b"listen a    server 1 10.0.0.1\n    server 2 10.0.0.2 last\nmode HTTP\n",
        "app.conf": b"80\n",
    }


@pytest.mark.parametrize(
    ("pongo2", "jinja2"),
    [
        ('{{ x|default:"a" }}', '{{ x|default("a", true) }}'),
        ("{{ x|split:','|join:\" | \" }}", "{{ x|split(',')|join(\" | \") }}"),
        ("{% if a && !b || c != d %}", "{% if a and not b or c != d %}"),
        ("{% if a&&(b||!c) %}", "{% if a and (b or not c) %}"),
        ("{{ forloop.Counter }} {{ forloop.Counter0 }}", "{{ loop.index }} {{ loop.index0 }}"),
        (
            "{% for k, v in m sorted %}{% empty %}{% endfor %}",
            "{% for k, v in m |sort %}{% else %}{% endfor %}",
        ),
        ('{{- getv("/a") -}}', '{{- getv("/a", "") -}}'),
        ('{{ getv("/a", "b") }} {{ get("/a").Value }}', '{{ getv("/a", "b") }} {{ get("/a").Value }}'),
        ('{{ "a|b && !c" }}', '{{ "a|b && !c" }}'),
        ("{# {{ x|nope }} #}", "{# {{ x|nope }} #}"),
    ],
)
def test_what_differs_is_spelled_anew(pongo2: str, jinja2: str) -> None:
    found: list[str] = []
    assert translate_pongo2(pongo2, complain=lambda _, text: found.append(text)).replace(
        " |sort", "|sort"
    ) == jinja2.replace(" |sort", "|sort")
    assert found == []


@pytest.mark.parametrize(
    ("pongo2", "problem"),
    [
        ("a\n{{ x|truncatewords:3 }}", "filter truncatewords of pongo2 has no counterpart here"),
        ("a\n{% ifchanged x %}", "tag ifchanged of pongo2 has no counterpart here"),
    ],
)
def test_what_has_no_counterpart_is_found_and_does_not_render(pongo2: str, problem: str) -> None:
    found: list[tuple[int, str]] = []
    text = translate_pongo2(pongo2, complain=lambda line, text: found.append((line, text)))
    assert found == [(2, problem)]
    assert f'go.untranslated("line 2: {problem}")' in text
