"""A name that leads to another file than before is noticed."""

from __future__ import annotations

from pathlib import Path

from traptor.common.files.names import id_of, leads_elsewhere


def test_a_name_leads_elsewhere_when_its_file_was_renamed_replaced_or_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w") as file:
        opened = id_of(file.fileno())
        assert not leads_elsewhere(path, opened)
        assert leads_elsewhere(path, None)
        path.rename(tmp_path / "renamed")
        assert leads_elsewhere(path, opened)
        path.touch()
        assert leads_elsewhere(path, opened)
        path.unlink()
        path.symlink_to("renamed")
        assert not leads_elsewhere(path, opened)
