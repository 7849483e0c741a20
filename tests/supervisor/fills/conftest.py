"""The world in which gaps are filled on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fillworld import FillWorld, fill_world


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., FillWorld]:
    """Makes it with options of [twitter]."""
    return lambda **twitter: fill_world(tmp_path, **twitter)
