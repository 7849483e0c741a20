"""A disk of some megabytes for a test, to be filled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from support.paths import SCRIPTS

sys.path.insert(0, str(SCRIPTS))  # the trials are no package that could be installed

from trial.smalldisk import NoSmallDisk, SmallDisk, enter_mount_namespace

MakeDisk = Callable[[Path, int], SmallDisk]


@cache
def refusal() -> str:
    """Why this test run can have no disk of its own; empty when it can.

    Only what is started after the first call sees such disks.
    """
    try:
        enter_mount_namespace()
    except NoSmallDisk as error:
        return str(error)
    return ""


def mount(folder: Path, size_bytes: int, until: ExitStack) -> SmallDisk:
    """A disk on `folder` that is gone with `until`; the test is skipped where there can be none."""
    if why := refusal():
        pytest.skip(why)
    disk = SmallDisk(folder, size_bytes)
    until.callback(disk.unmount)
    return disk
