"""An API without a supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.api import AnApi

STATUS = {
    "version": "1", "connections": [], "keys": [], "groups": [], "openings": [], "problems": [],
    "stopping": False, "ready": False, "health": "ok",
}  # fmt: skip


@pytest.fixture
def api() -> Iterator[AnApi]:
    with TemporaryDirectory() as folder:  # a short path
        yield AnApi(Path(folder), lambda: dict(STATUS))
