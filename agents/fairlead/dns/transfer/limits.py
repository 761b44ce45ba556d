"""The bounds and times of transfers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLimits:
    """The bounds and times of transfers, in seconds where not said otherwise.

    Attributes:
        message_bytes_max: of one message of a transfer; pointers reach 16 KiB, and a client can begin with the first.
        streams_max: transfers at once; each keeps what has changed since it began.
        notify_delay_s: how long after a change it is told, so that every process of ours has it.
        notify_confirm_s: how long after an acknowledgement a change is told once more.
        notify_spacing_s: least time between two notifications of one zone to one secondary; what changes meanwhile goes
            into the next.
        notify_retry_s: how long to wait for an acknowledgement, doubled each time (RFC 1996, section 3.6).
        notify_attempts_max: after which a secondary is left alone until the next change.
        tsig_fudge_s: how far clocks may differ (RFC 8945, section 10).
        serial_save_s: how often the serial is put on disk while it changes.
    """

    message_bytes_max: int = 16 * 1024
    streams_max: int = 4
    notify_delay_s: float = 0.2
    notify_confirm_s: float = 5.0
    notify_spacing_s: float = 1.0
    notify_retry_s: float = 2.0
    notify_attempts_max: int = 5
    tsig_fudge_s: int = 300
    serial_save_s: float = 1.0
