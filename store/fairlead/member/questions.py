"""What only the leader can answer, asked from any member.

A question is put to whoever leads; where nobody does, it waits.  One that may be asked twice is asked again when
the leader changes; any other may have been heard, so that its asker learns of nothing but the end of his patience.
"""

from collections.abc import Callable, Mapping

from fairlead.lease import LeaseNotFoundError, LeaseNotPrimaryError
from fairlead.member import errors
from fairlead.member.errors import MemberError, NoLeaderError, TooManyRequestsError
from fairlead.peer import Call, PeerMessage, Return

Answer = Callable[[bytes | Exception], None]
Handler = Callable[[bytes, Answer], None]
"""Takes the payload of a question; calls its answer once, now or later."""

_MAY_TRAVEL: tuple[type[Exception], ...] = (
    *(kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MemberError)),
    LeaseNotPrimaryError,
    LeaseNotFoundError,
)
_BY_NAME: Mapping[str, type[Exception]] = {kind.__name__: kind for kind in _MAY_TRAVEL}


class Question:
    """Something asked, and who waits for the answer."""

    __slots__ = ("answer", "asked_of", "deadline_s", "is_repeatable", "method", "payload")

    def __init__(
        self, method: str, payload: bytes, answer: Answer, *, deadline_s: float, is_repeatable: bool
    ) -> None:
        self.method = method
        self.payload = payload
        self.answer = answer
        self.deadline_s = deadline_s
        self.is_repeatable = is_repeatable
        self.asked_of = 0


class Questions:
    """Those of this member that have no answer yet, and its answers to those of others.

    Args:
        member_id: this member.
        new_id: makes a number that nobody has used.
        count_max: more than this may not wait.

    Attributes:
        answers: what this member answers, by method.
        outbox: what is to be sent; whoever sends it empties it.
    """

    __slots__ = ("_count_max", "_member_id", "_new_id", "_waiting", "answers", "outbox")

    def __init__(self, *, member_id: int, new_id: Callable[[], int], count_max: int) -> None:
        self._member_id = member_id
        self._new_id = new_id
        self._count_max = count_max
        self._waiting: dict[int, Question] = {}
        self.answers: dict[str, Handler] = {}
        self.outbox: list[PeerMessage] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, question: Question, *, of: int, leader: int) -> None:
        """Put a question to a certain member, or, if ``of`` is 0, to whoever leads.

        Raises:
            TooManyRequestsError: too many wait for their answer.
        """
        if len(self._waiting) >= self._count_max:
            raise TooManyRequestsError
        question_id = self._new_id()
        self._waiting[question_id] = question
        if of or leader:
            self._put(question_id, question, of or leader)

    def ask_leader(self, leader: int) -> None:
        """Put to ``leader`` what nobody has been asked, and what may be asked of another."""
        for question_id, question in list(self._waiting.items()):
            if question.asked_of != leader and (question.is_repeatable or not question.asked_of):
                self._put(question_id, question, leader)

    def _put(self, question_id: int, question: Question, to: int) -> None:
        question.asked_of = to
        method, payload = question.method, question.payload
        call = Call(to=to, sender=self._member_id, id=question_id, method=method, payload=payload)
        if to == self._member_id:
            self.called(call)
        else:
            self.outbox.append(call)

    def called(self, call: Call) -> None:
        """Answer a question, of another member or this one's own."""

        def answer(result: bytes | Exception) -> None:
            if call.sender == self._member_id:
                self._answered(call.id, result)
            else:
                self.outbox.append(encode_result(call, result))

        handler = self.answers.get(call.method)
        if handler is None:
            answer(MemberError(f"no such question: {call.method}"))
            return
        try:
            handler(call.payload, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the asker is told, and this member goes on
            answer(error)

    def returned(self, message: Return) -> None:
        """Hand on an answer; one that comes too late, or twice, is dropped."""
        self._answered(message.id, decode_result(message))

    def _answered(self, question_id: int, result: bytes | Exception) -> None:
        question = self._waiting.get(question_id)
        if question is None:
            return
        if isinstance(result, NoLeaderError):
            question.asked_of = 0  # whoever was asked leads no more, and has done nothing
            return
        del self._waiting[question_id]
        question.answer(result)

    def expire(self, *, now_s: float, error_for: Callable[[float], MemberError]) -> None:
        """Tell those who have waited too long."""
        late = [key for key, question in self._waiting.items() if question.deadline_s <= now_s]
        for key in late:
            question = self._waiting.pop(key)
            question.answer(error_for(question.deadline_s))

    def fail_all(self, error: MemberError) -> None:
        """Tell everybody."""
        for key in list(self._waiting):
            self._waiting.pop(key).answer(error)


def encode_result(call: Call, result: bytes | Exception) -> Return:
    """Return the answer to ``call`` as it travels: errors go by their name."""
    if isinstance(result, bytes):
        return Return(to=call.sender, sender=call.to, id=call.id, payload=result)
    return Return(to=call.sender, sender=call.to, id=call.id, payload=b"", error=type(result).__name__)


def decode_result(answer: Return) -> bytes | Exception:
    """The inverse of ``encode_result``."""
    if not answer.error:
        return answer.payload
    kind = _BY_NAME.get(answer.error)
    return kind.__new__(kind) if kind is not None else MemberError(answer.error)
