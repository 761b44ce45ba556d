"""HTTP/1.1 by bytes: framing, order, limits and patience; a docstring's number is the section of RFC 9112."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rpc.wire import World, limits

from fairlead.rpc import HttpReply, HttpRequest, Limits
from fairlead.rpc.h1 import Http1Connection

GET = b"GET /hello HTTP/1.1\r\nhost: store\r\n\r\n"


def post(body: bytes, *fields: bytes) -> bytes:
    head = [b"POST /up HTTP/1.1", b"host: store", b"content-length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class Browser(World):
    """A client that sends bytes, and reads answers by ``h11``."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self.wakes = 0
        self.now_s = 100.0
        self.connection = Http1Connection(
            self.service, wake=self._woken, peer="192.0.2.1:5", common_name="root", now_s=self.now_s
        )

    def _woken(self) -> None:
        self.wakes += 1

    def send(self, data: bytes) -> bytes:
        return self.connection.receive(data, self.now_s)

    def has_closed(self) -> bool:
        return self.connection.is_closed

    def is_reading(self) -> bool:
        return self.connection.is_reading

    def take(self) -> bytes:
        return self.connection.take()

    @property
    def reply(self) -> HttpReply:
        return self.http[-1][1]


def answers(data: bytes, *methods: str) -> list[tuple[int, dict[str, str], bytes]]:
    """The final answers that ``data`` consists of, as h11 reads them."""
    found = []
    reader = h11.Connection(h11.CLIENT)
    reader.receive_data(data)
    for method in methods or ("GET",):
        reader.send(h11.Request(method=method, target="/", headers=[("host", "store")]))
        reader.send(h11.EndOfMessage())
        status, fields, body = 0, {}, b""
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                reader.receive_data(b"")  # The connection has been closed.
            elif isinstance(event, h11.Response):
                status = event.status_code
                fields = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        found.append((status, fields, body))
        if reader.our_state is h11.DONE and reader.their_state is h11.DONE:
            reader.start_next_cycle()
    return found


def status_of(data: bytes) -> int:
    return int(data.split(b" ", 2)[1])


def keep(_: HttpRequest, __: HttpReply) -> None:
    """An application that answers later."""


class TestAnswers:
    def test_a_request_is_answered_and_the_connection_kept(self) -> None:
        browser = Browser()
        ((status, fields, body),) = answers(browser.send(GET))
        assert (status, body) == (200, b"hello")
        assert fields["content-length"] == "5"
        assert fields["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert not browser.has_closed()
        assert answers(browser.send(GET))[0][2] == b"hello"

    def test_what_the_application_sees(self) -> None:
        browser = Browser()
        browser.send(b"GET /a%20b?x=1 HTTP/1.1\r\nHost: store\r\nX-Two: 1\r\nx-two: 2\r\n\r\n")
        request, _ = browser.http[0]
        assert (request.method, request.path, request.query) == ("GET", "/a%20b", "x=1")
        assert request.headers == {"host": "store", "x-two": "1,2"}
        assert (request.peer, request.common_name) == ("192.0.2.1:5", "root")

    def test_a_request_may_be_cut_anywhere(self) -> None:
        browser = Browser()
        data = b"".join(browser.send(bytes((byte,))) for byte in GET)
        assert answers(data)[0][2] == b"hello"

    def test_the_absolute_form_is_taken(self) -> None:
        """3.2.2: a server must accept it."""
        browser = Browser()
        browser.send(b"GET http://store:2379/v3/kv?x HTTP/1.1\r\nhost: store\r\n\r\n")
        browser.send(b"GET http://store HTTP/1.1\r\nhost: store\r\n\r\n")
        assert [(r.path, r.query) for r, _ in browser.http] == [("/v3/kv", "x"), ("/", "")]

    def test_an_answer_of_unknown_length_is_chunked(self) -> None:
        """7.1."""
        browser = Browser()
        browser.app = keep
        data = browser.send(GET)
        browser.reply.start(200, [("Content-Type", "application/json")])
        browser.reply.write(b"one\n")
        data += browser.take()
        browser.reply.write(b"")  # Must not become the last chunk.
        browser.reply.write(b"two\n")
        browser.reply.end()
        data += browser.take()
        ((_, fields, body),) = answers(data)
        assert fields["transfer-encoding"] == "chunked"
        assert body == b"one\ntwo\n"
        assert browser.wakes == 2

    def test_http_1_0_gets_no_chunks(self) -> None:
        """7: the end of such a body is the end of the connection."""
        browser = Browser()
        browser.app = keep
        browser.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        browser.reply.start(200)
        browser.reply.write(b"one")
        browser.reply.end()
        data = browser.take()
        assert b"transfer-encoding" not in data
        assert data.endswith(b"connection: close\r\n\r\none")
        assert browser.has_closed()

    def test_http_1_0_may_keep_the_connection(self) -> None:
        """9.3."""
        browser = Browser()
        assert b"connection: keep-alive" in browser.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert not browser.has_closed()
        browser.send(b"GET / HTTP/1.0\r\n\r\n")
        assert browser.has_closed()

    def test_head_has_the_fields_and_no_body(self) -> None:
        browser = Browser()
        ((_, fields, body),) = answers(browser.send(GET.replace(b"GET", b"HEAD")), "HEAD")
        assert (fields["content-length"], body) == ("5", b"")

    def test_no_content_has_no_body(self) -> None:
        browser = Browser()
        browser.app = keep
        browser.send(GET)
        browser.reply.start(204)
        browser.reply.end()
        assert b"transfer-encoding" not in browser.take()

    def test_a_client_that_closes_is_told_so(self) -> None:
        """9.6."""
        browser = Browser()
        data = browser.send(b"GET / HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n")
        assert answers(data)[0][1]["connection"] == "close"
        assert browser.has_closed()
        assert browser.send(GET) == b""

    def test_a_failing_application_is_500(self) -> None:
        browser = Browser()

        def fail(_: HttpRequest, __: HttpReply) -> None:
            raise ValueError("app")

        browser.app = fail
        assert status_of(browser.send(GET)) == 500
        assert [str(error) for error in browser.errors] == ["app"]

    def test_an_application_that_fails_after_its_head_breaks_off(self) -> None:
        browser = Browser()

        def fail(_: HttpRequest, reply: HttpReply) -> None:
            reply.start(200)
            reply.write(b"one")
            raise ValueError("app")

        browser.app = fail
        assert not browser.send(GET).endswith(b"0\r\n\r\n")
        assert browser.has_closed()


class TestOrder:
    def test_pipelined_requests_are_answered_in_their_order(self) -> None:
        """9.3.2."""
        browser = Browser()
        browser.app = keep
        browser.send(GET.replace(b"hello", b"one") + post(b"body") + GET.replace(b"hello", b"three"))
        got: list[bytes] = []
        assert [r.path for r, _ in browser.http] == ["/one"]
        assert not browser.is_reading()

        def read(request: HttpRequest, _: HttpReply) -> None:
            request.on_data = got.append

        browser.app = read
        browser.reply.send(200, [], b"1")
        assert got == [b"body"]
        browser.reply.send(200, [], b"2")
        browser.reply.send(200, [], b"3")
        assert [body for _, _, body in answers(browser.take(), "GET", "POST", "GET")] == [b"1", b"2", b"3"]
        assert browser.is_reading()

    def test_too_many_waiting_requests_close_the_connection_after_their_answers(self) -> None:
        browser = Browser(limits(pipelined_requests_max=3))
        browser.app = keep
        browser.send(GET * 50)
        count = 0
        while not browser.has_closed():
            browser.reply.send(200, [], b"x")
            count += 1
        assert count == 4
        assert answers(browser.take(), *["GET"] * 4)[-1][1]["connection"] == "close"

    def test_thousands_of_pipelined_requests_do_not_recurse(self) -> None:
        """Each answer begins the next request: that must not cost a stack frame for each."""
        browser = Browser(limits(pipelined_requests_max=10**6))
        browser.app = keep
        browser.send(GET * 5000)
        browser.app = lambda _, reply: reply.send(200, [], b"x")
        browser.reply.send(200, [], b"x")
        assert browser.errors == []
        assert browser.take().count(b"HTTP/1.1 200 OK") == 5000

    def test_what_is_no_request_is_answered_in_its_turn(self) -> None:
        browser = Browser()
        browser.app = keep
        assert browser.send(GET + b"nonsense\r\n\r\n") == b""
        browser.reply.send(200, [], b"x")
        assert [status for status, _, _ in answers(browser.take(), "GET", "GET")] == [200, 400]
        assert browser.has_closed()

    def test_an_early_answer_lets_the_rest_of_the_body_pass(self) -> None:
        browser = Browser()
        data = browser.send(post(b"x" * 100)[:-50])
        assert status_of(data) == 200
        assert browser.send(b"x" * 50) == b""
        assert status_of(browser.send(GET)) == 200


class TestBodies:
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_is_streamed(self, *, chunked: bool) -> None:
        browser = Browser()
        told: list[bytes] = []

        def app(request: HttpRequest, reply: HttpReply) -> None:
            request.on_data = told.append
            request.on_end = lambda: reply.send(200, [], b"ok")

        browser.app = app
        if chunked:
            browser.send(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
            data = browser.send(b"3\r\ntwo\r\n0\r\nx-trailer: 1\r\n\r\n")
        else:
            browser.send(post(b"onetwo")[:-3])
            data = browser.send(b"two")
        assert told == [b"one", b"two"]
        assert status_of(data) == 200

    def test_an_application_that_pauses_stops_the_reading(self) -> None:
        browser = Browser()
        browser.app = lambda _, reply: reply.pause()
        browser.send(post(b"x" * 10)[:-5])
        assert not browser.is_reading()
        browser.reply.resume()
        assert browser.is_reading()
        assert browser.wakes == 1

    def test_a_body_announced_above_the_limit(self) -> None:
        browser = Browser(limits(body_bytes_max=10))
        assert status_of(browser.send(post(b"x" * 11))) == 413
        assert browser.http == []
        assert browser.has_closed()

    def test_a_chunked_body_above_the_limit(self) -> None:
        browser = Browser(limits(body_bytes_max=10))
        browser.app = keep
        browser.send(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n9\r\n123456789\r\n")
        told = []
        browser.http[0][0].on_cancel = lambda: told.append(True)
        assert status_of(browser.send(b"2\r\nxx\r\n")) == 413
        assert told == [True]
        assert browser.has_closed()

    def test_100_continue_is_sent_where_the_body_is_wanted(self) -> None:
        """RFC 9110, 10.1.1."""
        browser = Browser()
        browser.app = keep
        head = post(b"abc", b"expect: 100-continue")[:-3]
        assert browser.send(head) == b"HTTP/1.1 100 Continue\r\n\r\n"

    def test_100_continue_is_not_sent_beside_an_answer(self) -> None:
        browser = Browser()
        assert status_of(browser.send(post(b"abc", b"expect: 100-continue")[:-3])) == 200

    def test_100_continue_is_not_sent_to_http_1_0(self) -> None:
        browser = Browser()
        browser.app = keep
        head = b"POST / HTTP/1.0\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n"
        assert browser.send(head) == b""

    def test_other_expectations_fail(self) -> None:
        """RFC 9110, 10.1.1: 417."""
        assert status_of(Browser().send(post(b"abc", b"expect: wonders"))) == 417

    def test_an_upgrade_is_declined_and_its_request_answered(self) -> None:
        """RFC 9110, 7.8: curl --http2 asks for h2c, body and all."""
        browser = Browser()
        got: list[bytes] = []

        def app(request: HttpRequest, reply: HttpReply) -> None:
            request.on_data = got.append
            request.on_end = lambda: reply.send(200, [], b"ok")

        browser.app = app
        asks = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk")
        data = browser.send(post(b"abc", *asks) + GET)
        assert got == [b"abc"]
        assert [body for _, _, body in answers(data, "POST", "GET")] == [b"ok", b"ok"]

    def test_connect_is_not_for_us(self) -> None:
        browser = Browser()
        assert status_of(browser.send(b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n\x16\x03\x01")) == 501
        assert browser.has_closed()


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            pytest.param(b"nonsense\r\n\r\n", 400, id="no request"),
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="3.2: no host"),
            pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, id="3.2: two hosts"),
            pytest.param(b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400, id="5.1: space before the colon"),
            pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n", 400, id="5.2: folded field"),
            pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400, id="5.5: NUL in a value"),
            pytest.param(
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
                id="6.1: both lengths, as smugglers send",
            ),
            pytest.param(
                b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\nabc",
                400,
                id="6.1: not chunked",
            ),
            pytest.param(
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
                400,
                id="6.3: two lengths",
            ),
            pytest.param(
                b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400, id="6.3: no length"
            ),
            pytest.param(b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505, id="2.3: unknown version"),
        ],
    )
    def test_what_is_refused_closes_the_connection(self, data: bytes, status: int) -> None:
        browser = Browser()
        browser.app = keep
        out = browser.send(data) or browser.take()
        assert status_of(out) == status
        assert b"connection: close" in out
        assert browser.has_closed()

    def test_a_bad_chunk_in_the_middle_of_a_body(self) -> None:
        browser = Browser()
        browser.app = keep
        browser.send(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        assert status_of(browser.send(b"zz\r\n")) == 400
        assert browser.has_closed()

    def test_a_head_above_the_limit(self) -> None:
        """5.4 and RFC 6585: 431."""
        browser = Browser(limits(header_bytes_max=1000))
        assert status_of(browser.send(GET[:-2] + b"x: " + b"y" * 1000 + b"\r\n\r\n")) == 431

    def test_a_head_without_end(self) -> None:
        """The parser keeps an unfinished field for itself, so that only our count bounds it."""
        browser = Browser(limits(header_bytes_max=1000))
        browser.send(b"GET / HTTP/1.1\r\nhost: s\r\nx: ")
        out = b""
        for _ in range(20):
            out += browser.send(b"y" * 100)
        assert status_of(out) == 431
        assert browser.has_closed()

    def test_trailers_without_end(self) -> None:
        browser = Browser(limits(header_bytes_max=1000))
        browser.app = keep
        browser.send(b"POST / HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n")
        out = b"".join(browser.send(b"x: %090d\r\n" % n) for n in range(20))
        assert status_of(out) == 431
        assert browser.has_closed()

    @settings(max_examples=200)
    @given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, len(GET)))
    def test_no_bytes_break_it(self, pieces: list[bytes], cut: int) -> None:
        browser = Browser()
        browser.send(GET[:cut])
        for piece in pieces:
            browser.send(piece)
        browser.connection.tick(browser.now_s + 1000)
        assert browser.errors == []


class TestPatience:
    def test_a_head_that_drips_is_408(self) -> None:
        """Slowloris: a byte now and then does not buy time."""
        browser = Browser(limits(header_timeout_s=30.0))
        browser.send(b"GET / HT")
        for _ in range(6):
            browser.now_s += 5.5
            browser.send(b"T")
            browser.connection.tick(browser.now_s)
        assert status_of(browser.take()) == 408
        assert browser.has_closed()

    def test_a_body_that_stalls_after_its_answer_ends_the_connection(self) -> None:
        browser = Browser(limits(stall_s=60.0))
        browser.send(post(b"abc")[:-1])
        browser.connection.tick(browser.now_s + 61)
        assert browser.has_closed()

    def test_a_body_that_stalls_is_408(self) -> None:
        browser = Browser(limits(stall_s=60.0))
        browser.app = keep
        browser.send(post(b"abc")[:-1])
        browser.connection.tick(browser.now_s + 59)
        assert not browser.has_closed()
        browser.connection.tick(browser.now_s + 61)
        assert status_of(browser.take()) == 408

    def test_an_idle_connection_is_closed(self) -> None:
        browser = Browser(limits(idle_timeout_s=60.0))
        browser.send(GET)
        browser.connection.tick(browser.now_s + 59)
        assert not browser.has_closed()
        browser.connection.tick(browser.now_s + 61)
        assert browser.has_closed()

    def test_a_long_answer_is_not_idleness(self) -> None:
        """A watch over the gateway lasts for days."""
        browser = Browser()
        browser.app = keep
        browser.send(GET)
        browser.connection.tick(browser.now_s + 10**6)
        assert not browser.has_closed()

    def test_a_client_that_does_not_read_is_let_go(self) -> None:
        browser = Browser(limits(stall_s=60.0))
        browser.app = keep
        browser.send(GET)
        told = []
        browser.http[0][0].on_cancel = lambda: told.append(True)
        browser.connection.pause()
        browser.reply.start(200)
        browser.connection.tick(browser.now_s + 61)
        assert browser.has_closed()
        assert told == [True]


class TestBackPressure:
    def test_a_paused_transport_is_told_nothing_and_the_application_of_the_drain(self) -> None:
        browser = Browser()
        browser.app = keep
        browser.send(GET)
        told = []
        browser.http[0][0].on_writable = lambda: told.append(True)
        browser.connection.pause()
        browser.reply.start(200, [("content-length", "100000")])
        browser.reply.write(b"x" * 100_000)
        assert browser.take() == b""
        assert browser.reply.buffered_bytes > 100_000
        assert not browser.is_reading()
        browser.connection.resume()
        assert len(browser.take()) > 100_000
        assert (browser.reply.buffered_bytes, told) == (0, [True])

    def test_more_held_back_than_the_cap_ends_the_connection(self) -> None:
        browser = Browser(limits(send_buffer_bytes_max=1000))
        browser.app = keep
        browser.send(GET)
        browser.connection.pause()
        browser.reply.start(200)
        browser.reply.write(b"x" * 1001)
        assert browser.has_closed()
        assert not browser.reply.is_open


class TestEnds:
    def test_a_lost_connection_tells_the_application_once(self) -> None:
        browser = Browser()
        browser.app = keep
        browser.send(GET)
        told = []
        browser.http[0][0].on_cancel = lambda: told.append(True)
        browser.connection.close()
        browser.connection.close()
        assert told == [True]
        assert not browser.reply.is_open

    def test_draining_finishes_what_is_open(self) -> None:
        browser = Browser()
        browser.app = keep
        browser.send(GET)
        browser.connection.drain()
        assert not browser.has_closed()
        browser.reply.send(200, [], b"x")
        assert answers(browser.take())[0][1]["connection"] == "close"
        assert browser.has_closed()

    def test_draining_closes_an_idle_connection(self) -> None:
        browser = Browser()
        browser.send(GET)
        browser.connection.drain()
        assert browser.has_closed()
