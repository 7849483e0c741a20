"""Runs `traptorctl` as an operator does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.waiting import DEADLINE_S


def traptorctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What it answers and its exit code; a terminal it has not."""
    return subprocess.run(
        [sys.executable, "-m", "traptor.supervisor.ctl", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        check=False,
    )
