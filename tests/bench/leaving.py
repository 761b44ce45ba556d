"""A registered service that is gone: how long DNS, the proxy and a rendered file still know it."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL, SIGTERM
from statistics import median

from tests.bench.contenders import Contender
from tests.bench.table import Figure, Results
from tests.e2e.register.conftest import Suite
from tests.support.ports import free_port
from tests.support.processes import Program, wait_for

TTL_S = 3
INTERVAL_S = 0.2
_SAMPLES = 5
_WAYS = ("killed", "its program killed", "its check fails", "stopped in order")


def bench(contenders: list[Contender], *, folder: Path, say: Callable[[str], None]) -> Results:
    """Measure each way to go, on each store."""
    results = Results(
        f"A registered service leaves: seconds until all forget it (TTL {TTL_S} s, interval {INTERVAL_S:g} s)",
        tuple(
            Figure(f"{place} {kind}", 2, more_is_better=False)
            for place in ("DNS", "proxy", "file")
            for kind in ("median", "worst")
        ),
    )
    for contender in contenders:
        here = folder / f"leaving-{contender.name.replace(' ', '-')}"
        with ExitStack() as stack:
            suite = Suite(stack.enter_context(contender.make(here)), here)
            stack.callback(_stop, suite)
            suite.start_agents()
            for way in _WAYS:
                say(f"{way}, {contender.name}")
                taken = [_sample(suite, way) for _ in range(_SAMPLES)]
                figures: dict[str, float] = {}
                for place in ("DNS", "proxy", "file"):
                    times_s = [one[place] for one in taken]
                    figures |= {f"{place} median": median(times_s), f"{place} worst": max(times_s)}
                results.add(way, contender.name, **figures)
    return results


def _sample(suite: Suite, way: str) -> dict[str, float]:
    """Register a service, have it leave, and return after how many seconds each place has forgotten it."""
    port, well = free_port(), suite.folder / "well"
    well.touch()
    check = ("--check-cmd", f"test -e {well}") if way == "its check fails" else ()
    words = ("--ttl", f"{TTL_S}s", "--restart", "never", *check, *suite.service(port))
    program = suite.register(port, *words, name=f"service-{port}")
    wait_for(lambda: suite.knows(port), "all know it")
    began_s = time.monotonic()
    _LEAVE[way](program, well)
    gone: dict[str, float] = {}
    looks: dict[str, Callable[[], bool]] = {
        "DNS": lambda: not suite.in_dns(),
        "file": lambda: not suite.in_file(),
        "proxy": lambda: suite.through_proxy() == 503,
    }

    def all_gone() -> bool:
        for place in looks.keys() - gone.keys():
            if looks[place]():
                gone[place] = time.monotonic() - began_s
        return gone.keys() == looks.keys()

    wait_for(all_gone, "nobody knows it")
    program.stop(SIGKILL)
    return gone


def _kill_child(program: Program, _: Path) -> None:
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    assert children, "the service runs no program"
    for child in children:
        os.kill(int(child), SIGKILL)


_LEAVE: dict[str, Callable[[Program, Path], object]] = {
    "killed": lambda program, _: program.signal(SIGKILL),
    "its program killed": _kill_child,
    "its check fails": lambda _, well: well.unlink(),
    "stopped in order": lambda program, _: program.signal(SIGTERM),
}


def _stop(suite: Suite) -> None:
    for program in suite.programs:
        program.stop(SIGKILL)
