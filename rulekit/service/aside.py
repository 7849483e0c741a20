"""Do what blocks beside the event loop: one thing at a time, in a thread that no exit waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """Runs one function at a time; requests wait for their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, function: Callable[[], T]) -> T:
        """Return the function's result, or raise its error."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[T] = loop.create_future()

            def settle(result: T | None, error: BaseException | None) -> None:
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

            threading.Thread(target=work, name="rules", daemon=True).start()
            return await asyncio.shield(future)
