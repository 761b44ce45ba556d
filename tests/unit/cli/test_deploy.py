"""The files of ``deploy/`` say what the store takes: a flag that is renamed must be renamed there."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api import StoreConfig, load_config

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assignments(text: str, *, prefix: str = "") -> dict[str, str]:
    """The settings that a unit (``Environment=``) or an environment file holds."""
    lines = [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def stores_of(compose: Path) -> list[StoreConfig]:
    services: dict[str, Any] = yaml.safe_load(compose.read_text())["services"]
    commands = [service["command"] for service in services.values()]
    return [load_config(command[1:], {}) for command in commands if command[0] == "store"]


def test_the_containers_of_a_cluster_agree_on_who_they_are() -> None:
    stores = stores_of(DEPLOY / "container" / "compose-cluster.yaml")
    assert [store.member.name for store in stores] == ["store1", "store2", "store3"]
    assert len({str(store.member.initial_cluster) for store in stores}) == 1
    assert not any(store.warnings for store in stores)


def test_the_container_of_a_lone_store_is_one() -> None:
    (store,) = stores_of(DEPLOY / "container" / "compose.yaml")
    assert store.member.listen_peer_urls == ()


def test_the_unit_and_its_example_of_an_environment_are_understood() -> None:
    unit = assignments((DEPLOY / "systemd" / "fairlead-store.service").read_text(), prefix="Environment=")
    alone = load_config([], unit)
    assert alone.member.data_dir == Path("/var/lib/fairlead/store")
    example = (DEPLOY / "systemd" / "store.env.example").read_text()
    store = load_config([], unit | assignments(example))
    assert list(store.member.initial_cluster) == ["m1", "m2", "m3"]
    assert store.member.peer_urls == store.member.listen_peer_urls == ("http://10.0.0.1:2380",)
    assert not store.warnings


def test_what_the_example_leaves_out_is_understood_too() -> None:
    """Commented out, but not for ever."""
    example = (DEPLOY / "systemd" / "store.env.example").read_text().replace("\n#FAIRLEAD", "\nFAIRLEAD")
    store = load_config([], assignments(example.replace("http:", "https:")))
    assert store.member.is_join
    assert store.member.peer_tls is not None
    assert store.member.peer_tls.client_cert_auth
