"""A time limit for a file of any size: long ones may take long, as long as they come.

A limit for each single read lets a server drip for ever, and one for the whole file has no right length
where nobody tells the size. So each further step of a file has as long as the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

STEP_BYTES = 1 << 16  # with a minute for it: a kilobyte a second


class StepLimit:
    """Reads within the limit; only the time in which it waits for the network counts."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._begin_step()

    async def next(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what a read gives. Raises TimeoutError when the step has taken too long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(self._left_s):
            piece = await read()
        self._left_s -= loop.time() - began
        self._missing -= len(piece)
        if self._missing <= 0:
            self._begin_step()
        return piece

    def _begin_step(self) -> None:
        self._left_s = self._within_s
        self._missing = STEP_BYTES
