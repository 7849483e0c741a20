"""Files of counts, which `test_reads` and `test_fillreads` try as workers use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from traptor.common.files.counts import CountsFile, CountsFolder


def test_files_of_other_kinds_and_names_are_left_alone(tmp_path: Path) -> None:
    folder = CountsFolder(tmp_path, "reads")
    for path in (folder.path("v2:app", 12), folder.path("v2:app", 3), tmp_path / "seen" / "v2:app" / "1"):
        assert CountsFile(path).write(b"12") is None
    (tmp_path / "reads" / "v2:app" / "notes").write_text("of somebody")
    (tmp_path / "reads" / "a file").write_text("of somebody")
    assert (folder.connections(), list(folder.generations("v2:app"))) == (["v2:app"], [3, 12])


@pytest.mark.parametrize("in_the_way", ["reads", "reads/v2:app", "reads/v2:app/3"])
def test_what_cannot_be_written_or_removed_is_said_or_left(tmp_path: Path, in_the_way: str) -> None:
    folder = CountsFolder(tmp_path, "reads")
    place = tmp_path / in_the_way
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.name == "3":
        place.mkdir()
    else:
        place.write_text("no folder")
    assert CountsFile(folder.path("v2:app", 3)).write(b"12") is not None
    assert folder.read("v2:app", 3) is None
    folder.remove("v2:app", 3)
