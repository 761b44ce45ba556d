"""What keeps a service from being registered.

    RegisterError
      BadNameError    the name cannot be one in DNS, or in a key
      TakenError      somebody else is registered by that name and address

Each message is one line for the operator.
"""


class RegisterError(Exception):
    """The root of everything this package raises on purpose."""


class BadNameError(RegisterError):
    """The name, a tag or an address cannot be used."""


class TakenError(RegisterError):
    """Somebody else is registered there."""

    def __init__(self, *, name: str, address: str, owner: str, key: str) -> None:
        """Say who it is."""
        super().__init__(
            f"{name} at {address} is registered by {owner} already; stop it there, give another --id, "
            f"or see: fairlead kv get {key}"
        )
