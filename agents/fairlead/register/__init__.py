"""``fairlead register``: one registration for DNS, proxy and templates, under one lease and one health check.

``records`` and ``gate`` are pure; ``agent`` keeps the lease, ``program`` the service.  It never reads what DNS or the
proxy make of its keys.
"""

from fairlead.register.agent import Registration
from fairlead.register.errors import BadNameError, RegisterError, TakenError
from fairlead.register.gate import Gate, Move
from fairlead.register.records import Places, Service, make_service, records

__all__ = [
    "BadNameError",
    "Gate",
    "Move",
    "Places",
    "RegisterError",
    "Registration",
    "Service",
    "TakenError",
    "make_service",
    "records",
]
