"""What removed apps left is removed, and never what an app may still need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traptor.common.files.abandoned import KEPT_S, remove_abandoned

NOW = 1_790_000_000.0


def left(state_dir: Path, kind: str, connection: str, *ages_s: float) -> Path:
    folder = state_dir / kind / connection
    folder.mkdir(parents=True)
    for number, age_s in enumerate(ages_s):
        file = folder / str(number)
        file.write_bytes(b"x")
        os.utime(file, (NOW - age_s, NOW - age_s))
    os.utime(folder, (NOW - max(ages_s, default=0.0),) * 2)
    return folder


@pytest.mark.parametrize("kind", ["seen", "reads"])
def test_what_no_worker_wrote_for_a_month_is_removed_unless_one_has_it(tmp_path: Path, kind: str) -> None:
    gone = left(tmp_path, kind, "v2:gone", KEPT_S + 1, KEPT_S + 9)
    young = left(tmp_path, kind, "v2:young", KEPT_S + 1, KEPT_S - 1)
    served = left(tmp_path, kind, "v2:served", KEPT_S + 1)
    assert remove_abandoned(tmp_path, {"v2:served"}, NOW) == [gone]
    assert (gone.exists(), young.exists(), served.exists()) == (False, True, True)


def test_other_folders_stay_and_none_need_be_there(tmp_path: Path) -> None:
    assert remove_abandoned(tmp_path, (), NOW) == []
    outbox = left(tmp_path, "outbox", "v2:gone", KEPT_S + 1)
    assert remove_abandoned(tmp_path, (), NOW) == []
    assert outbox.exists()


def test_what_cannot_be_removed_is_not_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = left(tmp_path, "seen", "v2:gone", KEPT_S + 1)
    monkeypatch.setattr("shutil.rmtree", lambda *_args, **_more: None)
    assert remove_abandoned(tmp_path, (), NOW) == []
    assert gone.exists()
