"""A tree of confd, imported, writes the very bytes that confd writes.

``confd/expected`` holds what confd with its fork's functions is to write from ``confd/keys.yaml``; each file was
worked out by hand from the documentation of confd and of Go.  To see confd itself do it (but for ``lookup.tmpl``,
which asks a world that the test makes, and ``top.tmpl``, which needs an etcd)::

    confd -onetime -sync-only -confdir confd -backend file -file confd/keys.yaml
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.render import Renderer, RenderSettings, Snapshot, load_resources
from fairlead.render.functions import PURE
from fairlead.render.gotemplate.types import RESULTS
from fairlead.render.importer import ImportRefusedError, import_tree
from fairlead.render.lookup import WORLD
from fairlead.render.trial import Case, world_of

TREE = Path(__file__).with_name("confd")
NAMES = sorted(path.name for path in (TREE / "expected").iterdir())


def flat(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys as confd's file backend makes them of nested maps."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from flat(value, f"{path}/{name}")
    else:
        yield path, str(node)


ELSEWHERE = world_of(
    Case(
        name="lookup",
        golden=TREE,
        hostname="web1",
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        dns={
            "db.example": ["10.0.0.2", "fd00::2", "10.0.0.10"],
            "four.example": ["10.0.0.1"],
            "eth0": ["192.0.2.7", "fd00::7"],
            "_http._tcp.example": [
                ["b.example.", 80, 5, 1],
                ["a.example.", 8080, 10, 5],
                ["a.example.", 80, 10, 5],
            ],
        },
    )
)
"""Of ``lookup.tmpl``: a name server, a clock and an interface that confd would have to be given."""
BOTH = {"/both": "value", "/both/below": "under"}
"""Of ``top.tmpl``: a key that is a value and a directory, which confd's file backend cannot hold."""
KEYS = dict(flat(yaml.safe_load((TREE / "keys.yaml").read_text())))


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    assert import_tree(TREE, tmp_path / "new").findings == []
    return tmp_path / "new"


def written(
    confdir: Path,
    keys: Mapping[str, str],
    *,
    only: str = "",
    world: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[str, bytes]:
    """Return what each resource, or ``only`` one, writes, by the name of the destination.

    ``world`` takes the place of the real one.
    """
    settings = RenderSettings(confdir=confdir)
    loaded = load_resources(settings)
    assert loaded.problems == ()
    renderer = Renderer(settings.template_dir, output_bytes_max=1_000_000, world={**WORLD, **(world or {})})
    found: dict[str, bytes] = {}
    for resource in loaded.resources:
        if only in {"", Path(resource.files[0].dest).name}:
            rendered = renderer.render(resource, Snapshot(keys, revision=1))
            assert rendered.files is not None, rendered.error
            found |= {Path(file.dest).name: file.content for file in rendered.files}
    return found


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLEAD_TEST_WORD", "word")
    monkeypatch.setenv("FAIRLEAD_TEST_EMPTY", "")
    monkeypatch.delenv("FAIRLEAD_TEST_UNSET", raising=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_imported_tree_writes_what_confd_writes(name: str, imported: Path, environment: None) -> None:
    keys = KEYS | BOTH if name == "top.conf" else KEYS
    world = ELSEWHERE if name == "lookup.conf" else None
    assert (
        written(imported, keys, only=name, world=world)[name].decode()
        == (TREE / "expected" / name).read_text()
    )


def test_the_tree_uses_every_function_there_is() -> None:
    text = "".join(path.read_text() for path in (TREE / "templates").rglob("*.tmpl"))
    assert {name for name in RESULTS if not re.search(rf"\b{name}\b", text)} == set()
    assert {*PURE, *WORLD} - {*RESULTS} == {"plain"}


def test_a_resource_becomes_a_group_that_says_the_same(imported: Path) -> None:
    assert (
        (imported / "conf.d" / "nginx.yaml").read_text()
        == """\
# Imported from confd's conf.d/nginx.toml.
group: nginx
prefix: /prod
keys:
  - /sites
  - /nginx
files:
  - src: nginx.j2
    dest: /etc/demo/nginx.conf
    mode: '0644'
    owner: root
    group: root
check:
  shell: /usr/sbin/nginx -t -c {{ src }}
reload:
  shell: /usr/sbin/nginx -s reload
  timeout: 20s
on_failure: retry
"""
    )
    assert (imported / "conf.d" / "sub" / "haproxy.yaml").is_file()


def test_the_settings_become_ours(imported: Path) -> None:
    assert yaml.safe_load((imported / "settings.yaml").read_text()) == {
        "endpoints": "http://10.0.0.1:2379,https://10.0.0.2:2379",
        "interval": 300,
        "user": "confd:not-a-real-one",
        "log-level": "warning",
    }
    # There is a password in it.
    assert (imported / "settings.yaml").stat().st_mode & 0o077 == 0


def test_what_is_not_translated_is_listed_with_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "old"
    shutil.copytree(TREE, source)
    (source / "conf.d" / "a.toml").write_text(
        '[template]\nsrc = "gone.tmpl"\ndest = "/x"\ndest_mode = "1"\ncheck_cmd = "test {{.src | base}}"\n\n[backend]\nname = "consul"\n'
    )
    (source / "conf.d" / "b.toml").write_text("[template]\nsrc = \n")
    (source / "conf.d" / "c.toml").write_text(
        '[template]\nsrc = "secret.tmpl"\ndest = "/y"\nprefix = "/own"\n'
    )
    (source / "templates" / "secret.tmpl").write_text('a\n{{cgetv "/secret"}}\n')
    (source / "templates" / "broken.tmpl").write_text("\n\n{{if}}")
    (source / "confd.toml").write_text('prefix = "/all"\nbackend = "consul"\nauth_token = "t"\n')
    tree = import_tree(source, tmp_path / "new")
    assert [str(finding) for finding in tree.findings] == [
        "conf.d/a.toml:7: [backend] is not translated; all keys come from the one store: copy them there",
        "conf.d/a.toml:2: there is no template gone.tmpl under templates/",
        "conf.d/a.toml:5: only {{.src}} and {{.dest}} are put into a command, not the rest of 'test {{.src | base}}'",
        "conf.d/a.toml:4: field dest_mode is not translated",
        "conf.d/b.toml:2: is not TOML: Invalid value (at line 2, column 7)",
        "conf.d/c.toml:4: left out: confd's global prefix /all takes its place (its fork joins both)",
        "conf.d/nginx.toml:4: left out: confd's global prefix /all takes its place (its fork joins both)",
        "templates/broken.tmpl:3: is no Go template: missing value for if",
        (
            "templates/secret.tmpl:2: function cgetv (values sealed with PGP) is gone from confd too;"
            " seal the value again with fairlead render seal, and read it with secret()"
        ),
        "confd.toml:2: backend consul is not read; copy its keys to the store",
        "confd.toml:3: auth_token is not translated",
    ]
    assert "go.untranslated" in (tmp_path / "new" / "templates" / "secret.j2").read_text()
    assert not (tmp_path / "new" / "templates" / "broken.j2").exists()


def test_nothing_is_written_over_and_nothing_is_imported_from_nowhere(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    with pytest.raises(ImportRefusedError, match="is not empty"):
        import_tree(TREE, tmp_path / "full")
    with pytest.raises(ImportRefusedError, match=r"holds neither confd's conf\.d nor remco's config"):
        import_tree(tmp_path / "full", tmp_path / "new")


def test_two_templates_never_become_one(tmp_path: Path) -> None:
    source: Any = tmp_path / "old"
    (source / "templates").mkdir(parents=True)
    (source / "conf.d").mkdir()
    for name in ("a.conf.tmpl", "a.conf.tpl", "a.conf"):
        (source / "templates" / name).write_text(name)
    tree = import_tree(source, tmp_path / "new")
    made = {name: content.decode() for name, content in tree.files.items() if name.startswith("templates/")}
    assert sorted(made.values()) == ["a.conf", "a.conf.tmpl", "a.conf.tpl"]
