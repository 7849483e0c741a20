"""Small disks that can be filled: tmpfs of some megabytes in a private mount namespace."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from traptor.common.errors import TraptorError

_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_MNT_DETACH = 2
_FILLER = "filler"
_BLOCK = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_entered: set[int] = set()  # processes; a child that is forked is in its parent's namespace


class NoSmallDisk(TraptorError):
    """This host does not let this user create a disk; the message says what to do."""


def enter_mount_namespace(*, as_user: bool = False) -> None:
    """Let this thread, and processes and threads started later, mount disks invisible to others.

    With `as_user` it works without root too, if the kernel allows user namespaces: the process is then root
    in its own namespace, and must have no other thread yet. A second call changes nothing: in another
    namespace this process would see other disks than those that it has started. Raises NoSmallDisk.
    """
    if os.getpid() in _entered:
        return
    error = _unshare(_CLONE_NEWNS)
    if error == errno.EPERM and as_user:
        uid, gid = os.getuid(), os.getgid()
        error = _unshare(_CLONE_NEWNS | _CLONE_NEWUSER)
        if not error:
            _be_root(uid, gid)
    if not error:
        error = _call(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    if error:
        raise NoSmallDisk(
            f"full disks cannot be tried here: no mount namespace can be made ({os.strerror(error)}); run as "
            "root, allow user namespaces (sysctl kernel.unprivileged_userns_clone, apparmor_restrict_"
            "unprivileged_userns), or leave the full disks out"
        )
    _entered.add(os.getpid())


class SmallDisk:
    """A tmpfs on `folder`; for use after `enter_mount_namespace`."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Mount it. Raises NoSmallDisk."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={size_bytes},mode=755".encode()
        error = _call(_libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options))
        if error:
            raise NoSmallDisk(f"{folder}: no tmpfs can be mounted there: {os.strerror(error)}")

    @property
    def free_bytes(self) -> int:
        """The free space."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Fill the disk except for `leave_bytes`."""
        with (self.folder / _FILLER).open("ab", buffering=0) as filler:
            while self.free_bytes > leave_bytes:
                try:
                    filler.write(bytes(min(1 << 20, max(_BLOCK, self.free_bytes - leave_bytes))))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def free(self) -> None:
        """Free the space again."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Unmount the disk with its content, even while a process still has it open."""
        _libc.umount2(os.fsencode(self.folder), _MNT_DETACH)


def _be_root(uid: int, gid: int) -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        Path("/proc/self", name).write_text(text)


def _unshare(flags: int) -> int:
    return _call(_libc.unshare(flags))


def _call(result: int) -> int:
    """Return the errno of a failed call, or 0."""
    return ctypes.get_errno() if result else 0
