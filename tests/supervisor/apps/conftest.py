"""Worlds of one app, each with its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.appworld import AppWorld

from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.settings import V2Settings


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AppWorld]]:
    started: list[SandboxThread] = []

    def starter(**settings: Any) -> AppWorld:
        usual: dict[str, Any] = {"effect_s": 0.0, "rate": 0.0, "bearers": {"one": "t-one-secret"}}
        make = partial(Sandbox, v2=V2Settings(**{**usual, **settings}))
        started.append(SandboxThread(Settings(rate=0, connects=0), make).start())
        return AppWorld(started[-1].url, started[-1].client.v2, tmp_path / "state.db")

    yield starter
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def world(start: Callable[..., AppWorld]) -> AppWorld:
    return start()
