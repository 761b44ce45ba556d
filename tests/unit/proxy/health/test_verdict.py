"""Probes to verdicts: rise and fall, the first probe, and servers that come and go."""

from dataclasses import replace

from fairlead.proxy.health.verdict import Verdict, wait_s
from fairlead.proxy.model import HealthCheck

CHECK = HealthCheck(interval_s=1.0, rise=2, fall=3)


def test_the_ill_may_be_asked_at_another_pace() -> None:
    assert wait_s(CHECK, 0.5, is_healthy=False) == wait_s(CHECK, 0.5) == 1.0
    check = replace(CHECK, interval_ill_s=0.25)
    assert (wait_s(check, 0.5, is_healthy=False), wait_s(check, 0.5)) == (0.25, 1.0)


class Probing:
    """One server, probed once a second."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self.now_s = 0.0

    def probe(self, results: str) -> str:
        """Take results, + or -; return what the verdict was after each."""
        said = ""
        for result in results:
            self.now_s += 1
            self.verdict.note(CHECK, "" if result == "+" else "answers 500", now_s=self.now_s)
            said += "+" if self.verdict.is_healthy else "-"
        return said


def test_the_verdict_turns_after_so_many_in_a_row() -> None:
    assert Probing().probe("+--+--+---") == "+++++++++-"
    assert Probing().probe("+---+-++") == "+++----+"


def test_of_a_server_that_nothing_is_known_of_the_first_probe_is_believed() -> None:
    probing = Probing()
    assert probing.verdict.is_healthy, "until then it serves"
    assert probing.probe("-++") == "--+"


def test_a_server_that_comes_and_goes_stays_out_for_longer_each_time() -> None:
    """Acceptance check 8.23: five seconds up, five seconds down."""
    probing = Probing()
    probing.probe("+")
    said = "".join(probing.probe("-----+++++") for _ in range(12))
    lengths = [len(part) for part in said.replace("-+", "- +").replace("+-", "+ -").split() if part[0] == "-"]
    assert lengths[0] == 4, "two good probes, the first time"
    assert lengths[1] == 6, "four, after the first relapse"
    assert len(lengths) == 3, "eight in a row never come: it stays out"
    assert said.endswith("-" * 80)
    assert probing.verdict.relapses == 2


def test_patience_has_an_end_both_ways() -> None:
    probing = Probing()
    probing.probe("+")
    for _ in range(10):
        probing.probe("---" + "+" * 64)
    assert probing.verdict.relapses < 5
    for _ in range(10):
        probing.probe("---")
        while not probing.verdict.is_healthy:
            probing.probe("+")
    assert probing.verdict.relapses == 5, "2 << 5 good probes are the most that is asked for"
    probing.probe("+" * 60)
    assert probing.verdict.relapses == 0, "who stays well for long is forgiven"


def test_what_is_wrong_is_kept_until_it_is_well() -> None:
    probing = Probing()
    probing.probe("-")
    assert probing.verdict.reason == "answers 500"
    probing.probe("++")
    assert probing.verdict.reason == ""


def test_probes_spread_by_a_tenth_of_the_interval() -> None:
    assert [wait_s(CHECK, chance) for chance in (0.0, 0.5, 1.0)] == [0.9, 1.0, 1.1]
