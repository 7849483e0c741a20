"""A supervisor whose jobs and steps raise an unforeseen error while a file of their name is in a folder.

`python sabotage.py FOLDER -c INI`; all names are written to `FOLDER/names`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traptor.supervisor import cli, jobs

folder = Path(sys.argv.pop(1))
jobs.FIRST_PAUSE_S = 0.05  # type: ignore[misc]
start, attempt = jobs.Jobs.start, jobs.Jobs.attempt


class SabotageError(Exception):
    pass


def is_sabotaged(name: str) -> bool:
    with (folder / "names").open("a") as names:
        names.write(f"{name}\n")
    return (folder / name.replace(" ", "-")).exists()


def start_sabotaged(self: jobs.Jobs, name: str, run: jobs.Run) -> None:
    async def run_sabotaged() -> None:
        task = asyncio.ensure_future(run())
        try:
            while not is_sabotaged(name):
                await asyncio.wait([task], timeout=0.05)
                if task.done():
                    task.result()
        finally:
            task.cancel()
        raise SabotageError(name)

    start(self, name, run_sabotaged)


def attempt_sabotaged(self: jobs.Jobs, name: str, deed: Callable[[], Any], otherwise: Any) -> Any:
    def sabotaged() -> Any:
        if is_sabotaged(name):
            raise SabotageError(name)
        return deed()

    return attempt(self, name, sabotaged, otherwise)


jobs.Jobs.start, jobs.Jobs.attempt = start_sabotaged, attempt_sabotaged  # type: ignore[method-assign]
cli.main()
