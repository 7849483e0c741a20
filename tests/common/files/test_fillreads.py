"""What a generation keeps of the fills that it worked for."""

from __future__ import annotations

from pathlib import Path

from traptor.common.files.fillreads import (
    FillReads,
    FillReadsFile,
    all_kept_fills,
    kept_fills,
    remove_kept_fills,
)
from traptor.common.fills import OF_BACKFILLS

SOME = FillReads(new=5, posts=4, included_posts=3, included_users=2)


def test_the_last_counts_of_each_fill_are_found_until_they_are_removed(tmp_path: Path) -> None:
    file = FillReadsFile(tmp_path, "v2:app", 3)
    assert file.write({}) is None
    assert list(all_kept_fills(tmp_path)) == [], "nothing was fetched"
    file.write({7: FillReads(new=1)})
    file.write({7: SOME, 8: FillReads(posts=1), OF_BACKFILLS: SOME})
    found = kept_fills(tmp_path, "v2:app", 3)
    assert found is not None
    assert found.totals == {7: SOME, 8: FillReads(posts=1), OF_BACKFILLS: SOME}
    assert found.at == (tmp_path / "fillreads" / "v2:app" / "3").stat().st_mtime
    assert list(all_kept_fills(tmp_path)) == [("v2:app", 3)]
    remove_kept_fills(tmp_path, "v2:app", 3)
    assert kept_fills(tmp_path, "v2:app", 3) is None


def test_however_many_gaps_a_worker_fills_its_file_takes_no_more_room(tmp_path: Path) -> None:
    file = FillReadsFile(tmp_path, "v2:app", 3)
    file.write(dict.fromkeys((*range(1, 900), OF_BACKFILLS), SOME))
    found = kept_fills(tmp_path, "v2:app", 3)
    assert found is not None
    assert list(found.totals) == [*range(801, 900), OF_BACKFILLS]
    assert (tmp_path / "fillreads" / "v2:app" / "3").stat().st_size <= 4096


def test_a_damaged_file_counts_for_nothing(tmp_path: Path) -> None:
    FillReadsFile(tmp_path, "v2:app", 3).write({7: SOME})
    (tmp_path / "fillreads" / "v2:app" / "3").write_bytes(b"short")
    assert kept_fills(tmp_path, "v2:app", 3) is None


def test_what_exceeds_is_never_below_zero() -> None:
    assert SOME.beyond(FillReads(new=2, posts=9)) == FillReads(3, 0, 3, 2)
    assert SOME + FillReads(new=1) == FillReads(6, 4, 3, 2)
