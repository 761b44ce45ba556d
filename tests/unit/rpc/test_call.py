"""gRPC calls of every kind, as a client that speaks the protocol by the book sees them."""

import gzip
import zlib

import pytest
from h2.errors import ErrorCodes
from hyperframe import frame as frames
from tests.unit.rpc.wire import (
    BOOM,
    CHAT,
    ECHO,
    KEEP,
    Polite,
    Raw,
    grpc_head,
    http_head,
    limits,
    message,
    messages,
    reset_of,
)

from fairlead.rpc import Code, RpcError, Unary
from fairlead.rpc.codes import percent_decoded


class TestUnary:
    def test_an_answer_has_head_message_and_status(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(b"abc"))
        assert client.head(stream_id) == {
            ":status": "200",
            "content-type": "application/grpc",
            "grpc-accept-encoding": "identity,gzip",
        }
        assert messages(client.body(stream_id)) == [b"abc"]
        assert client.trailers(stream_id) == {"grpc-status": "0"}

    def test_a_handler_may_answer_later(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(KEEP), message(b"q"))
        assert not client.has_ended(stream_id)
        client.calls[0].reply(b"later")
        client.exchange()
        assert messages(client.body(stream_id)) == [b"later"]
        assert not client.calls[0].is_open

    def test_a_second_answer_goes_nowhere(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(KEEP), message(b"q"))
        call = client.calls[0]
        call.reply(b"one")
        call.reply(b"two")
        call.fail(Code.INTERNAL, "three")
        client.exchange()
        assert messages(client.body(stream_id)) == [b"one"]
        assert client.service.handled[KEEP][Code.OK] == 1
        assert sum(client.service.handled[KEEP]) == 1

    def test_the_message_may_come_in_pieces_and_end_apart(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(b"abcdef")[:3], end=False)
        client.upload(stream_id, message(b"abcdef")[3:])
        client.exchange()
        assert not client.has_ended(stream_id)
        client.client.end_stream(stream_id)
        client.exchange()
        assert messages(client.body(stream_id)) == [b"abcdef"]

    def test_a_failure_is_trailers_only(self) -> None:
        """One HEADERS frame, which ends the stream."""
        client = Polite()
        stream_id = client.request(grpc_head(KEEP), message(b"q"))
        client.calls[0].fail(Code.NOT_FOUND, "no such key", trailers=[("x-why", "gone")])
        client.exchange()
        assert client.head(stream_id) == {
            ":status": "200",
            "content-type": "application/grpc",
            "grpc-accept-encoding": "identity,gzip",
            "grpc-status": "5",
            "grpc-message": "no such key",
            "x-why": "gone",
        }
        assert client.has_ended(stream_id)

    def test_a_status_message_is_percent_encoded(self) -> None:
        client = Polite()
        status, text = client.status(client.request(grpc_head(BOOM), message(b"")))
        assert (status, text) == (2, "b%C3%B6%C3%B6m 100%25")
        assert percent_decoded(text.encode()) == "bööm 100%"

    def test_an_unforeseen_exception_is_reported_and_given_a_status(self) -> None:
        client = Polite()
        client.request(grpc_head(BOOM), message(b""))
        assert [str(error) for error in client.errors] == ["bööm 100%"]
        assert client.service.handled[BOOM][Code.UNKNOWN] == 1

    def test_an_rpc_error_speaks_for_itself(self) -> None:
        client = Polite()

        def refuse(_: bytes, __: object) -> bytes:
            raise RpcError(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")

        client.service._routes["/t.T/Refuse"] = Unary(refuse)  # type: ignore[index]
        client.service.handled["/t.T/Refuse"] = [0] * len(Code)
        stream_id = client.request(grpc_head("/t.T/Refuse"), message(b""))
        assert client.status(stream_id) == (11, "etcdserver: mvcc: required revision has been compacted")
        assert client.errors == []

    def test_what_the_handler_knows_of_the_call(self) -> None:
        client = Polite()
        head = grpc_head(ECHO, ("token", "abc.7"), ("x-id-bin", "AAEC"), ("x-two", "1"), ("x-two", "2"))
        client.request(head, message(b""))
        call = client.calls[0]
        assert (call.path, call.peer, call.common_name) == (ECHO, "192.0.2.1:5", "root")
        assert [call.metadata(name) for name in ("token", "x-id-bin", "x-two", "none")] == [
            "abc.7",
            "AAEC",
            "1,2",
            None,
        ]

    def test_no_message_at_all(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head())
        assert client.status(stream_id)[0] == Code.INTERNAL
        assert client.calls == []

    def test_half_a_message(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(b"abcdef")[:-1])
        assert client.status(stream_id)[0] == Code.INTERNAL
        assert client.connection.held_bytes == 0

    def test_two_messages(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(b"a") + message(b"b"))
        assert client.status(stream_id)[0] == Code.INTERNAL
        assert client.calls == []

    def test_a_response_larger_than_a_frame(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(KEEP), message(b""))
        client.calls[0].reply(bytes(range(256)) * 128)
        client.exchange()
        assert messages(client.body(stream_id)) == [bytes(range(256)) * 128]
        assert client.trailers(stream_id) == {"grpc-status": "0"}


class TestRefusals:
    def test_an_unknown_method(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head("/t.T/Nothing"), message(b""))
        assert client.status(stream_id) == (12, "unknown method Nothing for service t.T")

    def test_an_unknown_service(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head("/x.Y/Z"), message(b""))
        assert client.status(stream_id) == (12, "unknown service x.Y")
        assert client.service.handled["unknown"][Code.UNIMPLEMENTED] == 1

    def test_a_method_other_than_post(self) -> None:
        client = Polite()
        head = [(name, "PUT" if name == ":method" else value) for name, value in grpc_head()]
        assert client.status(client.request(head, message(b"")))[0] == Code.INTERNAL

    @pytest.mark.parametrize("content_type", ["application/grpc+proto", "application/grpc;charset=utf-8"])
    def test_content_types_that_are_grpc(self, content_type: str) -> None:
        client = Polite()
        head = [(name, content_type if name == "content-type" else value) for name, value in grpc_head()]
        assert messages(client.body(client.request(head, message(b"abc")))) == [b"abc"]

    @pytest.mark.parametrize("content_type", ["application/json", "application/grpc-web"])
    def test_any_other_content_type_is_plain_http(self, content_type: str) -> None:
        client = Polite()
        head = [(name, content_type if name == "content-type" else value) for name, value in grpc_head()]
        assert client.body(client.request(head, b"{}")) == b"hello"

    def test_a_message_above_the_limit(self) -> None:
        """The text is grpc-go's; it comes before the message does."""
        client = Polite(limits(message_bytes_max=1000))
        stream_id = client.request(grpc_head(), message(b"x" * 1001))
        text = "grpc: received message larger than max (1001 vs. 1000)"
        assert client.status(stream_id) == (8, text)
        assert messages(client.body(client.request(grpc_head(), message(b"x" * 1000)))) == [b"x" * 1000]

    def test_a_message_above_the_limit_is_refused_by_its_prefix(self) -> None:
        client = Raw()
        found = client.send(client.headers(1, grpc_head()), client.data(1, b"\0\xff\xff\xff\xff"))
        assert client.fields(found[0])["grpc-status"] == "8"
        assert reset_of(found) == (1, ErrorCodes.NO_ERROR)

    def test_a_malformed_timeout(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(ECHO, ("grpc-timeout", "5 s")), message(b""))
        assert client.status(stream_id) == (13, "malformed grpc-timeout: '5 s'")


class TestCompression:
    def test_gzip_is_accepted(self) -> None:
        client = Polite()
        head = grpc_head(ECHO, ("grpc-encoding", "gzip"))
        stream_id = client.request(head, message(gzip.compress(b"abc" * 1000), flag=1))
        assert messages(client.body(stream_id)) == [b"abc" * 1000]

    def test_an_uncompressed_message_under_gzip(self) -> None:
        """The flag decides, message by message."""
        client = Polite()
        stream_id = client.request(grpc_head(ECHO, ("grpc-encoding", "gzip")), message(b"abc"))
        assert messages(client.body(stream_id)) == [b"abc"]

    def test_an_unknown_encoding(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(ECHO, ("grpc-encoding", "snappy")), message(b"", flag=1))
        assert client.status(stream_id) == (
            12,
            'grpc: Decompressor is not installed for grpc-encoding "snappy"',
        )
        assert client.head(stream_id)["grpc-accept-encoding"] == "identity,gzip"

    def test_a_compressed_message_without_encoding(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(gzip.compress(b"abc"), flag=1))
        assert client.status(stream_id) == (
            13,
            "grpc: compressed flag set with identity or empty encoding",
        )

    def test_a_flag_that_means_nothing(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(), message(b"abc", flag=2))
        assert client.status(stream_id) == (13, "grpc: received unexpected payload format 2")

    @pytest.mark.parametrize(
        "body",
        [b"not gzip", gzip.compress(b"abc")[:-4], gzip.compress(b"abc") + b"x", zlib.compress(b"abc")],
        ids=["garbage", "cut off", "more than gzip", "zlib"],
    )
    def test_what_is_not_gzip(self, body: bytes) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(ECHO, ("grpc-encoding", "gzip")), message(body, flag=1))
        assert client.status(stream_id)[0] == Code.INTERNAL

    def test_a_bomb_costs_no_more_than_the_largest_message(self) -> None:
        """A hundred megabytes of zeros in a hundred kilobytes."""
        client = Polite(limits(message_bytes_max=2_000_000))
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join([packer.compress(bytes(10**6)) for _ in range(100)]) + packer.flush()
        stream_id = client.request(grpc_head(ECHO, ("grpc-encoding", "gzip")), message(bomb, flag=1))
        assert client.status(stream_id) == (
            8,
            "grpc: received message after decompression larger than max 2000000",
        )


class TestStreams:
    def test_messages_go_both_ways_while_the_call_is_open(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(CHAT), message(b"one") + message(b"two")[:4], end=False)
        assert messages(client.body(stream_id)) == [b"one"]
        client.upload(stream_id, message(b"two")[4:])
        client.exchange()
        assert messages(client.body(stream_id)) == [b"one", b"two"]
        client.client.end_stream(stream_id)
        client.exchange()
        assert client.log == [b"one", b"two", "half-close"]
        assert client.status(stream_id) == (0, "")

    def test_many_messages_in_one_frame(self) -> None:
        client = Polite()
        sent = [b"%d" % n for n in range(500)]
        stream_id = client.request(grpc_head(CHAT), b"".join(map(message, sent)))
        assert messages(client.body(stream_id)) == sent

    def test_the_handler_is_opened_before_any_message(self) -> None:
        client = Polite()
        client.request(grpc_head(CHAT), end=False)
        client.client.send_headers(3, grpc_head(CHAT))
        client.exchange()
        assert len(client.chats) == 2

    def test_a_stream_may_end_without_a_message(self) -> None:
        """Trailers-Only."""
        client = Polite()
        stream_id = client.request(grpc_head(CHAT))
        assert client.log == ["half-close"]
        assert client.head(stream_id)["grpc-status"] == "0"

    def test_a_failure_in_the_middle_ends_in_trailers(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(CHAT), message(b"one") + message(b"boom") + message(b"never"))
        assert messages(client.body(stream_id)) == [b"one"]
        assert client.status(stream_id) == (2, "boom")
        assert client.log == [b"one", b"boom"]

    def test_a_handler_that_ends_the_call_is_told_no_more(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(CHAT), message(b"bye") + message(b"never"))
        assert client.status(stream_id) == (0, "")
        assert client.log == [b"bye"]

    def test_half_a_message_ends_the_call(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(CHAT), message(b"one")[:-1])
        assert client.status(stream_id)[0] == Code.INTERNAL
        assert client.log == ["cancel"]

    def test_a_handler_that_cannot_open(self) -> None:
        client = Polite()

        def fail(_: object) -> object:
            raise RpcError(Code.PERMISSION_DENIED, "etcdserver: permission denied")

        object.__setattr__(client.service._routes[CHAT], "open", fail)
        stream_id = client.request(grpc_head(CHAT), message(b"one"))
        assert client.status(stream_id) == (7, "etcdserver: permission denied")

    def test_reply_ends_a_stream_with_its_last_message(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(CHAT), message(b"one"), end=False)
        client.chats[0].call.reply(b"last")
        client.exchange()
        assert messages(client.body(stream_id)) == [b"one", b"last"]
        assert client.status(stream_id) == (0, "")


class TestCancellation:
    def test_a_reset_cancels_a_unary_call(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))
        told = []
        client.calls[0].on_cancel = lambda: told.append(True)
        client.send(frames.RstStreamFrame(1, 8))
        assert told == [True]
        assert not client.calls[0].is_open
        client.calls[0].reply(b"too late")
        assert client.take() == []
        assert client.service.handled[KEEP][Code.CANCELLED] == 1

    def test_a_reset_cancels_a_stream(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)), frames.RstStreamFrame(1, 8))
        assert client.log == ["cancel"]

    def test_a_lost_connection_cancels_every_call_once(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)), client.request(3, path=KEEP), client.request(5))
        told = []
        client.calls[0].on_cancel = lambda: told.append(True)
        client.connection.close()
        client.connection.close()
        assert (client.log, told) == (["cancel"], [True])

    def test_an_error_of_the_client_cancels_its_calls(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)))
        client.send(b"\0\0\1\6\0\0\0\0\0x")
        assert client.log == ["cancel"]

    def test_a_failing_on_cancel_is_reported_and_harms_nobody(self) -> None:
        client = Raw()
        client.send(client.request(1, path=KEEP))

        def fail() -> None:
            raise ValueError("in on_cancel")

        client.calls[0].on_cancel = fail
        client.send(frames.RstStreamFrame(1, 8))
        assert [str(error) for error in client.errors] == ["in on_cancel"]
        assert not client.has_closed()


class TestDeadlines:
    def test_the_deadline_is_on_the_servers_clock(self) -> None:
        client = Polite()
        client.request(grpc_head(ECHO, ("grpc-timeout", "1500m")), message(b""))
        client.request(grpc_head(ECHO), message(b""))
        assert [call.deadline_s for call in client.calls] == [client.now_s + 1.5, None]

    def test_a_call_past_its_deadline_ends_and_is_cancelled(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(KEEP, ("grpc-timeout", "2S")), message(b""))
        told = []
        client.calls[0].on_cancel = lambda: told.append(True)
        client.service.deadlines.expire(client.now_s + 1.9)
        client.exchange()
        assert not client.has_ended(stream_id)
        client.service.deadlines.expire(client.now_s + 2.1)
        client.exchange()
        assert client.status(stream_id) == (4, "context deadline exceeded")
        assert told == [True]

    def test_a_request_that_never_comes_is_bounded_by_its_deadline_too(self) -> None:
        client = Polite()
        stream_id = client.request(grpc_head(ECHO, ("grpc-timeout", "2S")), end=False)
        client.service.deadlines.expire(client.now_s + 3)
        client.exchange()
        assert client.status(stream_id)[0] == Code.DEADLINE_EXCEEDED

    def test_a_call_that_is_answered_leaves_nothing_behind(self) -> None:
        client = Polite()
        client.request(grpc_head(ECHO, ("grpc-timeout", "2S")), message(b""))
        assert list(client.service.deadlines._slots.values()) == [{}]
        client.service.deadlines.expire(client.now_s + 3)
        assert client.service.handled[ECHO] == [1] + [0] * 16
        assert client.service.deadlines.next_deadline_s is None

    def test_what_is_held_back_does_not_outlive_the_deadline(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT, ("grpc-timeout", "2S"))))
        client.chats[0].call.send(b"x" * 100_000)
        client.take()
        client.service.deadlines.expire(client.now_s + 3)
        found = client.take()
        assert client.fields(found[0])["grpc-status"] == "4"
        assert client.connection.sender.buffered_bytes == 0


class TestHttp:
    def test_a_request_without_body(self) -> None:
        client = Polite()
        stream_id = client.request(http_head("/a%20b?x=1&y=%3f"))
        request, reply = client.http[0]
        assert (request.method, request.path, request.query) == ("GET", "/a%20b", "x=1&y=%3f")
        assert (request.peer, request.common_name) == ("192.0.2.1:5", "root")
        assert client.head(stream_id)[":status"] == "200"
        assert client.head(stream_id)["content-length"] == "5"
        assert client.body(stream_id) == b"hello"
        assert client.has_ended(stream_id)
        assert not reply.is_open

    def test_bodies_are_streamed_both_ways(self) -> None:
        client = Polite()
        got: list[bytes] = []

        def app(request: object, reply: object) -> None:
            request.on_data = got.append  # type: ignore[attr-defined]
            request.on_end = reply.end  # type: ignore[attr-defined]
            reply.start(200, [("X-Kind", "stream")])  # type: ignore[attr-defined]
            reply.write(b"one")  # type: ignore[attr-defined]

        client.app = app
        stream_id = client.request(http_head("/up", "POST"), b"x" * 10, end=False)
        assert (got, client.body(stream_id)) == ([b"x" * 10], b"one")
        client.upload(stream_id, b"y" * 100_000, end=True)
        client.exchange()
        assert b"".join(got) == b"x" * 10 + b"y" * 100_000
        assert client.has_ended(stream_id)
        assert client.head(stream_id)["x-kind"] == "stream"

    def test_head_has_no_body(self) -> None:
        client = Polite()
        stream_id = client.request(http_head("/x", "HEAD"))
        assert client.head(stream_id)["content-length"] == "5"
        assert client.body(stream_id) == b""
        assert client.has_ended(stream_id)

    def test_a_body_above_the_limit(self) -> None:
        client = Polite(limits(body_bytes_max=1000))
        client.app = lambda *_: None
        stream_id = client.request(http_head("/up", "POST"), b"x" * 1001)
        assert client.head(stream_id)[":status"] == "413"

    def test_a_body_announced_above_the_limit(self) -> None:
        client = Polite(limits(body_bytes_max=1000))
        stream_id = client.request(http_head("/up", "POST", ("content-length", "1001")), b"x" * 1001)
        assert client.head(stream_id)[":status"] == "413"
        assert client.http == []

    def test_connect_is_not_for_us(self) -> None:
        client = Raw()
        found = client.send(client.headers(1, [(":method", "CONNECT"), (":authority", "a:1")]))
        assert client.fields(found[0])[":status"] == "501"

    def test_options_of_the_whole_server(self) -> None:
        """RFC 9113, 8.3.1: the asterisk."""
        client = Polite()
        assert client.body(client.request(http_head("*", "OPTIONS"))) == b"hello"

    def test_a_failing_application_is_500(self) -> None:
        client = Polite()

        def fail(_: object, __: object) -> None:
            raise ValueError("app")

        client.app = fail
        stream_id = client.request(http_head())
        assert client.head(stream_id)[":status"] == "500"
        assert [str(error) for error in client.errors] == ["app"]

    def test_an_application_that_fails_after_its_head_resets(self) -> None:
        """The client must not take a part for the whole."""
        client = Raw()

        def fail(_: object, reply: object) -> None:
            reply.start(200)  # type: ignore[attr-defined]
            raise ValueError("app")

        client.app = fail
        found = client.send(client.headers(1, http_head(), "END_STREAM"))
        assert reset_of(found) == (1, ErrorCodes.INTERNAL_ERROR)

    def test_a_reset_tells_the_application(self) -> None:
        client = Raw()
        told = []

        def app(request: object, _: object) -> None:
            request.on_cancel = lambda: told.append(True)  # type: ignore[attr-defined]

        client.app = app
        client.send(client.headers(1, http_head(), "END_STREAM"), frames.RstStreamFrame(1, 8))
        assert told == [True]
        assert not client.http[0][1].is_open

    def test_a_field_is_one_line(self) -> None:
        """Whatever an application puts into a header cannot become a second one."""
        client = Polite()
        client.app = lambda _, reply: reply.send(200, [("x", "a\r\nset-cookie: b")])
        assert client.head(client.request(http_head()))[":status"] == "500"


class TestKnownHeads:
    """The fast path: blocks that were seen before are not decoded again."""

    def test_a_repeated_block_is_remembered(self) -> None:
        client = Raw()
        client.send(client.request(1), client.request(3))
        assert len(client.connection.headers.known) == 1
        client.send(*(client.request(n) for n in range(5, 100, 2)))
        assert len(client.connection.headers.known) == 1
        assert len({id(call.head) for call in client.calls[1:]}) == 1

    def test_a_changed_table_forgets_every_block(self) -> None:
        """The same bytes mean another request once the table has moved."""
        client = Raw()
        client.send(client.request(1), client.request(3))
        indexed = client.block(grpc_head())
        for n in range(200):  # Push the fields out of the dynamic table, so that indices mean others.
            client.send(client.headers(5 + 2 * n, grpc_head(ECHO, ("x-n", str(n)))))
        assert indexed not in client.connection.headers.known
        stream_id = 1001
        found = client.send(client.request(stream_id, b"still right"))
        assert found[1].data == message(b"still right")

    def test_blocks_with_literals_are_remembered_where_the_table_stays(self) -> None:
        """nghttp2 never indexes :path; its blocks would miss a rule that asks for indexed fields only."""
        client = Raw()
        block = client.block(grpc_head()[:2]) + b"\x04\x09/t.T/Echo"
        client.send(frames.HeadersFrame(1, block, flags=["END_HEADERS"]))
        assert block in client.connection.headers.known

    def test_the_cache_is_bounded(self) -> None:
        client = Raw(limits(known_heads_max=10))
        start = client.block(http_head("/x")[:2])
        for n in range(50):
            path = b"/%03d" % n
            block = start + b"\x04" + bytes((len(path),)) + path
            client.send(frames.HeadersFrame(2 * n + 1, block, flags=["END_HEADERS", "END_STREAM"]))
        assert 0 < len(client.connection.headers.known) <= 10
        assert [request.path for request, _ in client.http] == [f"/{n:03d}" for n in range(50)]


class TestKeepalive:
    def test_a_silent_client_is_pinged_and_then_let_go(self) -> None:
        client = Raw(limits(keepalive_idle_s=60.0, keepalive_timeout_s=20.0))
        client.send(client.headers(1, grpc_head(CHAT)))
        client.connection.tick(client.now_s + 59)
        assert client.take() == []
        client.connection.tick(client.now_s + 61)
        assert [type(f).__name__ for f in client.take()] == ["PingFrame"]
        client.connection.tick(client.now_s + 82)
        assert client.has_closed()
        assert client.log == ["cancel"]

    def test_a_client_that_answers_stays(self) -> None:
        client = Raw(limits(keepalive_idle_s=60.0, keepalive_timeout_s=20.0))
        client.connection.tick(client.now_s + 61)
        (ping,) = client.take()
        client.now_s += 62
        client.send(frames.PingFrame(0, ping.opaque_data, flags=["ACK"]))
        client.connection.tick(client.now_s + 30)
        assert not client.has_closed()


class TestDraining:
    def test_a_graceful_end_takes_two_steps(self) -> None:
        """6.8: GOAWAY with the highest id, and once the client knows, with the last stream taken."""
        client = Raw()
        client.send(client.request(1, path=KEEP))
        client.connection.drain()
        goaway, ping = client.take()
        assert (goaway.last_stream_id, goaway.error_code) == (2**31 - 1, 0)
        client.send(client.request(3, path=KEEP))  # Sent before the GOAWAY had arrived.
        (final,) = client.send(frames.PingFrame(0, ping.opaque_data, flags=["ACK"]))
        assert (final.last_stream_id, final.error_code) == (3, 0)
        assert client.send(client.request(5, path=KEEP)) == []
        assert len(client.calls) == 2
        client.calls[0].reply(b"one")
        assert not client.has_closed()
        client.calls[1].reply(b"two")
        assert client.has_closed()
        answers = [f.data for f in client.take() if isinstance(f, frames.DataFrame)]
        assert answers == [message(b"one"), message(b"two")]

    def test_an_idle_connection_closes_at_the_second_step(self) -> None:
        client = Raw()
        client.connection.drain()
        client.connection.stop_accepting()
        assert client.has_closed()
        assert [f.last_stream_id for f in client.take() if isinstance(f, frames.GoAwayFrame)] == [
            2**31 - 1,
            0,
        ]

    def test_a_cancelled_last_stream_closes_a_draining_connection(self) -> None:
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)))
        client.connection.drain()
        client.connection.stop_accepting()
        client.send(frames.RstStreamFrame(1, 8))
        assert client.has_closed()

    def test_late_requests_keep_the_table_in_step(self) -> None:
        """4.3: what is refused must be decoded all the same."""
        client = Raw()
        client.send(client.headers(1, grpc_head(CHAT)))
        client.connection.drain()
        client.connection.stop_accepting()
        client.take()
        client.send(client.headers(3, grpc_head(ECHO, ("x-new", "1"))))
        client.send(client.headers(1, [("x-new", "1")], "END_STREAM"))
        assert client.log == ["half-close"]


def test_a_stream_shows_itself_in_one_line() -> None:
    client = Raw()
    client.send(client.headers(1, grpc_head(CHAT)))
    client.chats[0].call.send(b"x" * 70_000)
    client.take()
    assert repr(client.chats[0].call) == "<StreamCall 1 /t.T/Chat held back 4470 bytes>"
    assert repr(client.connection) == "<Http2Connection 192.0.2.1:5 1 streams, last 1>"
