"""Who meets whom around a request: unions of the classes that may stand on each side of an exchange.

They are closed on purpose, and not protocols: every class in them is known, so that a compiler can turn an access to one
into a load from where it lies (see ``fairlead.proxy.compiled``).
"""

from fairlead.proxy.client_side import ClientConnection
from fairlead.proxy.exchange import Exchange
from fairlead.proxy.http2.client_side import ClientStream
from fairlead.proxy.http2.server_side import ServerStream
from fairlead.proxy.mirror import Copy
from fairlead.proxy.record import Refused
from fairlead.proxy.server_side import ServerConnection

ClientSide = ClientConnection | ClientStream
"""Who has sent a request, and waits for its answer."""
ServerSide = ServerConnection | ServerStream
"""What a request goes out on."""
Asker = Exchange | Copy
"""Whose request it is, as a server's side sees it."""
Ended = Exchange | Refused
"""What observers are told of: a ``Record``, whichever it is."""
