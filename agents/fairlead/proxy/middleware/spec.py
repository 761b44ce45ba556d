"""Reading a middleware's JSON: the fields of ``model``, and what else middlewares ask for."""

import ipaddress
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.headers import FORWARDED_FIELDS, REQUEST_FIELDS, RESPONSE_FIELDS, TOKEN
from fairlead.proxy.headers import Fields as HeaderFields
from fairlead.proxy.middleware.limits import VALUES_MAX
from fairlead.proxy.model import Fields

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Spec(Fields):
    """The object below ``Middleware``.  Every reader raises KeyProblem when the field is not what it should be."""

    def raw(self, name: str) -> Any:
        """Return the value as JSON has it; None when it is absent."""
        return self._get(name)

    def whole(self, name: str, *, low: int = 1, high: int = 2**53) -> int:
        """Return a whole number that must be there."""
        if name not in self:
            raise self.problem(name, f"is missing; give a whole number of at least {low}")
        return self.number(name, low=low, high=high)

    def long_s(self, name: str, default: float) -> float:
        """Return a duration in seconds; absent and 0 mean the default."""
        return self.duration_s(name) or default

    def spec(self, name: str) -> "Spec":
        """Return the object in a field; an empty one when there is none."""
        inside = self.inside(name)
        if len(inside.values) > VALUES_MAX:
            raise self.problem(name, f"has more than {VALUES_MAX} values")
        return Spec(inside.values, where=self.path(name))

    def field_names(self, name: str) -> tuple[bytes, ...]:
        """Return a list of header field names."""
        return tuple(self.field_name(name, each) for each in self.texts(name))

    def header_fields(self, name: str) -> HeaderFields:
        """Return an object of header fields, in its order; nothing in it may break out of its line."""
        return [
            (self.field_name(name, key), self.field_value(name, value)) for key, value in self._items(name)
        ]

    def own_fields(self, name: str) -> HeaderFields:
        """Return header fields for an answer of the proxy's own, which frames it itself."""
        fields = self.header_fields(name)
        for field, _ in fields:
            if field.lower() in RESPONSE_FIELDS:
                raise self.problem(name, f"names {field.decode()}, which the proxy itself writes")
        return fields

    def field_name(self, name: str, key: str) -> bytes:
        """Return ``key`` as the name of a header field."""
        if not key.isascii() or TOKEN.fullmatch(key.encode()) is None:
            raise self.problem(name, f"has {key!r}, which is no name of a header field")
        return key.encode()

    def request_field_names(self, name: str) -> tuple[bytes, ...]:
        """Return a list of names of fields that may be written into requests."""
        return tuple(self.request_field_name(name, each) for each in self.texts(name))

    def request_field_name(self, name: str, key: str) -> bytes:
        """Return ``key`` as the name of a field that may be written into requests."""
        field = self.field_name(name, key)
        if field.lower() in REQUEST_FIELDS or field.lower() in FORWARDED_FIELDS:
            raise self.problem(name, f"names {key}, which the proxy itself writes")
        return field

    def field_value(self, name: str, value: Any) -> bytes:
        """Return ``value`` as a header field may have it."""
        # RFC 9110, section 5.5: visible characters, spaces and tabs; anything else could end the line.
        if not isinstance(value, str) or not all(char.isprintable() or char == "\t" for char in value):
            raise self.problem(name, "must have strings without control characters as values")
        return value.encode()

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return a list of addresses and networks."""
        found: list[Network] = []
        for each in self.texts(name):
            try:
                found.append(ipaddress.ip_network(each, strict=False))
            except ValueError as error:
                raise self.problem(name, f'has {each!r}; write "10.0.0.0/8" or "2001:db8::1"') from error
        return tuple(found)

    def problem(self, name: str, text: str) -> KeyProblem:
        """Return the error that says what is wrong with the field."""
        return KeyProblem(f"{self.path(name)} {text}")

    def _items(self, name: str) -> list[tuple[str, Any]]:
        return list(self.spec(name).values.items())
