"""Middlewares: the chain that the data path runs, and how one is made from the JSON of its key."""

from fairlead.proxy.middleware.chain import Call, Chain
from fairlead.proxy.middleware.hooks import Answer, BodyFilter, Middleware, Verdict

__all__ = ["Answer", "BodyFilter", "Call", "Chain", "Middleware", "Verdict"]
