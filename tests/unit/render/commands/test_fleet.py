"""The table of all hosts: what stands in it was written by others."""

import json

import pytest

from fairlead.render.change import Change, Memory, Outcome, Step
from fairlead.render.commands.fleet import _print, _row
from fairlead.render.fleet import STATUS_PREFIX, describe
from fairlead.render.resource import Resource

KEY = f"{STATUS_PREFIX}web1/nginx".encode()


def shown(capsys: pytest.CaptureFixture[str], value: bytes, key: bytes = KEY) -> str:
    _print([_row(key, value)], as_json=False)
    return capsys.readouterr().out.split("\n", 1)[1]


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"revision": ' + b"9" * 9_000 + b"}"]
)
def test_what_cannot_be_read_is_said_with_its_host_and_group(
    value: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, value).split() == ["web1", "nginx", "?", "?", "unreadable", "?"]


@pytest.mark.parametrize("since", [True, "x", -1, 10**400, 1e300, [], None])
def test_a_time_that_is_none_is_a_question_mark(since: object, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"revision": 7, "output": "abc", "state": "ok", "since_s": since}
    assert shown(capsys, json.dumps(row).encode()).split() == ["web1", "nginx", "7", "abc", "ok", "?"]


def test_a_host_cannot_speak_for_another_nor_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "host": "web2",
        "group": "\x1b[2J",
        "revision": 10**300,
        "output": ["\n"],
        "state": "ok\x1b[31m\nweb2 nginx",
        "since_s": 0,
        "error": "one\ntwo \x1b]0;title\x07",
    }
    text = shown(capsys, json.dumps(row).encode(), key=KEY + b"\x1b[1m")
    table, error, end = text.split("\n")
    assert table.startswith("web1  nginx\\x1b[1m  1000")
    assert len(table) < 300
    assert error == "    one two \\x1b]0;title\\x07"
    assert (end, "\x1b" in text) == ("", False)


def test_rows_without_a_name_do_not_stop_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, b"{}", key=STATUS_PREFIX.encode()).split() == ["?", "?", "?", "?"]


def test_a_group_that_was_taken_back_by_hand_is_not_said_to_be_as_its_keys_have_it() -> None:
    resource = Resource(name="conf.d/a.yaml", group="a", files=())
    for hold, state in (("", "ok"), ("0123", "taken back")):
        outcome = Outcome(
            resource=resource, step=Step.REPLACE, change=Change(revision=3, files=(), hold=hold)
        )
        assert describe("web1", outcome, Memory(), now_s=1.0)["state"] == state
