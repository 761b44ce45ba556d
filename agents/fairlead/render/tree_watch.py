"""Notices when resources or templates change on disk."""

import asyncio
from collections.abc import Callable

import structlog
from watchfiles import awatch

from fairlead.render.config import RenderSettings

_DEBOUNCE_MS = 200
"""An editor and a deployment write several files in a row; one look is enough."""


async def watch_tree(
    settings: RenderSettings, changed: Callable[[], None], *, log: structlog.stdlib.BoundLogger
) -> None:
    """Call ``changed`` after every change below ``conf.d`` and ``templates``, until cancelled.

    Where the kernel gives no more watches, say so once: SIGHUP still works.
    """
    folders = [folder for folder in (settings.resource_dir, settings.template_dir) if folder.is_dir()]
    try:
        async for _ in awatch(*folders, step=_DEBOUNCE_MS, debounce=10 * _DEBOUNCE_MS):
            changed()
    except (OSError, RuntimeError) as error:
        log.warning("changes of resources and templates are not noticed; send SIGHUP", reason=str(error))
    await asyncio.Event().wait()
