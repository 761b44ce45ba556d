"""What a member of several is told: flags that fit together, and one clear line where they do not."""

from pathlib import Path

import pytest

from fairlead.api import ConfigError, load_config
from fairlead.member import MemberConfig
from fairlead.peer import PeerTls

THREE = "m1=http://a:2380,m2=http://b:2380,m3=http://c:2380"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default data directory is in the current one, and what is in it matters."""
    monkeypatch.chdir(tmp_path)


def load(*words: str) -> MemberConfig:
    return load_config(words, {}).member


def refused(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(words, {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_member_alone_listens_for_nobody_unless_it_is_told_to() -> None:
    """Several lone members on one host are common; only one of them could have the default port."""
    assert load().listen_peer_urls == ()
    assert load().peer_urls == ("http://localhost:2380",)
    assert load("--listen-peer-urls", "http://h:1").listen_peer_urls == ("http://h:1",)
    assert load("--listen-peer-urls", "http://h:1").peer_urls == ("http://h:1",)


def test_one_of_three_knows_the_others() -> None:
    config = load("--name", "m2", "--initial-cluster", THREE, "--listen-peer-urls", "http://0.0.0.0:2380")
    assert config.initial_cluster == {
        "m1": ("http://a:2380",),
        "m2": ("http://b:2380",),
        "m3": ("http://c:2380",),
    }
    assert config.listen_peer_urls == ("http://0.0.0.0:2380",)
    assert config.peer_urls == ("http://b:2380",)
    assert not config.is_join
    assert load("--name", "m2", "--initial-cluster", THREE).listen_peer_urls == ("http://localhost:2380",)


def test_a_member_may_have_several_urls_in_any_order() -> None:
    cluster = "m1=http://a:1,m1=http://a:2,m2=http://b:1"
    words = ("--name", "m1", "--initial-cluster", cluster)
    assert load(*words, "--initial-advertise-peer-urls", "http://a:2,http://a:1").initial_cluster == {
        "m1": ("http://a:1", "http://a:2"),
        "m2": ("http://b:1",),
    }


def test_a_member_that_joins_is_told_so() -> None:
    assert load("--name", "m1", "--initial-cluster", THREE, "--initial-cluster-state", "existing").is_join


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--initial-cluster", THREE], "does not name this member 'default'; add it, or mend --name"),
        (["--initial-cluster", "m1"], "'m1' is no member; write it as NAME=http://HOST:2380"),
        (["--initial-cluster", "m1=http://a"], "'m1=http://a' is no member"),
        (["--initial-cluster", "default=http://a:1,m2=http://a:1"], "names http://a:1 more than once"),
        (
            [
                "--initial-cluster",
                "default=http://a:1,m2=http://b:1",
                "--initial-advertise-peer-urls",
                "http://c:1",
            ],
            "has 'default' at http://a:1, but --initial-advertise-peer-urls is http://c:1; make them the same",
        ),
        (["--initial-cluster-state", "old"], "use new or existing"),
        (["--initial-cluster-state", "existing"], "as `etcdctl member add` prints it"),
        (
            ["--initial-cluster", "default=http://a:1", "--initial-cluster-state", "existing"],
            "needs the members that are there already",
        ),
        (["--listen-peer-urls", "h:1"], "--listen-peer-urls: 'h:1' is no address; write it as http://10.0.0.1:2380"),
        (["--initial-advertise-peer-urls", "http://h"], "--initial-advertise-peer-urls: 'http://h' is no address"),
        (["--listen-peer-urls", "https://h:1"], "give --peer-cert-file and --peer-key-file"),
        (["--peer-cert-file", "c.pem"], "a certificate needs its key"),
        (["--peer-client-cert-auth"], "name it by --peer-trusted-ca-file"),
        (["--max-learners", "-1"], "--max-learners is below 0"),
        (["--feature-gates", "InitialCorruptCheck"], "write it as NAME=true"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_one_line(words: list[str], said: str) -> None:
    assert said in refused(*words)


def test_a_member_that_has_begun_is_not_asked_how(tmp_path: Path) -> None:
    """As in etcd, scripts may go on giving the cluster of the beginning, whatever has become of it."""
    (tmp_path / "here" / "wal").mkdir(parents=True)
    words = ("--data-dir", str(tmp_path / "here"), "--initial-cluster", "m1=http://a:1,m2=http://b:1")
    assert load(*words, "--initial-advertise-peer-urls", "http://moved:1").peer_urls == ("http://moved:1",)


def test_certificates_between_members() -> None:
    words = ("--peer-cert-file", "c.pem", "--peer-key-file", "k.pem", "--peer-trusted-ca-file", "ca.pem")
    config = load("--listen-peer-urls", "https://h:1", *words, "--peer-client-cert-auth")
    assert config.peer_tls == PeerTls(
        cert_file=Path("c.pem"),
        key_file=Path("k.pem"),
        trusted_ca_file=Path("ca.pem"),
        client_cert_auth=True,
    )
    assert load().peer_tls is None


def test_rules_and_limits_have_their_flags() -> None:
    config = load(
        "--strict-reconfig-check=false", "--max-learners=3", "--force-new-cluster",
        "--initial-election-tick-advance=false", "--snapshot-count=7", "--snapshot-catchup-entries=5",
    )  # fmt: skip
    assert not config.strict_reconfig_check
    assert config.max_learners == 3
    assert config.force_new_cluster
    assert not config.election_tick_advance
    assert (config.snapshot_count, config.snapshot_catchup_entries) == (7, 5)


def test_older_names_of_flags_still_work() -> None:
    config = load("--experimental-snapshot-catchup-entries=5", "--experimental-max-learners=2")
    assert (config.snapshot_catchup_entries, config.max_learners) == (5, 2)


def test_the_check_at_compactions_is_off_unless_a_flag_of_either_age_says_so() -> None:
    assert load("--compact-hash-check-time=5m").compact_hash_check_s == 0.0
    assert load("--experimental-compact-hash-check-enabled").compact_hash_check_s == 60.0
    newer = load("--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=5m")
    assert newer.compact_hash_check_s == 300.0
    with pytest.raises(ConfigError, match="compact-hash-check-time is not above 0"):
        load("--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=0s")


def test_checks_of_corruption_have_flags_of_two_ages() -> None:
    assert not load().initial_corrupt_check
    older = load("--experimental-initial-corrupt-check", "--experimental-corrupt-check-time=5m")
    newer = load("--feature-gates=InitialCorruptCheck=true", "--corrupt-check-time=5m")
    for config in (older, newer):
        assert config.initial_corrupt_check
        assert config.corrupt_check_s == 300.0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--name=m1", "--initial-cluster=m1=http://a:1,m2=http://b:1"], "2 members bear the loss"),
        (["--pre-vote=false"], "--pre-vote=false is ignored"),
        (["--auto-tls"], "--auto-tls has no effect: no URL of --listen-client-urls begins with https://"),
        (["--peer-auto-tls"], "--peer-auto-tls has no effect: no URL of --listen-peer-urls begins"),
        (
            ["--experimental-enable-lease-checkpoint"],
            "--experimental-enable-lease-checkpoint means nothing",
        ),
        (["--feature-gates=LeaseCheckpoint=true"], "--feature-gates: LeaseCheckpoint means nothing here"),
    ],
)
def test_what_is_seldom_meant_gets_a_hint(words: list[str], hint: str) -> None:
    (warning,) = load_config(words, {}).warnings
    assert warning.startswith(hint)


def test_what_is_usual_gets_none() -> None:
    growing = [
        "--name=m1",
        "--initial-cluster=m1=http://a:1,m2=http://b:1",
        "--initial-cluster-state=existing",
    ]
    assert load_config(growing, {}).warnings == ()
    assert load_config(["--name=m1", "--initial-cluster", THREE, "--pre-vote"], {}).warnings == ()
