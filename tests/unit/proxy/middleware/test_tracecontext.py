"""W3C trace context: what goes on, what begins here.  Cases of the standard, level 1, sections 3.2 and 4.3."""

import pytest
from tests.unit.proxy.middleware.harness import answer_of, call_of, made, response_of, value

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FRESH = "f" * 32


@pytest.mark.parametrize(
    ("came", "trace", "flags"),
    [
        (f"00-{TRACE}-{PARENT}-01", TRACE, "01"),
        (f"00-{TRACE}-{PARENT}-00", TRACE, "00"),
        (f"cc-{TRACE}-{PARENT}-01", TRACE, "01"),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be", TRACE, "01"),
        (f"00-{TRACE}-{PARENT}-01-more", FRESH, "01"),
        (f"ff-{TRACE}-{PARENT}-01", FRESH, "01"),
        (f"00-{'0' * 32}-{PARENT}-01", FRESH, "01"),
        (f"00-{TRACE}-{'0' * 16}-01", FRESH, "01"),
        (f"00-{TRACE.upper()}-{PARENT}-01", FRESH, "01"),
        (f"00-{TRACE}-{PARENT}", FRESH, "01"),
        (f"00-{TRACE}-{PARENT}-0x", FRESH, "01"),
        ("nonsense", FRESH, "01"),
        ("", FRESH, "01"),
    ],
)
def test_a_valid_trace_goes_on_and_any_other_begins_here(came: str, trace: str, flags: str) -> None:
    call = call_of(headers={"TraceParent": came, "tracestate": "a=1"} if came else {"tracestate": "a=1"})
    assert answer_of(made("tracecontext", {}), call) is None
    sent = [each.decode() for name, each in call.request.fields if name.lower() == b"traceparent"]
    assert sent == [f"00-{trace}-{'f' * 16}-{flags}"]
    assert value(call.request.fields, "tracestate") == (b"a=1" if trace == TRACE else None)
    assert call.request_id == trace.encode()


def test_two_parents_are_none() -> None:
    call = call_of(
        headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "Traceparent": f"00-{TRACE}-{PARENT}-01"}
    )
    assert answer_of(made("tracecontext", {}), call) is None
    sent = [each for name, each in call.request.fields if name.lower() == b"traceparent"]
    assert sent == [f"00-{FRESH}-{'f' * 16}-01".encode()]


@pytest.mark.parametrize("is_told", [True, False])
def test_the_client_is_told_when_asked_to(is_told: bool) -> None:  # noqa: FBT001
    middleware = made("tracecontext", {"InResponse": is_told})
    call, response = call_of(), response_of(headers={"traceresponse": "the server's"})
    assert answer_of(middleware, call) is None
    middleware.on_response(call, response)
    expected = f"00-{FRESH}-{'f' * 16}-01".encode() if is_told else b"the server's"
    assert [each for name, each in response.fields if name.lower() == b"traceresponse"] == [expected]
