"""What every test shares: the mark for other people's programs, and the list of what was skipped."""

import os
import signal

import hypothesis
import pytest
from tests import peers

from fairlead.compiled import form

pytest_plugins = ["tests.support.store"]
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and their children would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tests that run programs wait for half of their time, so that two of them keep a core busy."""
    return 2 * (os.cpu_count() or 1)


def pytest_report_header() -> str:
    """Say whether the hot paths are tested as Python or compiled."""
    return f"hot paths: {form()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, or fail where they must be present, the tests whose peers are not installed."""
    absent = set(peers.missing())
    for item in items:
        wanted = {name for mark in item.iter_markers("peer") for name in mark.args}
        unknown = wanted - peers.PACKAGES.keys()
        assert not unknown, f"{item.nodeid}: unknown peer {unknown}; add it to tests/peers.py"
        lacking = sorted(wanted & absent)
        if lacking and not peers.must_have_all():
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(lacking)}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """With FAIRLEAD_REQUIRE_PEERS=1 a missing peer is a failure."""
    wanted = {name for mark in item.iter_markers("peer") for name in mark.args}
    lacking = sorted(wanted & set(peers.missing()))
    if lacking and peers.must_have_all():
        pytest.fail(f"not installed: {', '.join(lacking)} (FAIRLEAD_REQUIRE_PEERS=1)")
