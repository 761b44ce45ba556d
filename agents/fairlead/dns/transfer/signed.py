"""Signed queries to an answerer that knows nothing of signatures, and its responses signed."""

import time
from collections.abc import Callable, Iterator

from fairlead.dns import message
from fairlead.dns.client import LATER, Answerer, Client, Transport
from fairlead.dns.errors import MessageError
from fairlead.dns.transfer.keyring import Keyring
from fairlead.dns.transfer.tsig import Session, SignatureRefusedError, open_signed


class SignedClient:
    """A client whose query was signed; what it is sent is signed too."""

    def __init__(self, client: Client, session: Session, clock: Callable[[], float]) -> None:
        self._client = client
        self._session = session
        self._clock = clock

    @property
    def ip(self) -> str:
        """As the client's."""
        return self._client.ip

    @property
    def transport(self) -> Transport:
        """As the client's."""
        return self._client.transport

    @property
    def reserved_bytes(self) -> int:
        """The signature's."""
        return self._session.overhead_bytes

    def send(self, response: bytes) -> None:
        """Send ``response``, signed."""
        self._client.send(self._session.seal(response, now_s=int(self._clock())))

    def abandon(self) -> None:
        """Give up."""
        self._client.abandon()

    def stream(self, messages: Iterator[bytes]) -> None:
        """Send ``messages``, each signed."""
        self._client.stream(self._session.seal(one, now_s=int(self._clock())) for one in messages)


class SignedAnswerer:
    """Answers signed queries by signed responses, and all others as ``answerer`` does."""

    def __init__(
        self, answerer: Answerer, keyring: Keyring, *, clock: Callable[[], float], fudge_s: int
    ) -> None:
        self._answerer = answerer
        self._keyring = keyring
        self._clock = clock
        self._fudge_s = fudge_s
        self.from_table = answerer.from_table
        self.from_table_whole = answerer.from_table_whole

    def respond(self, packet: bytes, client: Client) -> bytes | None:
        """Return the response, as `Answerer.respond` does."""
        if not message.may_be_signed(packet) or not message.is_answerable(packet):
            return self._answerer.respond(packet, client)
        try:
            opened = open_signed(packet, self._keyring, now_s=int(self._clock()), fudge_s=self._fudge_s)
        except SignatureRefusedError as error:
            return error.seal(message.error_response(packet, error.rcode))
        except MessageError as error:
            return message.error_response(packet, error.rcode)
        if opened is None:
            return self._answerer.respond(packet, client)
        bare, session = opened
        response = self._answerer.respond(bare, SignedClient(client, session, self._clock))
        if response is None or response == LATER:
            return response
        return session.seal(response, now_s=int(self._clock()))


def answering_signed(answerer: Answerer, keyring: Keyring, *, fudge_s: int) -> Answerer:
    """Return ``answerer``, or, where there are keys, one that answers signed queries too."""
    return SignedAnswerer(answerer, keyring, clock=time.time, fudge_s=fudge_s) if keyring else answerer
