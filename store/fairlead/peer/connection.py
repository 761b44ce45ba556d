"""One connection between two members, as a state machine: bytes in, frames out, time as an argument.

It shakes hands, says which frames have a place in which state, and finds out whether the other end still
answers.  It knows nothing of sockets, and of what messages say.

Liveness is counted in ticks, not in seconds: a process that was stopped for a minute has missed one tick, and
does not take its own sleep for everybody else's.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from fairlead.peer.errors import HandshakeError, PeerDecodeError, PeerSilentError
from fairlead.peer.frames import MAGIC, FrameKind, FrameReader, encode_frame
from fairlead.peer.handshake import (
    HELLO_BYTES_MAX,
    QUESTION_BYTES_MAX,
    Hello,
    Identity,
    StreamKind,
    check_hello,
    check_welcome,
    decode_hello,
    decode_refusal,
    decode_welcome,
    encode_hello,
    encode_refusal,
    encode_welcome,
)


class State(Enum):
    """What a connection waits for, or is used for."""

    GREETED = "said hello"
    LISTENING = "waits for a hello"
    SENDING = "sends messages"
    ASKING = "asks as a guest"
    URGENT = "takes urgent messages"
    BULK = "takes bulk messages"
    ANSWERING = "answers a guest"
    CLOSED = "closed"


_K = FrameKind
# Which frames have a place in which state.  A REFUSAL may come late: a member may be removed at any time.
_EXPECTED: Final[dict[State, frozenset[FrameKind]]] = {
    State.GREETED: frozenset({_K.WELCOME, _K.REFUSAL}),
    State.LISTENING: frozenset({_K.HELLO}),
    State.SENDING: frozenset({_K.PONG, _K.REFUSAL, _K.SNAPSHOT_ACK, _K.SNAPSHOT_RESULT}),
    State.ASKING: frozenset({_K.ANSWER, _K.REFUSAL}),
    State.URGENT: frozenset({_K.MESSAGE, _K.PING}),
    State.BULK: frozenset({_K.MESSAGE, _K.PING, _K.SNAPSHOT_OFFER, _K.SNAPSHOT_CHUNK}),
    State.ANSWERING: frozenset({_K.QUESTION}),
    State.CLOSED: frozenset(),
}
_PING: Final = encode_frame(FrameKind.PING, b"")
_PONG: Final = encode_frame(FrameKind.PONG, b"")
_DIALLED: Final = {
    StreamKind.URGENT: State.SENDING,
    StreamKind.BULK: State.SENDING,
    StreamKind.GUEST: State.ASKING,
}
_ACCEPTED: Final = {
    StreamKind.URGENT: State.URGENT,
    StreamKind.BULK: State.BULK,
    StreamKind.GUEST: State.ANSWERING,
}
# In these nothing but an early end is to be expected: bytes that trickle in do not extend the time.
_HURRIED: Final = frozenset({State.GREETED, State.LISTENING, State.ASKING, State.ANSWERING})


class Connection:
    """One end.

    Args:
        ours: who this end is.
        hello: what to say first; None on the end that is dialled.
        is_removed: whether the cluster has removed a member.
        frame_bytes_max: payload of one frame, once hands are shaken.
        missed_max: ticks without a sign of life after which the other end is given up.
    """

    def __init__(
        self,
        ours: Identity,
        hello: Hello | None,
        *,
        is_removed: Callable[[int], bool],
        frame_bytes_max: int,
        missed_max: int,
    ) -> None:
        self._ours = ours
        self._is_removed = is_removed
        self._frame_bytes_max = frame_bytes_max
        self._missed_max = missed_max
        self._reader = FrameReader(HELLO_BYTES_MAX)
        self._out = [MAGIC]
        self._missed = 0
        self._pinged_s: float | None = None
        self._drained_bytes = 0
        self._had_backlog = False
        self.state = State.LISTENING if hello is None else State.GREETED
        self.hello = hello
        """What was said, or heard, first; None until then."""
        self._round_trip_s: float | None = None
        if hello is not None:
            self._out.append(encode_frame(_K.HELLO, encode_hello(hello)))

    def __repr__(self) -> str:
        return f"<Connection {self.state.name} missed={self._missed}/{self._missed_max}>"

    @property
    def is_open(self) -> bool:
        """Whether hands are shaken."""
        return self.state not in {State.GREETED, State.LISTENING, State.CLOSED}

    def take(self) -> bytes:
        """Return what has to be written now, and forget it."""
        out, self._out = self._out, []
        return b"".join(out)

    def receive(self, data: bytes, *, now_s: float) -> list[tuple[FrameKind, bytes]]:
        """Take what came in; return the frames that are not the connection's own business.

        Raises:
            PeerDecodeError: it is nonsense.
            HandshakeError: the other end is refused, or refuses; what `take` returns tells it so.
        """
        if self.state not in _HURRIED:
            self._missed = 0
        frames: list[tuple[FrameKind, bytes]] = []
        for kind, payload in self._reader.feed(data):
            if kind not in _EXPECTED[self.state]:
                raise PeerDecodeError(f"a {kind.name} on a connection that {self.state.value}")
            match kind:
                case FrameKind.HELLO:
                    self._on_hello(payload)
                case FrameKind.WELCOME:
                    self._on_welcome(payload)
                case FrameKind.REFUSAL:
                    self.state = State.CLOSED
                    raise decode_refusal(payload)
                case FrameKind.PING:
                    self._out.append(_PONG)
                case FrameKind.PONG:
                    self._on_pong(now_s)
                case _:
                    frames.append((kind, payload))
        return frames

    def tick(self, *, now_s: float, drained_bytes: int = 0, has_backlog: bool = False) -> None:
        """Let a ping interval pass.

        Args:
            now_s: the time.
            drained_bytes: what the operating system has taken of what was written, in all.
            has_backlog: whether some of that is left.  While a backlog drains the other end is alive, however
                long its answer to a ping has to wait in line.

        Raises:
            PeerSilentError: the other end gave no sign of life for too long.
        """
        if self._had_backlog and drained_bytes > self._drained_bytes:
            self._missed = 0
        self._had_backlog, self._drained_bytes = has_backlog, drained_bytes
        if self._missed >= self._missed_max:
            raise PeerSilentError(f"nothing heard for {self._missed} ping intervals")
        self._missed += 1
        if self.state is State.SENDING and self._pinged_s is None:
            self._pinged_s = now_s
            self._out.append(_PING)

    def take_round_trip(self) -> float | None:
        """Return how many seconds the last ping took; None: no answer has come since this was last asked."""
        round_trip_s, self._round_trip_s = self._round_trip_s, None
        return round_trip_s

    def refuse(self, error: HandshakeError) -> None:
        """Have the other end told why this is the end."""
        self._out.append(encode_frame(_K.REFUSAL, encode_refusal(error)))
        self.state = State.CLOSED

    def _on_hello(self, payload: bytes) -> None:
        hello = decode_hello(payload)
        try:
            check_hello(hello, self._ours, is_removed=self._is_removed)
        except HandshakeError as error:
            self.refuse(error)
            raise
        self.hello = hello
        self._out.append(encode_frame(_K.WELCOME, encode_welcome(self._ours)))
        self._open(_ACCEPTED[hello.stream])

    def _on_welcome(self, payload: bytes) -> None:
        assert self.hello is not None
        check_welcome(decode_welcome(payload), self.hello)
        self._open(_DIALLED[self.hello.stream])

    def _open(self, state: State) -> None:
        self.state = state
        is_guest = state is State.ANSWERING
        self._reader.payload_bytes_max = QUESTION_BYTES_MAX if is_guest else self._frame_bytes_max

    def _on_pong(self, now_s: float) -> None:
        if self._pinged_s is None:
            raise PeerDecodeError("a PONG that nobody asked for")
        self._round_trip_s = now_s - self._pinged_s
        self._pinged_s = None
