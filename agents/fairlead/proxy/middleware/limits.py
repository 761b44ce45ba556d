"""The bounds of what a middleware may be told, may keep and may hold, in one place."""

VALUES_MAX = 1024
"""Entries of one list or object of a middleware's JSON."""
SOURCES_MAX = 65_536
"""Clients (or hosts, or header values) that one limiter tells apart; vulcand's number."""
SOURCE_BYTES_MAX = 256
"""What of a header's value tells clients apart; longer values are cut, so that nobody fills the memory."""
ADDRESSES_MAX = 4096
"""Clients' addresses that have been read and are not read again."""
RATES_MAX = 8
"""Rates that one request's header may set."""
WEBHOOK_S = 10.0
"""How long a breaker's webhook may take."""
URL_BYTES_SEARCHED_MAX = 2048
"""Longer URLs are answered 414 where a regular expression would have to be searched for in them."""
BODY_TEMPLATE_BYTES_MAX = 1024 * 1024
"""Longer bodies are not read as templates; vulcand keeps as much in memory."""
LOGINS_KEPT_MAX = 4096
"""Logins that were right and are not checked again."""
LOGINS_KEPT_S = 300.0
"""For how long after the last use."""
LOGINS_WAITING_MAX = 32
"""Logins of one frontend that are being checked; more get 503, since each costs a processor's time."""
BUFFER_BYTES_MAX = 64 * 1024 * 1024
"""The largest request body that may be held in memory."""
WEB_BYTES_MAX = 1024 * 1024
"""The largest answer of a server that is asked by a middleware."""
SPAWNED_MAX = 64
"""Webhooks under way at a time; more are dropped with a warning."""
WEB_IDLE_MAX = 16
"""Kept connections to one server that middlewares ask."""
COMPUTING_THREADS = 2
"""Threads for what would hold up the event loop: the checking of passwords."""
SYSLOG_SOCKETS_MAX = 64
"""Addresses of traces that are written to at a time."""
PAGES_FETCHED_MAX = 64
"""Error pages of one middleware that are fetched from another server."""
