"""The commands that need no store: check, test, keygen, seal and import."""

import io
import json
import stat
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir

from fairlead.cli import main
from fairlead.render.secrets import read_key, unseal

CONFD = Path(__file__).parents[1] / "importer" / "confd"
CASE = """
keys:
  app: {port: 80, hosts: {a: 10.0.0.1}, up: true}
env: {ZONE: eu}
hostname: web1
files: [/etc/there]
dns: {db: [10.0.0.5, "::5"], _http._tcp.site: [[b., 80, 1, 2], [a., 81, 1, 2]]}
"""
TEMPLATE = """\
{{ getv("/app/port") }} {{ getv("/app/up") }} {{ ls("/app") }} {{ getenv("ZONE") }} {{ hostname() }}
{{ fileExists("/etc/there") }} {{ fileExists("/etc/passwd") }} {{ datetime().year }} {{ getenv("PATH", "none") }}
{{ lookupIP("db") }} {{ lookupIPV6("db") }} {{ lookupSRV("http", "tcp", "site")|map(attribute="target")|list }}
"""
EXPECTED = """\
80 true ['hosts', 'port', 'up'] eu web1
True False 2026 none
['10.0.0.5', '::5'] ['::5'] ['a.', 'b.']
"""


@pytest.fixture
def tree(confdir: ConfDir) -> ConfDir:
    """One resource, one case, and the file that it must give."""
    confdir.resource("web", dest="/etc/web.conf")
    confdir.template("web.j2", TEMPLATE)
    golden = confdir.path / "tests" / "first" / "etc" / "web.conf"
    golden.parent.mkdir(parents=True)
    golden.write_text(EXPECTED)
    (confdir.path / "tests" / "first.yaml").write_text(CASE)
    return confdir


def run(*arguments: str | Path) -> int:
    return main(["render", *map(str, arguments)])


def test_a_case_that_holds_is_ok(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Its world is its own: neither this host nor its environment shows."""
    assert run("test", "--confdir", tree.path) == 0
    assert capsys.readouterr().out == "ok     first\n"


def test_a_case_that_fails_shows_the_difference(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    tree.template("web.j2", TEMPLATE.replace("hostname()", "hostname()|upper"))
    assert run("test", "--confdir", tree.path) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAILED first\n")
    assert "-80 true ['hosts', 'port', 'up'] eu web1\n" in out
    assert "+80 true ['hosts', 'port', 'up'] eu WEB1\n" in out
    assert run("test", "--confdir", tree.path, "--json") == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert run("test", "--confdir", tree.path, "--update") == 0
    assert run("test", "--confdir", tree.path, "first") == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("{{ getv('/nope') }}", "templates/web.j2:1: key /nope does not exist"),
        ("{{ lookupIP('other') }}", "the case knows no address of other"),
        ("{{ lookupSRV('a', 'tcp', 'b') }}", "the case knows no records of _a._tcp.b"),
    ],
)
def test_an_error_fails_a_case_that_does_not_wait_for_it(
    change: str, complaint: str, tree: ConfDir, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.template("web.j2", change)
    assert run("test", "--confdir", tree.path) == 1
    assert complaint in capsys.readouterr().out
    case = tree.path / "tests" / "first.yaml"
    case.write_text(f"{CASE}error: {complaint.rpartition(': ')[2]}\n")
    assert run("test", "--confdir", tree.path) == 0
    tree.template("web.j2", "fine")
    assert run("test", "--confdir", tree.path) == 1
    assert "got: no error" in capsys.readouterr().out


def test_files_too_many_and_too_few_fail(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    other = tree.path / "tests" / "first" / "etc" / "other.conf"
    other.write_text("x")
    (tree.path / "tests" / "second.yaml").write_text(CASE)
    assert run("test", "--confdir", tree.path) == 1
    out = capsys.readouterr().out
    assert "/etc/other.conf is expected and was not written" in out
    assert "/etc/web.conf was written and is not expected" in out
    assert run("test", "--confdir", tree.path, "--update") == 0
    assert not other.exists()


def test_a_guard_counts_in_a_case_too(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.path / "conf.d" / "web.toml").unlink()
    (tree.path / "conf.d" / "web.yaml").write_text(
        "files: [{src: web.j2, dest: /etc/web.conf}]\nguards: {\"gets('/app/hosts/*')\": {min: 2}}\n"
    )
    assert run("test", "--confdir", tree.path) == 1
    assert "gives 1, fewer than 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("keyz: {}", "first.yaml: field keyz is unknown"),
        ("keys: 5", "first.yaml: keys must be a dict, not 5"),
        ("- a", "first.yaml: holds no case"),
        ("a: [", "first.yaml: cannot be read"),
    ],
)
def test_a_case_that_is_none_is_one_line(
    text: str, complaint: str, tree: ConfDir, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree.path / "tests" / "first.yaml").write_text(text)
    assert run("test", "--confdir", tree.path) == 1
    error = capsys.readouterr().err
    assert complaint in error


def test_a_case_that_is_not_there_is_named(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", "--confdir", tree.path, "second") == 1
    assert "no such case" in capsys.readouterr().err


def test_check_passes_what_is_sound(tree: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    tree.template("macros.j2", "{% macro m(x) %}{{ x }}{{ getv('/a') }}{% endmacro %}")
    tree.template(
        "web.j2",
        "{% from 'macros.j2' import m with context %}{{ m(secret('/b')|shquote) }}{% set y = 1 %}{{ y }}",
    )
    assert run("check", "--confdir", tree.path) == 0
    assert capsys.readouterr().err == "1 resource, 0 problems\n"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("a\n{{ getvv('/a') }}", "conf.d/web.toml: templates/web.j2:2: 'getvv' is not known"),
        ("a\n{% for %}", "conf.d/web.toml: templates/web.j2:2: "),
        ("\n{{ 1|nope }}", "conf.d/web.toml: templates/web.j2:2: No filter named 'nope'"),
        ("{% include 'gone.j2' %}", "conf.d/web.toml: there is no template gone.j2"),
        ("{% include 'part.j2' %}", "conf.d/web.toml: templates/part.j2:1: 'nope' is not known"),
    ],
)
def test_check_names_what_is_wrong(
    template: str, complaint: str, tree: ConfDir, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.template("web.j2", template)
    tree.template("part.j2", "{{ nope }}{% include 'web.j2' %}")
    assert run("check", "--confdir", tree.path) == 1
    assert complaint in capsys.readouterr().out
    assert run("check", "--confdir", tree.path, "--json") == 1
    assert json.loads(capsys.readouterr().out.splitlines()[0])["resource"] == "conf.d/web.toml"


def test_check_looks_at_expressions_and_schemas(confdir: ConfDir, capsys: pytest.CaptureFixture[str]) -> None:
    confdir.template("a.j2", "{{ item }}")
    confdir.template("bad.json", "{")
    (confdir.path / "conf.d" / "a.yaml").write_text(
        'files:\n  - {src: a.j2, dest: "/x/{{ itm }}", foreach: "lsdr(\'/a\')", schema: bad.json}\n'
        "  - {src: a.j2, dest: /y, schema: gone.json}\n"
    )
    (confdir.path / "conf.d" / "b.yaml").write_text("files: 5\n")
    assert run("check", "--confdir", confdir.path) == 1
    out = capsys.readouterr().out
    for complaint in (
        "conf.d/b.yaml: ",
        "foreach: lsdr('/a'):1: 'lsdr' is not",
        "dest: /x/{{ itm }}:1: 'itm' is not",
        "bad.json: is not JSON",
        "there is no schema gone.json",
    ):
        assert complaint in out


def test_check_passes_the_imported_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", CONFD, "--output", tmp_path / "new") == 0
    assert "things left to you" in capsys.readouterr().err
    assert run("check", "--confdir", tmp_path / "new") == 0
    assert run("import", CONFD, "--output", tmp_path / "new") == 1
    assert "is not empty" in capsys.readouterr().err


def test_import_prints_what_is_left_as_text_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "old"
    (source / "conf.d").mkdir(parents=True)
    (source / "conf.d" / "a.toml").write_text("[template]\nsrc=\n")
    assert run("import", source, "--output", tmp_path / "one") == 1
    assert capsys.readouterr().out.startswith("conf.d/a.toml:2: is not TOML")
    assert run("import", source, "--output", tmp_path / "two", "--json") == 1
    assert json.loads(capsys.readouterr().out)["line"] == 2


def test_keygen_makes_a_closed_file_and_never_takes_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    assert run("keygen", key) == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(read_key(key)) == 32
    before = key.read_text()
    assert run("keygen", key) == 1
    assert "does not exist yet" in capsys.readouterr().err
    assert key.read_text() == before


@pytest.mark.skipif(find_spec("cryptography") is None, reason="the package cryptography is not installed")
def test_seal_prints_what_can_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    run("keygen", key)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hunter2\n")))
    assert run("seal", "/db/password", "--secret-key-file", key) == 0
    sealed = capsys.readouterr().out.strip()
    assert unseal(sealed, name="/db/password", key=read_key(key)) == b"hunter2"


def test_seal_needs_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    assert run("seal", "/a", "--secret-key-file", tmp_path / "none") == 1
    assert "cannot be read" in capsys.readouterr().err


def test_expected_files_that_cannot_be_written_are_named(
    tree: ConfDir, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = tree.path / "tests" / "first" / "etc" / "web.conf"
    golden.unlink()
    golden.mkdir()
    assert run("test", "--update", "--confdir", tree.path) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"fairlead: {golden}")
    assert said.count("\n") == 1
