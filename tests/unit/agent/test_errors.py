import errno
import os

import pytest

from fairlead.agent import listen_error


@pytest.mark.parametrize(
    ("number", "reason", "hint"),
    [
        (errno.EADDRINUSE, "the port is in use", "ss -lntup"),
        (errno.EACCES, "permission denied", "CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, "not an address of this host", "ip addr"),
        (errno.EMFILE, "Too many open files", "check --listen"),
    ],
)
def test_an_address_that_cannot_be_bound_is_told_with_its_flag_and_a_remedy(
    number: int, reason: str, hint: str
) -> None:
    line = listen_error(OSError(number, os.strerror(number)), "127.0.0.1:53", flag="--listen").message

    assert line.startswith(f"cannot listen on 127.0.0.1:53 (--listen): {reason}; ")
    assert hint in line
