"""``fairlead kv`` on a real store: what people see, and what programs read."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from tests.e2e.cli.command import COMMAND, WITHIN_S, Kv, run
from tests.support.ports import free_port
from tests.support.processes import Program, clean_environment
from tests.support.store import KINDS, FairleadStore, StoreServer


@pytest.fixture(scope="module", params=[pytest.param("etcd", marks=pytest.mark.peer("etcd")), "fairlead"])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One store of each kind for all tests here; each test keeps to a folder of its own."""
    with KINDS[request.param](tmp_path_factory.mktemp("kv")) as running:
        yield running.endpoint


@pytest.fixture
def kv(endpoint: str, capsys: pytest.CaptureFixture[str]) -> Kv:
    return Kv(endpoint, capsys)


def test_a_pair_is_written_shown_and_deleted(kv: Kv) -> None:
    before = kv.revision()

    assert kv.lines("put", "/one/name", "harbour") == [f"written at revision {before + 1}"]
    assert kv.lines("get", "/one/name") == ["harbour"]
    assert kv.lines("del", "/one/name") == ["1 deleted"]
    assert kv("get", "/one/name").refusal == (
        "fairlead: no key '/one/name'; see what begins so: fairlead kv get /one/name --prefix"
    )
    assert "no key '/one/name', nothing was deleted" in kv("del", "/one/name").refusal


def test_many_pairs_are_listed_as_pairs_names_folders_and_a_tree(kv: Kv) -> None:
    before = kv.revision()
    for key, value in {"/many/app/a": "1", "/many/app/b/c": "2", "/many/apple": "3"}.items():
        kv("put", key, value)

    prefix = ("get", "/many/app", "--prefix")
    assert kv.lines(*prefix) == ["/many/app/a  1", "/many/app/b/c  2", "/many/apple  3"]
    assert kv.lines(*prefix, "--keys-only", "--limit", "2") == ["/many/app/a", "/many/app/b/c"]
    assert kv.lines(*prefix, "--rev", str(before + 1)) == ["/many/app/a  1"]
    assert kv.lines("ls", "/many") == ["app/", "apple"]
    assert kv.lines("ls", "/many/app") == ["a", "b/"]
    assert kv.lines("tree", "/many/app") == ["/many/app", "├── a  1", "└── b", "    └── c  2"]
    assert "many/" in kv.lines("ls")
    assert kv.lines("tree")[0] == "/"
    assert kv.lines("del", "/many/app/", "--prefix") == ["2 deleted"]
    assert kv.lines("ls", "/many/") == ["apple"]


def test_a_long_value_is_whole_in_the_tree(kv: Kv) -> None:
    kv("put", "/long/x", "x" * 5000)

    assert kv.lines("tree", "/long") == ["/long", "└── x  " + "x" * 5000]


def test_json_has_what_the_store_knows(kv: Kv) -> None:
    (put,) = kv.lines("put", "/json/a", "1", "-o", "json")
    (got,) = kv.lines("get", "/json/a", "-o", "json")
    (absent,) = kv.lines("get", "/json/b", "-o", "json")
    (names,) = kv.lines("ls", "/json", "-o", "json")
    (deleted,) = kv.lines("del", "/json/b", "-o", "json")

    now = json.loads(put)["revision"]
    pair = {"key": "/json/a", "value": "1", "create_revision": now, "mod_revision": now, "version": 1}
    assert json.loads(got) == {"revision": now, "count": 1, "kvs": [pair]}
    assert json.loads(absent) == {"revision": now, "count": 0, "kvs": []}
    assert json.loads(names) == {"revision": now, "names": ["a"]}
    assert json.loads(deleted) == {"revision": now, "deleted": 0}


def test_a_transaction_takes_the_branch_that_its_condition_says(kv: Kv) -> None:
    before = kv.revision()
    lock = ("txn", "--if", "version(/t/lock) = 0", "--then", "put /t/lock me", "--else", "get /t/lock")

    assert kv.lines(*lock) == ["the condition holds", f"  written at revision {before + 1}"]
    assert kv.lines(*lock) == ["the condition does not hold", "  /t/lock  me"]
    assert json.loads(kv.lines(*lock, "-o", "json")[0])["succeeded"] is False
    unlock = ("txn", "--if", "value(/t/lock) = me", "--then", "put /u 1", "--then", "del /t/ --prefix")
    assert kv.lines(*unlock) == [
        "the condition holds",
        f"  written at revision {before + 2}",
        "  1 deleted",
    ]


def test_a_watch_shows_changes_in_order(kv: Kv) -> None:
    before = kv.revision()
    for key, value in (("/w/a", "1"), ("/other", "x"), ("/w/b", "2")):
        kv("put", key, value)
    kv("del", "/w/a")
    follow = ("watch", "/w", "--prefix", "--rev", str(before + 1), "--count", "3")

    assert kv.lines(*follow) == [
        f"{before + 1:>8}  PUT     /w/a  1",
        f"{before + 3:>8}  PUT     /w/b  2",
        f"{before + 4:>8}  DELETE  /w/a",
    ]
    events = [json.loads(line) for line in kv.lines(*follow, "-o", "json")]
    assert [(event["type"], event["key"], event["mod_revision"] - before) for event in events] == [
        ("PUT", "/w/a", 1),
        ("PUT", "/w/b", 3),
        ("DELETE", "/w/a", 4),
    ]


def test_a_refusal_of_the_store_is_one_line_in_its_own_words(kv: Kv) -> None:
    assert "requested lease not found" in kv("put", "/a", "1", "--lease", "55").refusal
    assert "required revision is a future revision" in kv("get", "/a", "--rev", "99").refusal
    assert "key is not provided" in kv("put", "", "1").refusal


def test_no_store_is_one_line_that_says_where_and_what_to_try() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    line = run("kv", "get", "/a", "--endpoints", endpoint).refusal
    assert line.startswith(
        f"fairlead: no store answers at {endpoint} (connection refused); is it running? try: "
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A store for what only the command itself is asked about."""
    with FairleadStore(tmp_path_factory.mktemp("own")) as running:
        yield running


def test_bytes_go_in_and_come_out_as_they_are(own: StoreServer) -> None:
    """Standard input and the words of a command line need not be text."""
    at = ("--endpoints", own.endpoint)
    raw = b"\x00\xffline\n"
    assert run("kv", "put", "/raw", "-", *at, data=raw).status == 0
    got = subprocess.run(
        [*COMMAND, "kv", "get", "/raw", *at], check=True, capture_output=True, timeout=WITHIN_S
    )
    assert got.stdout == raw

    assert run("kv", "put", os.fsdecode(b"/\xfe"), *at, "--", os.fsdecode(b"-\xff")).status == 0
    assert json.loads(run("kv", "get", os.fsdecode(b"/\xfe"), "-o", "json", *at).out)["kvs"][0][
        "value_base64"
    ]


@pytest.mark.parametrize("command", ["tree", "get / --prefix"])
def test_a_reader_that_has_seen_enough_causes_no_noise(own: StoreServer, command: str) -> None:
    at = ("--endpoints", own.endpoint)
    run("kv", "txn", *(f"--then=put /{n} {'x' * 4000}" for n in range(50)), *at)
    program = subprocess.Popen(
        [*COMMAND, "kv", *command.split(), *at],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
    )
    assert program.stdout is not None
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr is not None
    with program.stderr as stderr:
        assert stderr.read() == b""
    program.wait(WITHIN_S)


def test_ctrl_c_ends_a_watch_without_noise(own: StoreServer, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--endpoints", own.endpoint)
    kv = Kv(own.endpoint, capsys)
    kv("put", "/a", "1")
    first = kv.revision()
    watch = Program(
        [*COMMAND, "kv", "watch", "/a", "--rev", str(first), *at], log=own.data_dir.parent / "watch"
    )
    watch.start(lambda: watch.log().endswith("\n"))
    watch.signal(signal.SIGINT)

    assert watch.wait() == 130
    # The last line break is for the terminal, which has written ^C.
    assert watch.log() == f"{first:>8}  PUT     /a  1\n\n"
