"""What an operator can get wrong when a store starts."""


class ApiError(Exception):
    """Base of this package's errors."""


class ConfigError(ApiError):
    """The settings cannot be served.

    Attributes:
        hint: what the operator should do next.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.message = message
        self.hint = hint


class UsageError(ConfigError):
    """The words of the command line are wrong.

    Attributes:
        exit_code: what the command returns, as other commands do.
    """

    exit_code = 2
