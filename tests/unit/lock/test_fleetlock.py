"""FleetLock's requests and each of its refusals."""

import json

import pytest

from fairlead.client import UnavailableError
from fairlead.lock import (
    BrokenSemaphoreError,
    ContentionError,
    FrozenError,
    FullError,
    LimitError,
    LockError,
    TwoHostsError,
)
from fairlead.lock.fleetlock import OK, Answer, Asked, Wish, answer_error, read_request

GROUPS = frozenset({"default", "web"})


def body(**params: object) -> bytes:
    return json.dumps({"client_params": {"id": "a", "group": "default", **params}}).encode()


def ask(
    method: str = "POST", path: str = "/v1/pre-reboot", *, is_marked: bool = True, data: bytes | None = None
) -> Asked | Answer:
    return read_request(
        method, path, is_marked=is_marked, body=body() if data is None else data, groups=GROUPS
    )


def test_a_request_says_what_it_wants() -> None:
    assert ask() == Asked(Wish.PRE_REBOOT, "default", "a")
    assert ask(path="/v1/steady-state", data=body(id="A", group="web")) == Asked(
        Wish.STEADY_STATE, "web", "A"
    )


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (ask(path="/v1/other"), 404, "not_found"),
        (ask(path="/v1/pre-reboot/"), 404, "not_found"),
        (ask("GET"), 405, "method_not_allowed"),
        (ask(is_marked=False), 400, "missing_header"),
        (ask(data=b""), 400, "decode_error"),
        (ask(data=b"[]"), 400, "decode_error"),
        (ask(data=b"[" * 9999), 400, "decode_error"),
        (ask(data=b'{"client_params": {"id": "a"}}'), 400, "decode_error"),
        (ask(data=body(id="")), 400, "invalid_id"),
        (ask(data=body(id=7)), 400, "invalid_id"),
        (ask(data=body(id="a\nb")), 400, "invalid_id"),
        (ask(data=body(group="")), 400, "invalid_group"),
        (ask(data=body(group="a/b")), 400, "invalid_group"),
        (ask(data=body(group="a\n")), 400, "invalid_group"),
        (ask(data=body(group="other")), 400, "unknown_group"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_a_kind(answer: Asked | Answer, status: int, kind: str) -> None:
    assert isinstance(answer, Answer)
    assert (answer.status, answer.kind) == (status, kind)
    told = json.loads(answer.body)
    assert told["kind"]
    assert told["value"]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (FullError(["b"], permits=1), 423, "lock_held"),
        (FrozenError("default", reason="holidays"), 423, "frozen"),
        (TwoHostsError("a", held_by="x", asked_by="y"), 409, "two_hosts"),
        (BrokenSemaphoreError("it is not JSON"), 500, "broken_semaphore"),
        (ContentionError(30), 503, "contention"),
        (UnavailableError(["http://10.0.0.1:2379"]), 503, "store_unavailable"),
        (LimitError("x"), 500, "internal_error"),
    ],
)
def test_what_could_not_be_granted_has_a_kind_too(error: LockError, status: int, kind: str) -> None:
    answer = answer_error(error)
    assert (answer.status, answer.kind) == (status, kind)


def test_where_the_store_is_stays_inside() -> None:
    assert "10.0.0.1" not in answer_error(UnavailableError(["http://10.0.0.1:2379"])).value


def test_success_is_200_with_an_empty_object() -> None:
    assert (OK.status, OK.body) == (200, b"{}")
