"""Folders for our own files: how they are made, and whether anybody else may change what is in them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE_MODE = 0o750
_ROOT = 0
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_private(path: Path) -> None:
    """Make a folder and those above it that are missing, for us and our group's eyes, whatever the umask.

    Raises OSError.
    """
    if path.is_dir():
        return
    if not path.parent.exists():
        make_private(path.parent)
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(PRIVATE_MODE)


def who_may_change(path: Path) -> str | None:
    """A sentence about who else may change what is in a folder, and how to end that; None: nobody.

    As ssh does with its files: every folder on the way belongs to us or root, and nobody else may write to
    it; in a folder like /tmp others may, as they cannot remove there what is not theirs. What is missing
    is looked at when it is made.
    """
    ways = dict.fromkeys((*_way_to(path.absolute()), *_way_to(path.resolve())))
    return next((fault for place in ways if (fault := _fault(place, is_last=place == path.resolve()))), None)


def _way_to(path: Path) -> Iterator[Path]:
    """The folders, and links to folders, that lead to a path, and itself."""
    yield from reversed((path, *path.parents))


def _fault(place: Path, *, is_last: bool) -> str | None:
    try:
        found = place.lstat()
    except OSError:
        return None  # missing: it is made, or said to be unusable, by whoever needs it
    if found.st_uid not in (_ROOT, os.geteuid()):
        owner = _user(found.st_uid)
        return f"{place} belongs to {owner}: run the supervisor as {owner}, or name a folder of {_user()}"
    if stat.S_ISLNK(found.st_mode):
        return None  # its mode means nothing
    others = found.st_mode & _OTHERS_MAY_WRITE
    if found.st_mode & stat.S_ISVTX and not is_last:
        others = 0
    if others & stat.S_IWGRP and _is_ours_alone(found.st_gid):
        others &= ~stat.S_IWGRP
    if not others:
        return None
    who = "everybody" if others & stat.S_IWOTH else f"the group {_group(found.st_gid)}"
    return f"{who} may write to {place}: `chmod go-w {place}`, or name another folder"


def _is_ours_alone(gid: int) -> bool:
    """Whether a group is the one that a user has to himself, as most systems make them."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _user(uid: int | None = None) -> str:
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
