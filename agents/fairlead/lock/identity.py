"""Who this host is."""

import hashlib
import hmac
from pathlib import Path

from fairlead.lock.errors import PolicyError

_MACHINE_ID = Path("/etc/machine-id")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ZINCATI_APP_ID = bytes.fromhex("de35106b6ec24688b63afddaa156679b")
"""By which Zincati makes an id of its own out of the machine's, so that the latter is told to nobody."""


def machine_id(path: Path = _MACHINE_ID) -> str:
    """Return the machine's id, which locksmith's holders go by.

    Raises:
        PolicyError: the machine has none.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text or text == "uninitialized":
        raise PolicyError(
            f"{path} holds no machine id; give --id NAME, or make one with: systemd-machine-id-setup"
        )
    return text


def boot_id(path: Path = _BOOT_ID) -> str:
    """Return the kernel's id of this boot; another after each."""
    return path.read_text(encoding="ascii").strip()


def zincati_id(machine: str) -> str:
    """Return the id by which Zincati on that machine speaks FleetLock (systemd's sd_id128_get_machine_app_specific)."""
    digest = bytearray(hmac.new(bytes.fromhex(machine), ZINCATI_APP_ID, hashlib.sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x40
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()
