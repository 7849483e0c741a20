"""What a search through all rules does with Redis, and when it pauses for others."""

from __future__ import annotations

import pytest
from redis.client import Pipeline

from traptor.rulekit.keeping import seeking


def note_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps from now on, as they come: how many commands a read sends at once, and 0 for a pause."""
    steps: list[int] = []
    execute = Pipeline.execute

    def read(pipeline: Pipeline, raise_on_error: bool = True) -> list[object]:
        steps.append(len(pipeline.command_stack))
        return execute(pipeline, raise_on_error)

    monkeypatch.setattr(Pipeline, "execute", read)
    monkeypatch.setattr(seeking, "sleep", lambda _s: steps.append(0))
    return steps
