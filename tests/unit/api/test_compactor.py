"""Automatic compaction: what is kept, and when the rest goes."""

from fairlead.api.compactor import HOUR_S, Compactor, Retention


def test_nothing_is_compacted_unless_it_is_asked_for() -> None:
    assert Compactor(Retention.parse("periodic", "0")).interval_s is None


def test_revisions_keeps_the_last_so_many() -> None:
    compactor = Compactor(Retention.parse("revision", "100"))
    assert compactor.interval_s == 300.0
    assert compactor.due(now_s=0.0, revision=50) is None
    assert compactor.due(now_s=300.0, revision=350) == 250
    assert compactor.due(now_s=600.0, revision=350) is None


def test_a_bare_number_is_hours() -> None:
    assert Retention.parse("periodic", "2").period_s == 2 * HOUR_S


def test_periodic_keeps_a_whole_period_of_history() -> None:
    """A revision goes once everything up to it is older than the period."""
    compactor = Compactor(Retention.parse("periodic", "10m"))
    interval_s = compactor.interval_s
    assert interval_s == 60.0
    told = {}
    for minute in range(40):
        revision = compactor.due(now_s=minute * 60.0, revision=100 + minute)
        if revision is not None:
            told[minute] = revision
    assert told == {10: 100, 20: 110, 30: 120}


def test_a_long_period_compacts_every_hour() -> None:
    compactor = Compactor(Retention.parse("periodic", "5h"))
    assert compactor.interval_s == HOUR_S / 10
    told = [
        step
        for step in range(100)
        if compactor.due(now_s=step * HOUR_S / 10, revision=1000 + step) is not None
    ]
    assert told == [50, 60, 70, 80, 90]
