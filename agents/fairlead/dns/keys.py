"""Keys to names: SkyDNS's layout, the labels of a name reversed and joined by ``/`` below a prefix.

``/skydns/local/skydns/web/1`` is the record of ``1.web.skydns.local.``.
"""

from fairlead.dns import names
from fairlead.dns.errors import BadKeyError, BadNameError
from fairlead.dns.names import Name


class KeySpace:
    """The keys below one prefix.

    Args:
        path_prefix: SkyDNS's ``--path-prefix``, with or without slashes around it.
    """

    def __init__(self, path_prefix: str) -> None:
        bare = path_prefix.strip("/")
        self.prefix: bytes = f"/{bare}/".encode() if bare else b"/"
        """Ends in a slash, so that ``/skydns2/...`` is not ours."""
        self.config_key: bytes = self.prefix + b"config"

    def __repr__(self) -> str:
        return f"KeySpace({self.prefix.decode()!r})"

    def name_of(self, key: bytes) -> Name:
        """Return the name that ``key`` stands for.

        Raises:
            BadKeyError: the key stands for no name.
        """
        assert key.startswith(self.prefix), key
        path = key[len(self.prefix) :]
        elements = path.split(b"/")
        if elements[-1] == b"":
            raise BadKeyError("the key ends in '/': write the record to the key without it")
        if b"" in elements:
            raise BadKeyError("the key holds '//': a label cannot be empty; remove one slash")
        if path != path.lower():
            # SkyDNS lower-cases the question only, so such a key was never found.
            raise BadKeyError("the key has upper-case letters and is never found: write it in lower case")
        try:
            return names.from_labels(reversed(elements))
        except BadNameError as error:
            raise BadKeyError(f"{error}; shorten the key") from error

    def key_of(self, name: Name) -> bytes:
        """Return the key that stands for ``name``."""
        return self.prefix + b"/".join(reversed(names.labels(name)))
