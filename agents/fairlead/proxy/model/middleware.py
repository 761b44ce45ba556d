"""Middlewares: what is done to the requests of a frontend on the way.  Source: vulcand, engine/model.go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.frontend import Frontend


@dataclass(frozen=True, slots=True, kw_only=True)
class Middleware:
    """One middleware of one frontend; what its settings mean is its type's business.

    Attributes:
        priority: smaller is passed first; among equals, by id.
        type: such as ``ratelimit``, in lower case.
        settings: the field ``Middleware`` as it stands.
    """

    id: str
    frontend_id: str
    type: str
    priority: int = 0
    settings: Mapping[str, Any]

    @property
    def fields(self) -> Fields:
        """The settings, to be read with errors that name them."""
        return Fields(self.settings, where="Middleware")


def error_pages_of(frontend: Frontend) -> Middleware | None:
    """Return the middleware that a frontend's own ErrorPages stand for; the first on the way, the last on the way back."""
    if not frontend.error_pages:
        return None
    pages = {"Pages": dict(frontend.error_pages)}
    return Middleware(
        id="(ErrorPages)", frontend_id=frontend.id, type="errorpages", priority=-(2**31), settings=pages
    )


def read_middleware(identity: ObjectId, fields: Fields) -> Middleware:
    """Return the middleware that ``fields`` describe."""
    return Middleware(
        id=identity.name,
        frontend_id=identity.owner,
        type=fields.required_text("Type").lower(),
        priority=fields.number("Priority", low=-(2**31)),
        settings=fields.inside("Middleware").values,
    )
