"""Certificates by ACME (RFC 8555): HTTP-01 and TLS-ALPN-01 (RFC 8737), ordered by one proxy for all."""

from fairlead.proxy.acme.client import AcmeClient, AcmeError, Solver
from fairlead.proxy.acme.jose import AccountKey
from fairlead.proxy.acme.keeper import PREFIX, AcmeKeeper

__all__ = ["PREFIX", "AccountKey", "AcmeClient", "AcmeError", "AcmeKeeper", "Solver"]
