"""Folders for our own files: made for us alone, and refused where others may change them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from traptor.common.files import folders
from traptor.common.files.folders import make_private, who_may_change


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder, or a link, somebody else's."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, 54321, -1, follow_symlinks=False)
        else:  # the same, seen from the other side
            monkeypatch.setattr(os, "geteuid", lambda: 54321)

    return give


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_for_us_and_our_group_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    make_private(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o750] * 3
    assert who_may_change(tmp_path / "a" / "b" / "c") is None


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o700)
    make_private(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="a"):
        make_private(tmp_path / "a" / "b")
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "a")


@pytest.mark.parametrize("bits", [0o777, 0o1777, 0o757], ids=oct)
def test_a_folder_that_everybody_may_write_to_is_not_trusted(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(bits)
    assert f"everybody may write to {folder}:" in str(who_may_change(folder))
    assert f"chmod go-w {folder}" in str(who_may_change(folder))


def test_neither_is_one_in_a_folder_that_everybody_may_write_to(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    tmp_path.chmod(0o777)
    assert f"everybody may write to {tmp_path}:" in str(who_may_change(tmp_path / "run"))


def test_in_a_folder_like_tmp_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(0o750)
    tmp_path.chmod(0o1777)
    assert who_may_change(tmp_path / "run") is None


def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path, give_away: Callable[[Path], None]) -> None:
    (tmp_path / "run" / "x").mkdir(parents=True)
    give_away(tmp_path / "run")
    if os.geteuid() == 0:
        found = str(who_may_change(tmp_path / "run"))
        assert "belongs to 54321: run the supervisor as 54321, `chown root " in found
    assert who_may_change(tmp_path / "run") is not None
    assert who_may_change(tmp_path / "run" / "x") is not None


def test_a_way_through_a_link_of_somebody_else_is_not_trusted(
    tmp_path: Path, give_away: Callable[[Path], None]
) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there")
    assert who_may_change(link) is None
    give_away(link)
    assert who_may_change(link) is not None


def test_a_link_leads_to_a_folder_that_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert str(tmp_path / "there") in str(who_may_change(tmp_path / "link"))


@pytest.mark.parametrize("members", [[], ["me"], ["me", "other"]])
def test_the_group_that_a_user_has_to_himself_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o770)
    gid = folder.stat().st_gid
    user = pwd.struct_passwd(("me", "x", os.geteuid(), gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: user)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: grp.struct_group(("me", "x", gid, members)))
    assert (who_may_change(folder) is None) == ("other" not in members)


def test_another_group_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o2775)
    monkeypatch.setattr(folders, "_is_ours_alone", lambda _gid: False)
    assert "the group " in str(who_may_change(folder))


@pytest.mark.parametrize(("bits", "trusted"), [(0o775, True), (0o777, False), (0o757, False)])
def test_the_group_of_the_folder_of_the_systems_logs_may_write_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, trusted: bool
) -> None:
    """As Ubuntu has it, root:syslog 0775; what lies in it must be ours alone, and it is no folder of ours."""
    monkeypatch.setattr(folders, "_SYSTEM_LOGS", tmp_path)
    monkeypatch.setattr(folders, "_is_ours_alone", lambda _gid: False)
    own = tmp_path / "traptor"
    own.mkdir(0o750)
    tmp_path.chmod(bits)
    assert (who_may_change(own) is None) is trusted
    assert who_may_change(tmp_path) is not None
    own.chmod(0o770)
    assert who_may_change(own) is not None


def test_what_is_missing_is_looked_at_when_it_is_made(tmp_path: Path) -> None:
    assert who_may_change(tmp_path / "not" / "yet") is None
