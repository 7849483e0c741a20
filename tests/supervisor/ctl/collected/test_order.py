"""The commands with which a check that was interrupted goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from traptor.supervisor.ctl.collected.order import CheckOrder, CheckProgress, go_on
from traptor.supervisor.xapi.compliance import JobType

FILE = Path("my ids.txt")
SEVEN, EIGHT = "compliance check --job 7 --key app", "compliance check --job 8 --key app"
REST = "compliance check 'my ids.txt' --type users --from-line 5"


@pytest.mark.parametrize(
    ("progress", "output", "expected"),
    [
        (CheckProgress(None, 1), None, []),
        (
            CheckProgress("7", 1),
            None,
            ["compliance check 'my ids.txt' --type users --from-line 1 --job 7 --key app"],
        ),
        (CheckProgress("7", None, has_ids=True), None, [SEVEN]),
        (CheckProgress("7", 5, has_ids=True), None, [SEVEN, f"{REST} --key app"]),
        (CheckProgress(None, 5, done=["7"]), None, [f"{REST} --key app"]),
        (CheckProgress(None, 5, done=["7"]), FILE, [SEVEN, f"{REST} --key app"]),
        (CheckProgress("8", 5, done=["7"]), None, [f"{REST} --job 8 --key app"]),
        (CheckProgress("8", None, has_ids=True, done=["7"]), None, [EIGHT]),
        (CheckProgress("8", None, has_ids=True, done=["7"]), FILE, [SEVEN, EIGHT]),
        (CheckProgress(None, None, done=["7"]), None, []),
    ],
)
def test_it_goes_on_with_the_job_of_now_and_then_with_the_ids_that_are_in_none(
    progress: CheckProgress, output: Path | None, expected: list[str]
) -> None:
    key: Any = SimpleNamespace(name="app")
    settings: Any = None
    order = CheckOrder(settings, key, FILE, 1, JobType.USERS, None, output)
    assert go_on(order, progress) == ", then ".join(expected)
