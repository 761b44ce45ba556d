"""A store of several members on one host: where they listen, what they share, and whose data is whose."""

from pathlib import Path

import pytest

from fairlead.cli.errors import CliError
from fairlead.cli.site import load_site
from fairlead.cli.site_store import client_urls, store_programs

URLS = ("http://127.0.0.1:2379", "http://127.0.0.1:2389", "http://127.0.0.1:2399")


def test_members_listen_ten_ports_apart() -> None:
    assert client_urls("http://127.0.0.1:2379", 3) == URLS
    assert client_urls("http://[::1]:2379", 2) == ("http://[::1]:2379", "http://[::1]:2389")
    assert client_urls("https://10.0.0.1:1", 1) == ("https://10.0.0.1:1",)


@pytest.mark.parametrize("listen", ["127.0.0.1:2379", "http://h", "http://h:65530", "http://h:many"])
def test_several_cannot_listen_just_anywhere(listen: str) -> None:
    with pytest.raises(CliError, match="cannot listen at"):
        client_urls(listen, 3)


def test_each_member_knows_all_of_them_and_has_a_folder_of_its_own(tmp_path: Path) -> None:
    programs = store_programs({"snapshot-count": 7}, urls=URLS, data_dir=tmp_path, folder=tmp_path)
    assert [program.name for program in programs] == ["store1", "store2", "store3"]
    peer = "http://127.0.0.1:2390"
    assert programs[1].arguments == (
        *("fairlead", "store", "--listen-client-urls", URLS[1], "--advertise-client-urls", URLS[1]),
        *("--data-dir", str(tmp_path / "store2"), "--name", "store2"),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster"),
        "store1=http://127.0.0.1:2380,store2=http://127.0.0.1:2390,store3=http://127.0.0.1:2400",
        *("--snapshot-count", "7"),
    )


def test_what_cannot_be_for_all_alike_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="'name', which 3 members cannot share; leave it away"):
        store_programs({"name": "m1"}, urls=URLS, data_dir=tmp_path, folder=tmp_path)


@pytest.mark.parametrize(("there", "said"), [(["store"], 1), (["store1", "store2"], 2)])
def test_the_data_of_another_store_are_not_passed_over(tmp_path: Path, there: list[str], said: int) -> None:
    """A new and empty store beside the old one would look like a loss of everything."""
    for name in there:
        (tmp_path / name).mkdir()
    with pytest.raises(CliError, match=f"give --members {said}, or another --data-dir"):
        store_programs({}, urls=URLS, data_dir=tmp_path, folder=tmp_path)


def test_agents_are_given_every_member(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("{store: {members: 3}, agents: {dns: null}}")
    site = load_site(path, data_dir=tmp_path)
    assert site.endpoints == URLS
    assert site.agents[0].arguments == ("fairlead", "dns", "--endpoints", ",".join(URLS))


def test_the_number_on_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("{store: {members: 3}, agents: {}}")
    assert len(load_site(path, data_dir=tmp_path, members=5).stores) == 5
    path.write_text("{store: null, agents: {}}")
    with pytest.raises(CliError, match="has no store of its own; leave --members away"):
        load_site(path, data_dir=tmp_path, members=3)
