"""``fairlead lock run``: a command under the semaphore."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import replace

from fairlead.client import Client, ClientError
from fairlead.lock.errors import LockError, NotHeldError
from fairlead.lock.lock import Lock
from fairlead.lock.operations import Claim

EXIT_CANNOT_RUN = 127
EXIT_LOST = 75
"""EX_TEMPFAIL of sysexits.h: the permit was lost while the command ran, and it was ended."""
_GRACE_S = 10.0


async def run_under(
    client: Client, lock: Lock, claim: Claim, argv: Sequence[str], *, wait_s: float, lease_s: int
) -> int:
    """Get in, run the command, get out; return the command's exit status.

    Args:
        client: the store.
        lock: the group's.
        claim: who we are; its owner is a word that only this process has.
        argv: the command; it finds the fencing token in FAIRLEAD_LOCK_TOKEN.
        wait_s: how long to wait for a permit.
        lease_s: a lease of so many seconds is kept while the command runs, and whoever dies with it makes room; when
            it is lost the command is ended, because another may be let in.  0 keeps none: a permit whose
            holder died stays taken until an operator has looked.

    Raises:
        LockError, ClientError: there was no permit.
    """
    if not lease_s:
        token = await lock.acquire_within(claim, within_s=wait_s)
        try:
            return await _run(argv, token=token, lost=None)
        finally:
            await _leave(lock, claim)
    async with client.lease(lease_s) as lease:
        token = await lock.acquire_within(
            replace(claim, lives=True), within_s=wait_s, alive_lease=lease.lease_id
        )
        lost = asyncio.create_task(lease.wait_lost(), name="lock lease")
        try:
            return await _run(argv, token=token, lost=lost)
        finally:
            lost.cancel()
            await _leave(lock, claim)


async def _run(argv: Sequence[str], *, token: int, lost: asyncio.Task[None] | None) -> int:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, env={**os.environ, "FAIRLEAD_LOCK_TOKEN": str(token)}
        )
    except OSError as error:
        raise LockError(f"`{argv[0]}` cannot be run: {error.strerror or error}") from error
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, _pass_on, process, number)
    ended = asyncio.create_task(process.wait(), name="lock command")
    await asyncio.wait({ended, *([lost] if lost is not None else [])}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        status = ended.result()
        return status if status >= 0 else 128 - status
    await _end(process)
    return EXIT_LOST


def _pass_on(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


async def _end(process: asyncio.subprocess.Process) -> None:
    _pass_on(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _leave(lock: Lock, claim: Claim) -> None:
    # Let out already, and another is in by our id; or on a lease that is dying.
    with contextlib.suppress(NotHeldError, ClientError):
        await lock.release(claim.holder, why="the command ended", owner=claim.owner)
