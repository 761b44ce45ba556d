"""Health pages: reference section 2.3."""

import json
from typing import Any

import pytest
from tests.unit.api.conftest import Rig
from tests.unit.api.test_gateway import Exchange

from fairlead.api.health import Health
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY
from fairlead.rpc import HttpReply, HttpRequest


class Pages:
    """Asks for pages."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.paths = Health(rig.member).paths()

    def get(self, target: str, method: str = "GET") -> tuple[int, str]:
        request = HttpRequest(method, target, {}, peer="test", common_name=None)
        exchange = Exchange()
        self.paths[request.path](request, HttpReply(exchange))
        return exchange.http_status, exchange.body.decode()

    def health(self, query: str = "") -> tuple[int, Any]:
        status, body = self.get("/health" + query)
        return status, json.loads(body)

    def raise_alarm(self, alarm: int) -> None:
        self.rig.member.machine.alarms.add((1, alarm))


@pytest.fixture
def pages(rig: Rig) -> Pages:
    return Pages(rig)


async def test_a_healthy_member_says_so(pages: Pages) -> None:
    assert pages.health() == (200, {"health": "true", "reason": ""})
    assert pages.health("?serializable=true")[0] == 200


async def test_only_get_is_served(pages: Pages) -> None:
    assert pages.get("/health", "POST")[0] == 405


async def test_an_alarm_makes_it_unhealthy_unless_it_is_excluded(pages: Pages) -> None:
    pages.raise_alarm(pb.NOSPACE)
    assert pages.health() == (503, {"health": "false", "reason": "ALARM NOSPACE"})
    assert pages.health("?exclude=NOSPACE")[0] == 200


async def test_without_a_leader_only_serializable_health_holds(pages: Pages) -> None:
    raft = pages.rig.member.replica.raft
    raft._node.leader = NOBODY
    assert pages.health() == (503, {"health": "false", "reason": "RAFT NO LEADER"})
    assert pages.health("?serializable=true")[0] == 200


async def test_every_version_is_three_numbers(pages: Pages) -> None:
    """Patroni splits it at the dots and reads each part as a number."""
    versions = json.loads(pages.get("/version")[1])
    assert set(versions) == {"etcdserver", "etcdcluster", "storage"}
    assert all(len([int(part) for part in version.split(".")]) == 3 for version in versions.values())


async def test_probes_answer_ok_or_a_list(pages: Pages) -> None:
    assert pages.get("/livez") == (200, "ok\n")
    assert pages.get("/readyz") == (200, "ok\n")
    assert pages.get("/readyz/linearizable_read") == (200, "ok\n")
    status, text = pages.get("/readyz?verbose")
    assert status == 200
    assert "[+]linearizable_read ok\n" in text
    pages.raise_alarm(pb.CORRUPT)
    status, text = pages.get("/readyz")
    assert status == 503
    assert "[-]data_corruption failed: alarm activated: CORRUPT\n" in text
    assert pages.get("/livez")[0] == 200


async def test_a_check_can_be_excluded(pages: Pages) -> None:
    pages.raise_alarm(pb.CORRUPT)
    status, _ = pages.get("/readyz?exclude=data_corruption&exclude=linearizable_read")
    assert status == 200
