"""The watching agent on etcd and on Fairlead: what changes, what must not, and what comes back."""

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest
from tests.e2e.render.conftest import Etcdctl, Site
from tests.support.processes import wait_for
from tests.support.store import StoreServer

pytestmark = pytest.mark.peer("etcdctl")


def test_a_put_and_a_delete_are_in_the_file(site: Site, etcdctl: Etcdctl) -> None:
    dest = site.resource("app", "{% for k in ls('/app') %}{{ k }} {% endfor %}", keys=["/app"])
    site.watch()
    site.until(dest, "")
    etcdctl("put", "/app/a", "1")
    etcdctl("put", "/app/b", "1")
    site.until(dest, "a b ")
    etcdctl("del", "/app/a")
    site.until(dest, "b ")


def test_a_template_that_did_not_read_the_key_is_not_rendered(site: Site, etcdctl: Etcdctl) -> None:
    """``datetime`` makes every render visible: only what a change touches may change."""
    etcdctl("put", "/foo/a", "1")
    dest = site.resource("foo", "{{ ls('/foo') }} {{ datetime() }}", keys=["/foo"])
    site.watch()
    before = dest.read_text()
    etcdctl("put", "/foobar/a", "1")
    etcdctl("put", "/fo", "1")
    etcdctl("put", "/foo", "1")
    site.until_settled(etcdctl)
    after = dest.read_text()
    assert after.startswith("['a', 'foo']")
    etcdctl("put", "/foobar/a", "2")
    etcdctl("put", "/foo/a", "1")
    site.until_settled(etcdctl)
    assert dest.read_text() == after != before


def test_a_transaction_is_seen_whole_by_every_template(site: Site, etcdctl: Etcdctl) -> None:
    """Both files change by one revision; no check may ever see two halves of different ones."""
    torn = site.path / "torn"
    check = f"test $(sed -n 1p {{{{.src}}}}) = $(sed -n 2p {{{{.src}}}}) || touch {torn}"
    template = "{{ getv('/pair/a', '0') }}\n{{ getv('/pair/b', '0') }}\n"
    one = site.resource("one", template, keys=["/pair"], check_cmd=check)
    two = site.resource("two", template, keys=["/pair"], check_cmd=check)
    site.watch()
    for i in range(1, 31):
        etcdctl("txn", stdin=f"\nput /pair/a {i}\nput /pair/b {i}\n\n\n")
    site.until(one, "30\n30\n")
    site.until(two, "30\n30\n")
    assert not torn.exists()


def test_half_written_keys_keep_the_last_good_file(site: Site, etcdctl: Etcdctl) -> None:
    dest = site.resource(
        "app",
        "{% for h in ls('/up') %}{{ getv('/up/' ~ h ~ '/ip') }}:{{ getv('/up/' ~ h ~ '/port') }};{% endfor %}",
    )
    site.watch()
    etcdctl("txn", stdin="\nput /up/a/ip 10.0.0.1\nput /up/a/port 80\n\n\n")
    site.until(dest, "10.0.0.1:80;")
    etcdctl("put", "/up/b/ip", "10.0.0.2")
    site.until_logged("key /up/b/port does not exist; write it with: fairlead kv put /up/b/port VALUE")
    assert dest.read_text() == "10.0.0.1:80;"
    etcdctl("put", "/up/b/port", "81")
    site.until(dest, "10.0.0.1:80;10.0.0.2:81;")
    site.until_logged("healed")


def test_a_failed_check_keeps_the_last_good_file_and_a_good_value_heals_it(
    site: Site, etcdctl: Etcdctl
) -> None:
    dest = site.resource("app", "port {{ getv('/port') }}", check_cmd="grep -Eqx 'port [0-9]+' {{.src}}")
    etcdctl("put", "/port", "80")
    site.watch()
    etcdctl("put", "/port", "eighty")
    site.until_logged("check failed")
    assert dest.read_text() == "port 80"
    etcdctl("put", "/port", "81")
    site.until(dest, "port 81")
    assert "Traceback" not in site.agent.log()


def test_a_failed_reload_is_tried_again_until_it_succeeds(site: Site, etcdctl: Etcdctl) -> None:
    """Nothing changes in between: the file is equal, and still the reload is owed."""
    runs, good = site.path / "runs", site.path / "good"
    dest = site.resource("app", "{{ getv('/port') }}", reload_cmd=f"echo run >> {runs}; test -e {good}")
    etcdctl("put", "/port", "80")
    site.watch()
    site.until_logged("the reload failed")
    assert dest.read_text() == "80"
    good.touch()
    site.until_logged("healed")
    assert runs.read_text().count("run") >= 2
    site.until_settled(etcdctl)
    count = runs.read_text().count("run")
    etcdctl("put", "/port", "80")
    site.until_settled(etcdctl)
    assert runs.read_text().count("run") == count


def test_a_hanging_reload_holds_up_nobody_else(site: Site, etcdctl: Etcdctl) -> None:
    started, gate = site.path / "started", site.path / "gate"
    site.resource(
        "a-hangs",
        "{{ getv('/n') }}",
        reload_cmd=f"touch {started}; until test -e {gate}; do sleep 0.05; done",
    )
    other = site.resource("b-goes-on", "{{ getv('/n') }}")
    etcdctl("put", "/n", "1")
    site.start()
    site.agent.wait_until(started.exists, "reloading")
    etcdctl("put", "/n", "2")
    site.until(other, "2")
    gate.touch()
    site.until(site.out / "a-hangs.conf", "2")


def test_a_bad_edit_of_a_template_keeps_the_file_and_sighup_takes_a_good_one(
    site: Site, etcdctl: Etcdctl
) -> None:
    etcdctl("put", "/n", "1")
    dest = site.resource("app", "one {{ getv('/n') }}")
    site.watch()
    site.resource("app", "one\n{% oops %}")
    site.agent.signal(SIGHUP)
    site.until_logged("templates/app.j2:2: ")
    assert dest.read_text() == "one 1"
    site.resource("app", "two {{ getv('/n') }}")
    site.agent.signal(SIGHUP)
    site.until(dest, "two 1")


def test_edits_are_taken_up_by_themselves_and_a_bad_one_keeps_the_old(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/n", "1")
    dest = site.resource("app", "one {{ getv('/n') }}")
    site.watch()
    site.resource("app", "one\n{% oops %}")
    site.until_logged("templates/app.j2:2: ")
    assert dest.read_text() == "one 1"
    site.resource("app", "two {{ getv('/n') }}")
    new = site.resource("new", "new {{ getv('/n') }}")
    site.until(dest, "two 1")
    site.until(new, "new 1")
    (site.path / "conf.d" / "app.toml").write_text("[template")
    site.until_logged("conf.d/app.toml: is not TOML")
    etcdctl("put", "/n", "2")
    site.until(dest, "two 2")


def test_sighup_takes_up_new_resources_and_prefixes_and_drops_deleted_ones(
    site: Site, etcdctl: Etcdctl
) -> None:
    etcdctl("put", "/a", "1")
    etcdctl("put", "/b/c", "2")
    gone = site.resource("gone", "{{ getv('/a') }}", keys=["/a"])
    bad = site.resource("bad", "{{ getv('/a') }}", keys=["/a"])
    site.watch()
    (site.path / "conf.d" / "gone.toml").unlink()
    (site.path / "conf.d" / "bad.toml").write_text("[template")
    new = site.resource("new", "{{ getv('/b/c') }}", keys=["/b"])
    site.agent.signal(SIGHUP)
    site.until(new, "2")
    site.until_logged("conf.d/bad.toml: is not TOML")
    etcdctl("put", "/a", "9")
    site.until(bad, "9")
    assert gone.read_text() == "1"


def test_the_agent_waits_for_a_store_that_is_not_there_yet(
    site: Site, etcdctl: Etcdctl, store: StoreServer
) -> None:
    etcdctl("put", "/n", "1")
    dest = site.resource("app", "{{ getv('/n') }}")
    dest.write_text("last good")
    store.stop()
    site.start()
    site.until_logged("no store answers")
    assert dest.read_text() == "last good"
    assert "Traceback" not in site.agent.log()
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://{site.metrics}/readyz", timeout=10)
    store.start()
    site.until(dest, "1")


def test_a_killed_store_changes_nothing_and_its_return_is_followed(
    site: Site, etcdctl: Etcdctl, store: StoreServer
) -> None:
    dest = site.resource("app", "{{ ls('/n')|join(' ') }}")
    etcdctl("put", "/n/a", "1")
    site.watch()
    site.until(dest, "a")
    store.kill()
    site.until_logged("no store answers")
    assert dest.read_text() == "a"
    store.start()
    etcdctl("put", "/n/b", "1")
    site.until(dest, "a b")
    assert site.agent.is_running


def test_a_burst_ends_with_the_last_value_in_fewer_reloads_than_writes(site: Site, etcdctl: Etcdctl) -> None:
    runs = site.path / "runs"
    dest = site.resource("app", "{{ getv('/n', '0') }}", reload_cmd=f"echo run >> {runs}; sleep 0.5")
    site.watch()
    writers = [threading.Thread(target=etcdctl, args=("put", f"/n{i}", "x")) for i in range(4)]
    for writer in writers:
        writer.start()
    for i in range(1, 21):
        etcdctl("put", "/n", str(i))
    for writer in writers:
        writer.join()
    site.until(dest, "20")
    assert runs.read_text().count("run") < 20


def test_the_interval_repairs_drift(site: Site) -> None:
    dest = site.resource("app", "right", mode="0600")
    site.watch("--watch", "--interval", "0.2")
    dest.write_text("wrong")
    site.until(dest, "right")
    dest.chmod(0o666)
    site.agent.wait_until(lambda: dest.stat().st_mode & 0o777 == 0o600, "repairing the mode")


def test_with_an_interval_alone_changes_wait_for_it(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/n", "1")
    dest = site.resource("app", "{{ getv('/n') }}")
    site.watch("--interval", "1000")
    site.until(dest, "1")
    etcdctl("put", "/n", "2")
    site.agent.signal(SIGHUP)
    site.until_logged("reloaded")
    assert dest.read_text() == "1"


def test_noop_watches_and_prints_and_changes_nothing(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/n", "1")
    dest = site.resource("app", "n is {{ getv('/n') }}\n")
    site.watch("--watch", "--noop")
    site.until_logged("+n is 1")
    etcdctl("put", "/n", "2")
    site.until_logged("+n is 2")
    assert not dest.exists()


def test_the_status_key_says_revision_and_problems_and_goes_with_the_agent(
    site: Site, etcdctl: Etcdctl
) -> None:
    site.resource("app", "{{ getv('/n') }}")
    site.watch()

    def status() -> dict[str, object]:
        lines = etcdctl("get", "--prefix", "/fairlead/agents/render/", "--print-value-only").splitlines()
        return dict(json.loads(lines[0])) if lines else {}

    wait_for(lambda: status().get("problem_count") == 1, "the status key tells the problem")
    assert "templates/app.j2:1: key /n does not exist" in str(status()["problems"])
    assert site.agent.stop(SIGTERM) == 0
    wait_for(lambda: not status(), "the status key is gone")


def test_sigterm_lets_a_running_reload_end(site: Site, etcdctl: Etcdctl) -> None:
    started, ended = site.path / "started", site.path / "ended"
    site.resource("app", "{{ getv('/n') }}", reload_cmd=f"touch {started}; sleep 1; touch {ended}")
    etcdctl("put", "/n", "1")
    site.start()
    site.agent.wait_until(started.exists, "reloading")
    site.agent.signal(SIGTERM)
    assert site.agent.wait() == 0
    assert ended.exists()


def test_two_renderers_render_the_same(
    site: Site, etcdctl: Etcdctl, tmp_path: Path, store: StoreServer
) -> None:
    other = Site(tmp_path / "other", store)
    etcdctl("put", "/n", "1")
    dests = [one.resource("app", "{{ getv('/n') }}") for one in (site, other)]
    try:
        site.watch()
        other.watch()
        etcdctl("put", "/n", "2")
        for one, dest in zip((site, other), dests, strict=True):
            one.until(dest, "2")
    finally:
        other.agent.stop()
