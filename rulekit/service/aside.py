"""Do what blocks beside the event loop: one thing at a time, in a thread that no exit waits for."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, TypeVar

from traptor.common.errors import TraptorError

T = TypeVar("T")

_MOST_WAITING = 16
_SWITCH_S = 0.001  # how long a thread may keep the interpreter from the loop that wants it; else 5 ms


class Crowded(TraptorError):
    """Too many requests wait for their turn already."""


class Aside:
    """Runs one function at a time; requests wait for their turn, a bounded number of them."""

    _running: ClassVar[int] = 0  # in all threads of this process; only the event loop counts
    _usual_s: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Return the function's result, or raise its error. Raises Crowded."""
        if self._waiting >= _MOST_WAITING:
            raise Crowded(f"{self._waiting} requests of this kind wait already; ask again in some seconds")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        return await asyncio.shield(self._begun(function))

    def _begun(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Start the thread; the turn ends with it, even if nobody waits for the result any more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._ended()
            if future.done():
                return  # the client is gone
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # None only where T is

        def work() -> None:
            result, failure = None, None
            try:
                result = function()
            except Exception as error:  # noqa: BLE001  # it is raised where the result is awaited
                failure = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, failure)

        self._began()
        try:
            threading.Thread(target=work, name="rules", daemon=True).start()
        except BaseException:
            self._ended()
            raise
        return future

    def _began(self) -> None:
        if not Aside._running:
            Aside._usual_s = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_S)
        Aside._running += 1

    def _ended(self) -> None:
        self._turn.release()
        Aside._running -= 1
        if not Aside._running:
            sys.setswitchinterval(Aside._usual_s)
