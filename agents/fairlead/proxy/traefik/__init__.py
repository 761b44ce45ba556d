"""Traefik's keys as a second input: routers, services and middlewares become frontends, backends and theirs.

``Translator`` turns changes of Traefik's keys into changes of vulcand's, so that everything behind is one thing: what
touches what, last good values, whole revisions.  Source: Traefik, docs on the KV store provider (version 3).
"""

from fairlead.proxy.traefik.translator import VIRTUAL, Translated, Translator

__all__ = ["VIRTUAL", "Translated", "Translator"]
