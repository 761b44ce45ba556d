"""Hosts that reboot by their agents: a reboot is the agent's end and its start under another boot id."""

from pathlib import Path
from signal import SIGKILL

from tests.e2e.lock.conftest import Lock
from tests.support.processes import wait_for


def policy(folder: Path, name: str, **more: str) -> str:
    """A host that needs a reboot while ``NAME.need`` is there, and says it reboots in ``NAME.reboots``."""
    fields = {
        "need": f"[{{file: {folder / name}.need}}]",
        "reboot": f"{{cmd: [sh, -c, 'echo now >> {folder / name}.reboots'], timeout: 60s}}",
        "poll": "100ms",
        "hold": "60s",
        **more,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def needs_reboot(folder: Path, *names: str) -> None:
    for name in names:
        folder.joinpath(f"{name}.need").touch()


def rebooting(folder: Path, names: str) -> list[str]:
    return [name for name in names if folder.joinpath(f"{name}.reboots").exists()]


def test_hosts_reboot_one_after_the_other_and_release_when_they_are_well(lock: Lock) -> None:
    needs_reboot(lock.folder, "a", "b")
    health = f"[{{cmd: [test, -e, {lock.folder}/well]}}]"
    hosts = {
        name: lock.agent(name, policy(lock.folder, name, health=health), boot="1") for name in ("a", "b")
    }
    wait_for(lambda: rebooting(lock.folder, "ab"), "one goes down")
    (first,) = rebooting(lock.folder, "ab")
    second = "b" if first == "a" else "a"
    told = lock("why", second).out
    assert f"no permit is left: {first}" in told
    hosts[first].stop(SIGKILL)
    lock.folder.joinpath(f"{first}.need").unlink()
    hosts[first] = lock.agent(first, policy(lock.folder, first, health=health), boot="2")
    wait_for(lambda: "not well" in lock("why", first).out, "it is up, and not well")
    assert rebooting(lock.folder, "ab") == [first]
    lock.folder.joinpath("well").touch()
    wait_for(lambda: rebooting(lock.folder, "ab") == ["a", "b"], "then the other goes down")


def test_a_host_drains_before_and_undrains_after(lock: Lock) -> None:
    needs_reboot(lock.folder, "a")
    told = lock.folder / "told"
    words = {step: f"{{cmd: [sh, -c, 'echo {step} >> {told}']}}" for step in ("drain", "undrain")}
    notify = f"[{{cmd: [sh, -c, 'echo $FAIRLEAD_LOCK_EVENT >> {told}']}}]"
    first = lock.agent("a", policy(lock.folder, "a", notify=notify, **words), boot="1")
    wait_for(lambda: rebooting(lock.folder, "a"), "it goes down")
    assert told.read_text().split() == ["acquired", "drain", "rebooting"]
    first.stop(SIGKILL)
    lock.folder.joinpath("a.need").unlink()
    lock.agent("a", policy(lock.folder, "a", notify=notify, **words), boot="2")
    wait_for(lambda: told.read_text().split()[3:] == ["undrain", "released"], "it is back")


def test_a_reboot_that_fails_gives_the_permit_to_the_next(lock: Lock) -> None:
    needs_reboot(lock.folder, "a", "b")
    lock.agent("a", policy(lock.folder, "a", reboot="{cmd: [sh, -c, 'echo no power; exit 3']}"), boot="1")
    wait_for(lambda: "no power" in lock("why", "a").out or "released" in lock("status").out, "it fails")
    lock.agent("b", policy(lock.folder, "b"), boot="1")
    wait_for(lambda: rebooting(lock.folder, "b"), "the other goes down")
    assert "reboot failed" in lock("status").out


def test_a_host_waits_for_its_window_and_for_what_blocks_it(lock: Lock) -> None:
    needs_reboot(lock.folder, "a")
    lock.kv("put", "/ops/freeze", "backup runs")
    blocked = policy(lock.folder, "a", blockers="[{key: /ops/freeze}]")
    agent = lock.agent("a", blocked, boot="1")
    wait_for(lambda: "/ops/freeze: backup runs" in lock("why", "a").out, "it waits")
    lock.kv("del", "/ops/freeze")
    wait_for(lambda: rebooting(lock.folder, "a"), "it goes down")
    agent.stop(SIGKILL)


def test_a_dry_run_says_it_and_keeps_nothing(lock: Lock) -> None:
    needs_reboot(lock.folder, "a")
    path = lock.folder / "a.yaml"
    path.write_text(policy(lock.folder, "a"))
    agent = lock.start("agent", "--policy", path, "--id", "a", "--dry-run", name="dry")
    wait_for(lambda: "would reboot now" in agent.log(), "it says so")
    wait_for(lambda: "0 of 1 held" in lock("status").out, "it gives the permit back")
    assert not rebooting(lock.folder, "a")


def test_an_agent_asked_from_afar_reboots_its_host(lock: Lock) -> None:
    lock.agent("a", policy(lock.folder, "a"), boot="1")
    lock("send-need-reboot", "a", "--reason", "new firmware")
    wait_for(lambda: rebooting(lock.folder, "a"), "it goes down")
    assert "new firmware" in lock("status").out


def test_a_store_that_is_away_means_no_reboot_and_its_return_is_noticed(lock: Lock) -> None:
    needs_reboot(lock.folder, "a")
    lock("set-max", "0")
    agent = lock.agent("a", policy(lock.folder, "a"), boot="1")
    wait_for(lambda: "its maximum is 0" in agent.log(), "it waits")
    lock.store.kill()
    wait_for(lambda: "no store answers" in agent.log(), "it says that the store is away")
    lock.store.start()
    assert not rebooting(lock.folder, "a")
    lock("set-max", "1")
    wait_for(lambda: rebooting(lock.folder, "a"), "it goes down")
