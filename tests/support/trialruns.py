"""Runs a trial's script as users do, and reads what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from support.paths import SCRIPTS


def figures_of(script: str, folder: Path, *options: str, within_s: float) -> dict[str, Any]:
    """The figures of a run in which every promise held."""
    figures = folder / "figures.json"
    places = ["--output", str(folder / "trial"), "--json", str(figures)]
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *options, *places],
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert figures.exists(), said
    told: dict[str, Any] = orjson.loads(figures.read_bytes())
    assert told["breaches"] == [], said
    assert ended.returncode == 0, said
    return told
