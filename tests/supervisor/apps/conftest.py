"""Worlds of one app, each with its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.appworld import AppWorld, app_world


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AppWorld]]:
    with ExitStack() as stack:

        def starter(**settings: Any) -> AppWorld:
            return stack.enter_context(app_world(tmp_path, **settings))

        yield starter


@pytest.fixture
def world(start: Callable[..., AppWorld]) -> AppWorld:
    return start()
