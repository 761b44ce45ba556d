"""What a policy file may say, and how it is refused."""

from pathlib import Path

import pytest

from fairlead.checks import CommandCheck, HttpCheck, TcpCheck
from fairlead.lock import PolicyError
from fairlead.lock.policy import Command, FileSource, KeySource, Policy, PrometheusSource, load_policy

WHOLE = """
group: web
need: [{file: /run/need}, {cmd: [needs-restarting, -r]}, {key: /ops/reboot}]
window: {days: [sat, sun], start: "02:00", length: 3h, zone: Europe/Berlin}
blockers: [{cmd: [quiet]}, {key: /ops/freeze}, {prometheus: "http://127.0.0.1:9090/", query: ALERTS}]
drain: {cmd: [drain], timeout: 10m}
undrain: {cmd: [undrain]}
notify: [{cmd: [tell]}, {http: "http://127.0.0.1:1/hook"}]
reboot: {cmd: [reboot], timeout: 90s}
health: [{tcp: "127.0.0.1:80"}]
hold: 30m
poll: 250ms
"""


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return load_policy(path)


def test_every_field_is_read(tmp_path: Path) -> None:
    policy = load(tmp_path, WHOLE)
    assert policy.group == "web"
    assert policy.needs == (
        FileSource(path=Path("/run/need")),
        CommandCheck(argv=("needs-restarting", "-r")),
        KeySource(key="/ops/reboot"),
    )
    assert policy.window is not None
    assert policy.window.days == {"sat", "sun"}
    assert policy.blockers[2] == PrometheusSource(url="http://127.0.0.1:9090", query="ALERTS")
    assert policy.drain == Command(argv=("drain",), timeout_s=600)
    assert isinstance(policy.notify[1], HttpCheck)
    assert policy.reboot == Command(argv=("reboot",), timeout_s=90)
    assert isinstance(policy.health[0], TcpCheck)
    assert (policy.hold_s, policy.poll_s) == (1800, 0.25)


def test_an_empty_file_is_debians_way(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Policy()
    assert Policy().needs == (FileSource(path=Path("/run/reboot-required")),)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("- a", "not a mapping"),
        ("windw: {}", "unknown windw; known are group, need, window"),
        ("group: [a]", "group: not a word"),
        ("window: {days: [sunday]}", "window.days: a list of mon, tue"),
        ("window: {start: 25:99}", 'window.start: a time of day such as "23:00", in quotation marks'),
        ("window: {zone: Mars/Crater}", "window.zone: 'Mars/Crater' is no time zone"),
        ("window: {length: 8d}", "window.length: a week at most"),
        ("hold: soon", "hold: 'soon' is no duration"),
        ("poll: 0s", "poll: must be more than nothing"),
        ("reboot: reboot now", "reboot: not a command; write one such as"),
        ("drain: {cmd: [x], whithin: 3s}", "drain: not a command"),
        ("need: [file]", "need: not a list of mappings"),
        ("blockers: [{htpp: x}]", r"blockers\[0\]: unknown htpp"),
        ("health: [{http: nowhere}]", r"health\[0\]: 'nowhere' is no URL"),
        ("notify: [{tcp: '127.0.0.1:1'}]", r"notify\[0\]: only cmd and http can be told something"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_place(tmp_path: Path, text: str, refusal: str) -> None:
    with pytest.raises(PolicyError, match=refusal) as caught:
        load(tmp_path, text)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"cannot read .*absent.*check --policy"):
        load_policy(tmp_path / "absent")
