from pathlib import Path

import pytest

from fairlead.cli.errors import CliError
from fairlead.cli.site import Site, load_site

DATA = Path("/data")
DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "site.yaml"


def load(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text)
    return load_site(path, data_dir=DATA)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(CliError) as raised:
        load(folder, text)
    line = str(raised.value)
    assert "\n" not in line
    assert str(folder / "site.yaml") in line
    return line


def test_the_demo_is_a_site() -> None:
    site = load_site(DEMO, data_dir=DATA)

    assert [program.name for program in site.stores] == ["store"]
    assert [program.name for program in site.agents] == ["render", "dns", "proxy"]
    assert [program.name for program in site.processes] == ["web1", "web2"]
    assert str(DEMO.parent / "render") in site.agents[0].arguments
    assert len(site.hints) == 3


def test_flags_become_words(tmp_path: Path) -> None:
    site = load(tmp_path, "agents: {dns: {listen: '127.0.0.1:53', no-rec: true, data-dir: null, workers: 1}}")

    assert site.agents[0].arguments == (
        *("fairlead", "dns", "--endpoints", "http://127.0.0.1:2379"),
        *("--listen", "127.0.0.1:53", "--no-rec", "--workers", "1"),
    )


def test_a_list_becomes_one_word_with_commas(tmp_path: Path) -> None:
    site = load(
        tmp_path, "{store: null, endpoints: ['http://a:1', 'http://b:2'], agents: {dns: {domain: [a., b.]}}}"
    )

    assert site.endpoints == ("http://a:1", "http://b:2")
    assert site.agents[0].arguments[2:] == ("--endpoints", "http://a:1,http://b:2", "--domain", "a.,b.")


def test_a_path_that_begins_with_a_dot_is_beside_the_site_file(tmp_path: Path) -> None:
    site = load(tmp_path, "agents: {render: {confdir: ./render, prefix: render}}")

    assert site.agents[0].arguments[4:] == ("--confdir", str(tmp_path / "render"), "--prefix", "render")


def test_a_store_listens_where_it_is_told_and_the_agents_look_for_it_there(tmp_path: Path) -> None:
    site = load(tmp_path, "{store: {listen: 'http://127.0.0.1:7', name: m9}, agents: {proxy: null}}")

    url = "http://127.0.0.1:7"
    assert site.stores[0].arguments == (
        *("fairlead", "store", "--listen-client-urls", url, "--advertise-client-urls", url),
        *("--data-dir", str(DATA / "store"), "--name", "m9"),
    )
    assert site.agents[0].arguments == ("fairlead", "proxy", "--endpoints", url)


def test_without_a_word_about_it_there_is_a_store_and_null_is_none(tmp_path: Path) -> None:
    assert len(load(tmp_path, "agents: {dns: {}}").stores) == 1
    assert load(tmp_path, "{store: null, agents: {dns: {}}}").stores == ()


def test_values_that_are_no_text_are_written_as_json(tmp_path: Path) -> None:
    """``{"host": ...}`` without quotes around it is what everybody writes first."""
    site = load(tmp_path, "keys: {/a: text, /b: 80, /c: true, /d: {host: h, port: 1}}")

    assert site.keys == {"/a": "text", "/b": "80", "/c": "true", "/d": '{"host": "h", "port": 1}'}


def test_other_peoples_programs_are_run_as_they_are(tmp_path: Path) -> None:
    site = load(tmp_path, "processes: {web: [python3, -m, http.server, 80], ours: [fairlead, hello]}")

    assert site.processes[0].arguments == ("python3", "-m", "http.server", "80")
    assert [program.is_ours for program in site.processes] == [False, True]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        CliError, match=r"cannot read .*none\.yaml: No such file or directory; name a site file"
    ):
        load_site(tmp_path / "none.yaml", data_dir=DATA)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not YAML"),
        ("", "says nothing"),
        ("- a", "says nothing"),
        ("agent: {}", "unknown key 'agent'; known are agents, endpoints, keys, processes, store, try"),
        ("agents: {bind: {}}", "unknown agent 'bind'; known are render, dns, proxy"),
        ("agents: [dns]", "'agents' must be a mapping"),
        ("agents: {dns: 5353}", "'dns' must be a mapping"),
        ("store: 2379", "'store' must be a mapping"),
        ("store: {members: 0}", "'members' of the store must be a number from 1 to 9, not 0"),
        ("store: {members: many}", "must be a number from 1 to 9, not 'many'"),
        ("keys: [/a]", "'keys' must be a mapping"),
        ("processes: {web: python3 -m http.server}", "process 'web' must be a list of words"),
        ("processes: {web: []}", "process 'web' must be a list of words"),
        ("try: curl", "'try' must be a list"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(tmp_path: Path, text: str, says: str) -> None:
    assert says in complaint(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CliError, match="is not YAML"):
        load_site(tmp_path / "site.yaml", data_dir=DATA)
