"""Create folders for Traptor's own files, and tell whether anybody else may change what is in them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE_MODE = 0o750
# root:syslog 0775 on Ubuntu, for its rsyslog, which does not run as root.
_SYSTEM_LOGS = Path("/var/log")
_ROOT = 0
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_private(path: Path) -> None:
    """Create a folder and its missing parents for the owner, readable by the group, whatever the umask.

    Raises OSError.
    """
    if not path.is_dir() and not path.parent.exists():
        make_private(path.parent)
    make_last_private(path)


def make_last_private(path: Path) -> None:
    """Create a folder as `make_private` does, but no parents. Raises OSError."""
    if path.is_dir():
        return
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(PRIVATE_MODE)


def who_may_change(path: Path) -> str | None:
    """Return a sentence about who else may change the contents of a folder and how to prevent it, or None.

    The rule is that of ssh: every folder on the way belongs to this user or root and nobody else may write to
    it; in a sticky folder such as /tmp others may write, since they cannot remove files of others, and in
    /var/log the group that the system gave it to. Missing folders are checked when they are created.
    """
    ways = dict.fromkeys((*_way_to(path.absolute()), *_way_to(path.resolve())))
    return next((fault for place in ways if (fault := _fault(place, is_last=place == path.resolve()))), None)


def _way_to(path: Path) -> Iterator[Path]:
    """Yield the folders, and links to folders, that lead to a path, then the path itself."""
    yield from reversed((path, *path.parents))


def _fault(place: Path, *, is_last: bool) -> str | None:
    try:
        found = place.lstat()
    except OSError:
        return None  # missing: whoever needs it creates it or reports it as unusable
    if found.st_uid not in (_ROOT, os.geteuid()):
        owner, cure = _user(found.st_uid), f"or name a folder of {_user()}"
        if is_last:
            cure = f"`chown {_user()} {place}`, {cure}"
        return f"{place} belongs to {owner}: run the supervisor as {owner}, {cure}"
    if stat.S_ISLNK(found.st_mode):
        return None  # the mode of a link means nothing
    others = found.st_mode & _OTHERS_MAY_WRITE
    if found.st_mode & stat.S_ISVTX and not is_last:
        others = 0
    if place == _SYSTEM_LOGS and not is_last:
        others &= ~stat.S_IWGRP
    if others & stat.S_IWGRP and _is_ours_alone(found.st_gid):
        others &= ~stat.S_IWGRP
    if not others:
        return None
    who = "everybody" if others & stat.S_IWOTH else f"the group {_group(found.st_gid)}"
    return f"{who} may write to {place}: `chmod go-w {place}`, or name another folder"


def _is_ours_alone(gid: int) -> bool:
    """Tell whether a group contains only this user, as most systems create one per user."""
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
