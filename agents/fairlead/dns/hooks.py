"""Where other parts of the name server hook into the responder.

Each hook is None until somebody sets it; without it the responder answers as a plain authoritative server does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fairlead.dns.answer import Answer
from fairlead.dns.client import Client
from fairlead.dns.edns import Ede
from fairlead.dns.message import Query
from fairlead.dns.names import Name


class Reply:
    """How a hook that answers later hands over its answer.

    Call it once, from the event loop, at once or later.  More calls are ignored.
    """

    def __init__(self, finish: Callable[[bytes | Answer | None, tuple[Ede, ...]], None]) -> None:
        self._finish: Callable[[bytes | Answer | None, tuple[Ede, ...]], None] | None = finish

    def __call__(self, response: bytes | Answer | None, *edes: Ede) -> None:
        """Send ``response``.

        It is an answer as the zones give them, or a whole message without OPT, of any id, with the question of the query in
        any spelling.  The responder puts in the id, the spelling and the OPT record with ``edes``, and cuts it to what the client takes.
        None is SERVFAIL.
        """
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(response, edes)


Forward = Callable[[Query, Client, Reply], None]
"""Answers a question of class IN."""

Before = Callable[[Query], Forward | None]
"""Says who answers a question instead of us, before our own data is looked at; None: nobody."""

Complete = Callable[[Query, Answer], Forward | None]
"""Says who completes an answer of ours that leads out of our zones; None: it stands as it is."""

Transfer = Callable[[Query, Client], Iterator[bytes]]
"""Gives the messages that answer AXFR or IXFR over TCP, with id, without the length.  Raises MessageError to refuse."""

Handler = Callable[[bytes, Client], bytes | None]
"""Answers a packet of another opcode than QUERY; None for no answer.  Raises MessageError to refuse."""

Sign = Callable[[Answer, Query], Answer]
"""Gives an answer with signatures and proofs, to a query with the DO bit."""

Failed = Callable[[Exception, bytes], None]
"""Hears of a fault of ours, and of the packet that was answered SERVFAIL for it."""

Seen = Callable[[Name, int, int], None]
"""Hears of a question of class IN that the table did not answer: its name and type, and what is said of the name.

That is the response code but for compact denials, which say NXDOMAIN by other means.
"""


ChaosBody = Callable[[Query, Client], bytes | None]
"""Gives the record that answers a question of class CHAOS, after the question; None: it has none."""


@dataclass(slots=True)
class Hooks:
    """What is hooked in.

    Attributes:
        before: asked first, for what the table does not answer; whoever sets it clears the table.
        forward: asked instead of refusing what is not ours; setting it does not set RA, `Terms` does.
        complete: asked for each answer of ours; what is completed is kept in no table.
        transfer: asked for AXFR and IXFR over TCP and TLS.
        sign: asked for what goes to clients that validate, before it is kept.
        opcodes: by opcode.
        chaos: asked for what we do not know of class CHAOS.
        failed: told of faults of ours.
        seen: told of each question that the table did not answer.
    """

    before: Before | None = None
    forward: Forward | None = None
    complete: Complete | None = None
    transfer: Transfer | None = None
    sign: Sign | None = None
    opcodes: dict[int, Handler] = field(default_factory=dict)
    chaos: ChaosBody | None = None
    seen: Seen | None = None
    failed: Failed | None = None
