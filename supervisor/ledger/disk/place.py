"""Where the gap ledger's file lies."""

from __future__ import annotations

from pathlib import Path


def ledger_path(state_dir: Path) -> Path:
    """Return its path in a state_dir."""
    return state_dir / "ledger.db"
